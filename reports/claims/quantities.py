"""Claims that are not differences of a metric: seconds, numbers of parameters, answers on D."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from ndr.nearest_name import check_names
from ndr.records.claim_results import FAILS, HOLDS, MILLIONS, NUMBER, RATIO, SECONDS, PartResult
from ndr.records.network_costs import NetworkCost, NetworkCosts
from ndr.records.parameter_counts import ParameterCounts
from ndr.records.representation import RepresentationFile
from reports.analysis.bootstrap import Sample
from reports.analysis.evidence import Comparisons, evidence
from reports.analysis.representation_answers import Answer, answer
from reports.claims.measurement import Measurement, NotRunError
from reports.claims.specs import AIRNET, COUNTABLE, Count, Share, Study, TextNumber, Timing
from reports.claims.verdicts import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    UNDECIDED,
    paper_word,
    part_verdict,
)
from reports.paper.arithmetic import OFF, TRUNCATED, fit
from reports.paper.printed_values import text_fact

COUNTED_WORDS = {
    "in_use": "layers in use",
    "with_never_used": "with the layers that it never uses",
}


def _text_number(number: TextNumber) -> Decimal:
    printed = text_fact(number.block, number.method, number.column, number.metric)
    return Decimal(printed.text)


# ---- Seconds ----


def timing_part(spec: Timing, results: Path) -> PartResult:
    """Seconds that one network takes beyond another, by rounds in which both ran.

    Raises:
        ResultFileError: the file is none of network costs.
        UnknownNameError: it lacks a network.
    """
    numbers = [_text_number(number) for number in spec.paper]
    paper = numbers[0] - numbers[1] if len(numbers) == 2 else numbers[0]
    bound = spec.at_most or 0.0
    held = paper <= Decimal(repr(bound)) if spec.at_most is not None else paper > 0
    result = PartResult(
        f"{spec.longer} over {spec.shorter}",
        UNDECIDED,
        unit=SECONDS,
        bound=spec.at_most,
        paper=float(paper),
        in_paper=HOLDS if held else FAILS,
    )
    path = results / "network_costs.json"
    costs = NetworkCosts.read_if_there(path)
    if costs is None:
        return replace(result, verdict=NOT_RUN, reason=f"{path} is not there")
    longer, shorter = (costs.network(name) for name in (spec.longer, spec.shorter))
    # Less than a bound is judged as minus the seconds above minus the bound.
    sign = 1.0 if spec.at_most is None else -1.0
    samples = [_rounds(network) for network in (longer, shorter)]
    found = evidence([(sign, [samples[0]]), (-sign, [samples[1]])], [1.0], name="rounds")
    verdict, reason = part_verdict(found, sign * bound, 0.0, Comparisons(), 1)
    machine = f"{costs.side}x{costs.side} pixels, {costs.tier} networks, {costs.hardware}"
    ends = None if found.interval is None else (found.interval.low, found.interval.high)
    return replace(
        result,
        verdict=verdict,
        reason=f"{reason}; {machine}" if reason else machine,
        estimate=sign * found.estimate,
        interval=None if ends is None else tuple(sorted(sign * end for end in ends)),
    )


def _rounds(network: NetworkCost) -> Sample:
    names = tuple(f"{index:04d}" for index in range(len(network.seconds)))
    return Sample(np.array(network.seconds), names)


# ---- Parameters ----


def _counted(part: str, variant: str, counted: str, measurement: Measurement, counts: Path) -> int:
    """Parameters of one of `COUNTABLE`.

    Raises:
        NotRunError: the file that knows AirNet is not there.
        ResultFileError: a file is none of its kind.
        UnknownNameError: the file of counts lacks the variant.
    """
    if part == AIRNET:
        path = measurement.results / "network_costs.json"
        costs = NetworkCosts.read_if_there(path)
        if costs is None:
            raise NotRunError(f"{path} is not there")
        return costs.network("AirNet").parameters
    variants = ParameterCounts.read(counts).variants
    check_names(f"variant in {counts}", [variant], variants)
    return int(getattr(getattr(variants[variant], counted), part))


def count_part(spec: Count, part: str, measurement: Measurement, counts: Path) -> PartResult:
    """Counted parameters beside the text's, rounded or cut off to its digits."""
    label, (method, column) = COUNTABLE[part]
    printed = Decimal(text_fact("model", method, column, "params_M").text)
    try:
        count = _counted(part, spec.variant, spec.counted, measurement, counts)
    except NotRunError as error:
        return PartResult(label, NOT_RUN, str(error), MILLIONS, paper=float(printed))
    millions = Decimal(count) / 10**6
    reason = f"{spec.variant.replace('_', ' ')}, {COUNTED_WORDS[spec.counted]}"
    if part == AIRNET:
        reason = "the network of this suite"
    how = fit(printed, millions)
    equal = how != OFF
    if spec.within is not None:
        equal = equal or abs(millions / printed - 1) <= Decimal(repr(spec.within))
        reason += f"; within {100 * spec.within:g} %, for the text says approximately"
    elif how == TRUNCATED:
        reason += "; the text cuts off the last digit"
    return PartResult(
        label=label,
        verdict=REPRODUCED if equal else NOT_REPRODUCED,
        reason=reason,
        unit=MILLIONS,
        estimate=float(millions),
        paper=float(printed),
    )


def share_part(spec: Share, measurement: Measurement, counts: Path) -> PartResult:
    """Parameters of one part over those of another."""
    names = (spec.part, spec.of)
    printed = [Decimal(text_fact("model", *COUNTABLE[name][1], "params_M").text) for name in names]
    paper = printed[0] / printed[1]
    result = PartResult(
        f"{COUNTABLE[spec.part][0]}, share of {COUNTABLE[spec.of][0]}",
        NOT_RUN,
        unit=RATIO,
        bound=spec.at_most,
        paper=float(paper),
        in_paper=paper_word(-paper, -spec.at_most, 0.0),
    )
    try:
        numbers = [
            _counted(name, spec.variant, spec.counted, measurement, counts) for name in names
        ]
    except NotRunError as error:
        return replace(result, reason=str(error))
    ratio = numbers[0] / numbers[1]
    return replace(
        result, estimate=ratio, verdict=REPRODUCED if ratio < spec.at_most else NOT_REPRODUCED
    )


# ---- What D represents ----


def study_parts(spec: Study, measurement: Measurement) -> list[PartResult]:
    """Answers of the study on one system, over all of its trainings that were looked at."""
    row = measurement.row(spec.system)
    folder = measurement.results / "representation"
    runs = [run for run in (row.run, *(each.run for each in row.other_seeds)) if run]
    paths = [folder / f"{run}.json" for run in runs]
    files = [file for path in paths if (file := RepresentationFile.read_if_there(path))]
    if not files:
        raise NotRunError(f"{paths[0]} is not there")
    return [_study_part(answer(question, files)) for question in spec.questions]


def _study_part(found: Answer) -> PartResult:
    verdict = {True: REPRODUCED, False: NOT_REPRODUCED, None: UNDECIDED}[found.yes]
    measured = found.interval is not None or found.yes is not None
    return PartResult(
        label=f"{found.question} {found.measured}",
        verdict=verdict if found.value is not None else NOT_RUN,
        reason="" if measured and found.value is not None else found.reason,
        unit=found.unit or NUMBER,
        estimate=found.value,
        interval=None if found.interval is None else (found.interval.low, found.interval.high),
        bound=found.bound,
        trainings=found.trainings,
    )
