"""Results as one tidy table: `from ndr.results import load; frame = load("results/quick")`.

One row per measured number, for pandas and all that reads its frames; docs/results.md has examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ndr.metrics.protocol import PROTOCOLS, protocol_versions
from ndr.nearest_name import check_names
from ndr.records.per_image import Evaluation, read_evaluation
from ndr.records.provenance import EvaluationProvenance, evaluation_folder, evaluation_provenance
from ndr.records.record import ResultFileError
from ndr.specs.run_spec import run_parts

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("run", "method", "setting", "changes", "seed", "source"),
    *("test_set", "task", "image", "scene", "protocol", "metric", "value"),
)
"""`source` is `retrained`, `shipped`, `official_weights` or `no_training`; `changes` are those of
the run's id, joined by commas; `task` is empty in results from before it was recorded."""
LISTED = 5
"""Problems that an error lists; of more, their number."""


def check_protocol_versions(evaluation: Evaluation, provenance: EvaluationProvenance) -> None:
    """Refuse the numbers of protocols whose arithmetic is another one today."""
    for name, version in protocol_versions(PROTOCOLS).items():
        # Provenance from before versions were recorded has none: it is of version 1.
        found = provenance.protocol_versions.get(name, 1)
        if found != version:
            evaluation.refuse_protocol(
                name,
                f"expected version {version} of protocol {name!r}, found {found}; delete "
                f"{evaluation.path.parent} and run again",
            )


def load(
    results: str | Path, *, runs: Iterable[str] | None = None, skip_unsound: bool = False
) -> pd.DataFrame:
    """All numbers of a tier as a tidy frame with the columns `COLUMNS`.

    Infinite values (the PSNR of an exact copy) are infinite, and there is no NaN.

    Args:
        results: `results/<tier>`.
        runs: ids to read; None: all that were evaluated.
        skip_unsound: leave out what contradicts itself, in place of the error.

    Returns:
        The rows in the order of the runs' ids and of their files. `frame.attrs["left_out"]` says
        what is missing and why: test sets that a method could not restore, metrics that could not
        be computed, and with `skip_unsound` what was unsound.

    Raises:
        FileNotFoundError: no such folder, or no evaluation in it.
        UnknownNameError: a run that was not evaluated, with the nearest ids.
        ResultFileError: a file that is damaged or contradicts itself.
    """
    # Slow to import, and needed here alone.
    import pandas as pd

    folder = Path(results)
    known = sorted(path.parent.name for path in folder.glob("evaluations/*/per_image.csv"))
    if not known:
        raise FileNotFoundError(
            f"no evaluation in {folder / 'evaluations'}: expected a folder such as results/quick, "
            "after `snakemake ... --config tier=quick`"
        )
    wanted = known if runs is None else list(runs)
    check_names("evaluated run", wanted, known)
    rows: list[tuple[Any, ...]] = []
    left_out: list[str] = []
    unsound: list[str] = []
    for run in wanted:
        try:
            provenance = _provenance(folder, run)
            path = evaluation_folder(folder, run) / "per_image.csv"
            evaluation = read_evaluation(path, run, may_be_empty=bool(provenance.failures))
        except ResultFileError as error:
            unsound.append(str(error))
            continue
        check_protocol_versions(evaluation, provenance)
        rows += _rows(evaluation, provenance)
        missing = provenance.failures | provenance.unavailable_metrics
        left_out += [f"{run}, {name}: {reason}" for name, reason in missing.items()]
        unsound += [
            f"{run}, {key.test_set}, {key.protocol}, {key.metric}: {'; '.join(reasons)}"
            for key, reasons in evaluation.problems.items()
        ]
    if unsound and not skip_unsound:
        advice = "results that contradict themselves (skip_unsound=True leaves them out)"
        more = [f"and {len(unsound) - LISTED} more"] if len(unsound) > LISTED else []
        raise ResultFileError("\n".join([f"{folder}: {advice}:", *unsound[:LISTED], *more]))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame.attrs["left_out"] = left_out + unsound
    return frame


def _provenance(results: Path, run: str) -> EvaluationProvenance:
    provenance = evaluation_provenance(results, run)
    if provenance is None:
        folder = evaluation_folder(results, run)
        raise ResultFileError(f"no provenance.json in {folder}; delete it and run again")
    return provenance


def _rows(evaluation: Evaluation, provenance: EvaluationProvenance) -> Iterator[tuple[Any, ...]]:
    method, setting, changes, seed = run_parts(evaluation.run)
    of_run = (evaluation.run, method, setting, ", ".join(changes), seed, provenance.source)
    for score in evaluation.scores():
        task = provenance.tasks.get(score.test_set, "")
        place = (score.test_set, task, score.image, score.scene, score.protocol, score.metric)
        yield (*of_run, *place, score.value)
