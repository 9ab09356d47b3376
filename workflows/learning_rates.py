"""Try learning rates on validation images: `python -m workflows.learning_rates --runs RUN`.

Each run of `config/trainings.yaml` that is named is trained with each rate for a given number of
steps, on the schedule of such a short training, and measured on the validation images of its tasks.
Test images are not looked at, and nothing is packed: what comes out are the gains over the degraded
input, by which `learning_rates` of a tier are chosen. What is trained already is only measured.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ndr.nearest_name import UnknownNameError, check_names
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import SpecError
from workflows.planned_trainings import planned_trainings
from workflows.snakemake_child import SnakemakeError
from workflows.trained_weights import cores
from workflows.trainer import (
    EXPECTED_ERRORS,
    Trainer,
    completed,
    gains_of,
    gains_text,
    prepare_sets,
)

log = logging.getLogger("workflows.learning_rates")


def with_rate(spec: RunSpec, rate: float, steps: int) -> RunSpec:
    """A run with another rate and number of steps; its id says both."""
    recipe = replace(spec.recipe, learning_rate=rate, steps=steps)
    changes = {**spec.changes, "learning_rate": rate, "steps": steps}
    return replace(spec, recipe=recipe, changes=changes)


def gains_with_rate(trainer: Trainer, spec: RunSpec) -> dict[str, float] | None:
    """Gains in dB by validation set; None where the training failed or was stopped."""
    try:
        if problem := trainer.trained(spec):
            log.error("%s", problem)
            return None
        gains = gains_of(trainer.validated(spec))
    except EXPECTED_ERRORS as error:
        log.error("%s: FAILED: %s", spec.run, error)
        return None
    log.info("%s: %s dB", spec.run, gains_text(gains))
    return gains


def table(gains: Sequence[tuple[RunSpec, dict[str, float] | None]]) -> str:
    """A line per training, best mean gain of each method first."""
    lines = []
    for spec, found in gains:
        mean = statistics.fmean(found.values()) if found else float("-inf")
        text = f"mean {mean:+.2f}: {gains_text(found)}" if found else "failed or stopped"
        lines.append((spec.method, -mean, f"{spec.recipe.learning_rate:g}", text))
    return "\n".join(f"{method:12} {rate:8} {text}" for method, _, rate, text in sorted(lines))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a training failed or was stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.learning_rates", description=__doc__.split("\n", maxsplit=1)[0]
    )
    option = parser.add_argument
    option("--runs", nargs="+", required=True, metavar="RUN", help="runs of config/trainings.yaml")
    option("--rates", nargs="+", type=float, default=[1e-3, 2e-3, 4e-3], metavar="RATE")
    option("--steps", type=int, default=1000, help="of each training (default: %(default)s)")
    option("--cores", type=cores, default=1, metavar="N|all", help="trainings at a time")
    option("--mirror", action="append", default=[], metavar="DIR", help="where published sets lie")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        plan, planned = planned_trainings()
        by_run = {spec.run: spec for spec in planned}
        check_names("run of config/trainings.yaml", arguments.runs, list(by_run))
        specs = [
            with_rate(by_run[run], rate, arguments.steps)
            for run in arguments.runs
            for rate in arguments.rates
        ]
    except (SpecError, UnknownNameError) as error:
        log.error("%s", error)
        return 2
    try:
        prepare_sets(specs, plan, arguments.mirror)
    except SnakemakeError as error:
        log.error("the training sets could not be prepared: %s", error)
        return 1
    trainer = Trainer(plan, Path("weights"), False, len(specs))
    gains = list(
        completed(trainer, specs, arguments.cores, lambda spec: gains_with_rate(trainer, spec))
    )
    print(table(gains))
    return int(any(found is None for _, found in gains))


if __name__ == "__main__":
    sys.exit(main())
