"""Train what is to be shipped: `python -m workflows.trained_weights`, or `make trained-weights`.

The runs of `config/trainings.yaml` are trained in their order, the most telling first, checked on
validation images, and packed into `weights/`. What is there is left out, so the command can be
ended and called again: a stopped training goes on where it was. A run that does not improve
on its degraded input is kept in `results/` and reported, not packed.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ndr.nearest_name import UnknownNameError
from ndr.records.record import ResultFileError
from ndr.shipped_weights import INDEX, ShippedWeights, ShippedWeightsError, take_over
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import SpecError
from workflows.planned_trainings import planned_trainings
from workflows.snakemake_child import SnakemakeError
from workflows.trainer import (
    EXPECTED_ERRORS,
    Trainer,
    commit_run,
    completed,
    gains_text,
    prepare_sets,
)

log = logging.getLogger("workflows.trained_weights")


def taken_over(source: Path, weights: Path) -> Iterator[tuple[str, str]]:
    """Take the runs of another folder that are not here yet; yields each with its gains in words.

    Raises:
        ShippedWeightsError: the folder ships nothing, or a file of it is damaged.
        ResultFileError: an index is damaged.
        OSError: a file cannot be read or written.
    """
    other = ShippedWeights.of(source)
    if not other.files:
        raise ShippedWeightsError(
            f"expected shipped weights with their {INDEX} in {source}, found none"
        )
    known = ShippedWeights.of(weights).files
    for key, entry in other.files.items():
        if key not in known:
            yield entry.run, gains_text(take_over(entry, other, weights).validation_gain)


def _hours(specs: Sequence[RunSpec], shipped: ShippedWeights) -> str:
    if not shipped.files:
        return "hours unknown until one is done"
    mean = statistics.fmean(entry.seconds_per_step for entry in shipped.files.values())
    total = sum(
        spec.recipe.last_step * (shipped.step_seconds(spec.method) or mean) for spec in specs
    )
    return f"about {total / 3600:.1f} core-hours by the measured steps of those that are done"


def cores(text: str) -> int:
    """A number of cores, or all of this machine, as Snakemake takes it."""
    if text == "all":
        return os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, or all, found {text!r}")
    return int(text)


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, found {text!r}")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing; 0 if all is there at the end, 1 if something failed or was stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.trained_weights", description=__doc__.split("\n", maxsplit=1)[0]
    )
    option = parser.add_argument
    option("--cores", type=cores, default=1, metavar="N|all", help="trainings at a time")
    option("--mirror", action="append", default=[], metavar="DIR", help="where published sets lie")
    option(
        "--weights", type=Path, default=Path("weights"), metavar="DIR", help="where they are put"
    )
    option("--limit", type=_limit, metavar="N", help="train only so many")
    option("--runs", nargs="+", default=[], metavar="RUN", help="train only these, in this order")
    option(
        "--take-from",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="first take what was trained elsewhere and lies in this folder of weights",
    )
    option("--commit", action="store_true", help="commit each finished run")
    option("--dry-run", action="store_true", help="say what would be trained, and for how long")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        plan, all_specs = planned_trainings()
        for folder in arguments.take_from:
            for run, text in taken_over(folder, arguments.weights):
                if arguments.commit:
                    commit_run(arguments.weights, run, text)
                log.info("%s: taken from %s, gains in dB: %s", run, folder, text)
        shipped = ShippedWeights.of(arguments.weights)
        specs = [spec for spec in all_specs if shipped.find(spec) is None]
    except (SpecError, UnknownNameError, ResultFileError, ShippedWeightsError, OSError) as error:
        log.error("%s", error)
        return 2
    if arguments.runs:
        by_run = {spec.run: spec for spec in specs}
        unknown = [run for run in arguments.runs if run not in by_run]
        if unknown:
            log.error("not to be trained, or shipped already: %s", ", ".join(unknown))
            return 2
        specs = [by_run[run] for run in arguments.runs]
    specs = specs[: arguments.limit]
    log.info("%d runs to train, %s", len(specs), _hours(specs, shipped))
    if arguments.dry_run or not specs:
        for spec in specs:
            print(f"{spec.run}  {spec.recipe.last_step} steps")
        return 0
    try:
        prepare_sets(specs, plan, arguments.mirror)
    except SnakemakeError as error:
        log.error("the training sets could not be prepared: %s", error)
        return 1
    trainer = Trainer(plan, arguments.weights, arguments.commit, len(specs))
    return _train_all(trainer, specs, arguments.cores)


def _train_all(trainer: Trainer, specs: Sequence[RunSpec], cores: int) -> int:
    done = failed = 0
    for _, line in completed(trainer, specs, cores, lambda spec: _reported(trainer, spec)):
        if not line:
            continue
        done += 1
        failed += "FAILED" in line or "NOT SHIPPED" in line
        log.info("[%d/%d] %s", done, len(specs), line)
    return int(failed > 0 or trainer.ended.is_set())


def _reported(trainer: Trainer, spec: RunSpec) -> str:
    if trainer.ended.is_set():
        return ""
    try:
        return trainer.train(spec)
    except EXPECTED_ERRORS as error:
        return f"{spec.run}: FAILED: {error}"


if __name__ == "__main__":
    sys.exit(main())
