"""The runs that the report turns around, named once: the paper's main run and the controls.

Papers add the same Gaussian noise in four ways (`ndr.specs.run_spec.NOISE_VARIANTS`) and print the
results side by side. What the choice is worth is measured on the main run and its degraded input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ndr.specs.run_spec import NOISE_VARIANTS, UNTRAINED, EvaluationSpec, run_id
from ndr.specs.table_plan import ComparedNoise

METHOD, SETTING = "ndr_restore", "noise_rain_haze"
TABLE = "table_05"
"""The table whose last block is that of the main run."""
INPUT_CONTROLS = {1: "identity", 2: "bicubic"}
"""The method that shows the degraded input, by scale: as it is, or enlarged."""
TRUTH_CONTROL = "oracle"
CONTROLS = (*INPUT_CONTROLS.values(), TRUTH_CONTROL)
"""Methods that bound the others and do not compete with them."""


def main_run(seed: int) -> str:
    """The paper's main model: NDR-Restore on noise, rain and haze."""
    return run_id(METHOD, SETTING, {}, seed)


def main_input(seed: int) -> str:
    """The degraded input of the main run's test sets."""
    return run_id(INPUT_CONTROLS[1], UNTRAINED, {}, seed)


def other_noise(in_use: str, seed: int) -> tuple[ComparedNoise, ...]:
    """The two runs under each noise variant but the one that the configuration uses."""
    return tuple(
        ComparedNoise(
            variant,
            run_id(METHOD, SETTING, {"noise": variant}, seed),
            run_id(INPUT_CONTROLS[1], UNTRAINED, {"noise": variant}, seed),
        )
        for variant in NOISE_VARIANTS
        if variant != in_use
    )


def noise_evaluations(
    evaluations: Mapping[str, EvaluationSpec], in_use: str, seed: int
) -> dict[str, EvaluationSpec]:
    """Evaluations under the other variants, on the noisy test sets of the main run.

    Args:
        evaluations: all others, by run; without the main run's there is nothing to compare.
        in_use: the configuration's variant.
        seed: of the main run.
    """
    main, control = evaluations.get(main_run(seed)), evaluations.get(main_input(seed))
    if main is None or control is None:
        return {}
    names = {test_set.name for test_set in main.test_sets}
    found = {}
    for one in other_noise(in_use, seed):
        for run, spec in ((one.run, main), (one.input_run, control)):
            noisy = tuple(
                dataclasses.replace(t, noise=dataclasses.replace(t.noise, variant=one.variant))
                for t in spec.test_sets
                if t.noise is not None and t.name in names
            )
            if noisy:
                found[run] = dataclasses.replace(
                    spec, run=run, test_sets=noisy, pictures=0, pictures_of=()
                )
    return found
