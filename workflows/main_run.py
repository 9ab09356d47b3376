"""The main run and the degraded input once more, under each other way of adding noise.

Papers add the same Gaussian noise in four ways (`ndr.specs.run_spec.NOISE_VARIANTS`) and print the
results side by side. What the choice is worth is measured here on one network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ndr.specs.run_spec import NOISE_VARIANTS, UNTRAINED, EvaluationSpec, run_id

METHOD, SETTING = "ndr_restore", "noise_rain_haze"
INPUT = "identity"


@dataclass(frozen=True, slots=True)
class NoiseVariantRuns:
    """Ids of the runs under one variant."""

    variant: str
    run: str
    input_run: str


def main_run(seed: int) -> str:
    """The paper's main model: NDR-Restore on noise, rain and haze."""
    return run_id(METHOD, SETTING, {}, seed)


def other_variants(in_use: str, seeds: tuple[int, ...]) -> tuple[NoiseVariantRuns, ...]:
    """Runs under each variant but the one that the suite uses.

    Args:
        in_use: the configuration's variant.
        seeds: the configuration's seeds; the first is taken.
    """
    return tuple(
        NoiseVariantRuns(
            variant,
            run_id(METHOD, SETTING, {"noise": variant}, seeds[0]),
            run_id(INPUT, UNTRAINED, {"noise": variant}, seeds[0]),
        )
        for variant in NOISE_VARIANTS
        if variant != in_use
    )


def variant_evaluations(
    evaluations: Mapping[str, EvaluationSpec], in_use: str, seeds: tuple[int, ...]
) -> dict[str, EvaluationSpec]:
    """Evaluations of the noisy test sets at scale 1; empty where the main run is not planned.

    Args:
        evaluations: all others, by run.
        in_use: the configuration's variant.
        seeds: the configuration's seeds.
    """
    main = evaluations.get(main_run(seeds[0]))
    control = evaluations.get(run_id(INPUT, UNTRAINED, {}, seeds[0]))
    if main is None or control is None:
        return {}
    names = {test_set.name for test_set in main.test_sets}
    found = {}
    for runs in other_variants(in_use, seeds):
        for run, spec in ((runs.run, main), (runs.input_run, control)):
            noisy = tuple(
                dataclasses.replace(
                    test_set, noise=dataclasses.replace(test_set.noise, variant=runs.variant)
                )
                for test_set in spec.test_sets
                if test_set.noise is not None and test_set.name in names
            )
            if noisy:
                found[run] = dataclasses.replace(spec, run=run, test_sets=noisy, pictures=0)
    return found
