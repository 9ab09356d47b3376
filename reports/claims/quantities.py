"""Claims that are not differences of a metric: time, numbers of parameters, how D settles."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from ndr.nearest_name import check_names
from ndr.records.claim_results import MILLIONS, RATIO, PartResult
from ndr.records.parameter_counts import ParameterCounts
from ndr.records.provenance import EvaluationProvenance, evaluation_folder
from ndr.records.representation import RepresentationFile
from ndr.records.table_result import Row
from reports.claims.measurement import Measurement, NotRunError
from reports.claims.specs import (
    PARTS,
    Count,
    Settling,
    TextNumber,
    Timing,
)
from reports.claims.verdicts import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    UNDECIDED,
    ratio_verdict,
    settling_verdict,
)
from reports.paper.arithmetic import OFF, TRUNCATED, fit
from reports.paper.printed_values import system_text, text_fact

COUNTED_WORDS = {
    "in_use": "layers in use",
    "with_never_used": "with the layers that it never uses",
}
MINIMUM_SECONDS = 10.0
"""Time that an evaluation restores images; what starts up slowly decides shorter ones."""
MINIMUM_INTERVALS = 4
"""Changes of D between snapshots that a comparison of early and late needs."""
SETTLING_MEASURES = {
    "scaled": "late over early change of D, per sum of learning rates",
    "walk": "late over early change of D, per root of the sum of their squares",
}


def _text_number(number: TextNumber) -> float:
    printed = text_fact(number.block, number.method, number.column, number.metric)
    return float(printed.text)


def timing_parts(spec: Timing, measurement: Measurement) -> list[PartResult]:
    """Time per megapixel of a system over that of the others, one part each."""
    paper = 1 + _text_number(spec.paper_added) / _text_number(spec.paper_base)
    return [_timing_part(spec, other, paper, measurement) for other in spec.against]


def _timing_part(spec: Timing, other: str, paper: float, measurement: Measurement) -> PartResult:
    result = PartResult(
        f"{system_text(spec.method)} over {system_text(other)}",
        UNDECIDED,
        unit=RATIO,
        bound=spec.at_most,
        paper=paper,
        holds_in_paper=paper <= spec.at_most,
    )
    try:
        first, second = (
            _timed(measurement.row(spec.table, spec.block, system), measurement.results)
            for system in (spec.method, other)
        )
    except NotRunError as error:
        return replace(result, verdict=NOT_RUN, reason=str(error))
    ratio = first.seconds_per_megapixel / second.seconds_per_megapixel
    result = replace(result, estimate=ratio, seeds=1)
    problem = _timing_problem(first, second)
    if problem:
        return replace(result, reason=problem)
    return replace(
        result,
        verdict=ratio_verdict(ratio, spec.at_most, spec.tolerance),
        reason=f"one measurement each, taken to be within {spec.tolerance:.0%}",
        interval=(ratio * (1 - spec.tolerance), ratio * (1 + spec.tolerance)),
    )


def _timed(row: Row, results: Path) -> EvaluationProvenance:
    """Provenance of a row's evaluation, with its time per megapixel."""
    assert row.run is not None
    path = evaluation_folder(results, row.run) / "provenance.json"
    job = EvaluationProvenance.read_if_there(path)
    if job is None:
        raise NotRunError(f"{row.label}: {path} is not there")
    if not job.seconds_per_megapixel:
        raise NotRunError(f"{row.label}: {path} has no time per megapixel")
    return job


def _timing_problem(first: EvaluationProvenance, second: EvaluationProvenance) -> str:
    """Why two times say nothing about the systems; empty where they do."""
    machines = [(job.device, job.hardware, job.precision) for job in (first, second)]
    if machines[0] != machines[1]:
        return "timed on two machines"
    seconds = min(first.restore_seconds, second.restore_seconds)
    if seconds < MINIMUM_SECONDS:
        return f"{seconds:.1f} s of restoring; fewer than {MINIMUM_SECONDS:g} s decide nothing"
    return ""


def count_parts(spec: Count, parameter_counts: Path) -> list[PartResult]:
    """Counted parameters beside the text's, rounded or cut off to its digits.

    Raises:
        ResultFileError: the file is not one of parameter counts.
        UnknownNameError: it lacks the variant.
    """
    variants = ParameterCounts.read(parameter_counts).variants
    check_names(f"variant in {parameter_counts}", [spec.variant], variants)
    counts = getattr(variants[spec.variant], spec.counted)
    return [_count_part(part, getattr(counts, part), spec) for part in spec.parts]


def _count_part(part: str, count: int, spec: Count) -> PartResult:
    label, (method, column) = PARTS[part]
    printed = text_fact("model", method, column, "params_M")
    millions = Decimal(count) / 10**6
    how = fit(Decimal(printed.text), millions)
    reason = f"{spec.variant.replace('_', ' ')}, {COUNTED_WORDS[spec.counted]}"
    if how == TRUNCATED:
        reason += "; the text cuts off the last digit"
    return PartResult(
        label=label,
        verdict=NOT_REPRODUCED if how == OFF else REPRODUCED,
        reason=reason,
        unit=MILLIONS,
        estimate=float(millions),
        paper=float(printed.text),
    )


def settling_parts(spec: Settling, measurement: Measurement) -> list[PartResult]:
    """Whether D changes less in the second half of its snapshots than in the first.

    The learning rate is taken out in two ways (`ndr.study.measurement`): without
    that, any parameter slows down.
    """
    row = measurement.row(spec.table, spec.block, spec.method)
    path = measurement.results / "representation" / f"{row.run}.json"
    file = RepresentationFile.read_if_there(path)
    if file is None:
        raise NotRunError(f"{path} is not there")
    rows = file.settling
    if len(rows) < MINIMUM_INTERVALS:
        reason = f"{len(rows)} changes between snapshots; {MINIMUM_INTERVALS} are needed"
        labels = SETTLING_MEASURES.values()
        return [PartResult(label, UNDECIDED, reason, RATIO, bound=1.0) for label in labels]
    series = [[getattr(row, name) for row in rows] for name in SETTLING_MEASURES]
    ratios = [_late_over_early(values, path) for values in series]
    verdict = settling_verdict(ratios)
    return [
        PartResult(label, verdict, "one training", RATIO, ratio, bound=1.0, seeds=1)
        for label, ratio in zip(SETTLING_MEASURES.values(), ratios, strict=True)
    ]


def _late_over_early(values: list[float], path: Path) -> float:
    """Mean of the second half over that of the first; a middle value belongs to neither.

    >>> _late_over_early([1.0, 3.0, 9.0, 1.0, 1.0], Path("run.json"))
    0.5
    """
    half = len(values) // 2
    early, late = math.fsum(values[:half]), math.fsum(values[-half:])
    if not early:
        raise NotRunError(f"{path}: D does not change at all")
    return late / early
