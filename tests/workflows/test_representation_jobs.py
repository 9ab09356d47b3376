"""Which runs' representation is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndr.nearest_name import UnknownNameError
from ndr.specs.typed_file import read_yaml
from workflows.configuration import CONFIG, suite_config
from workflows.report_parts import figure_plan, is_represented, representation_runs
from workflows.suite import Suite

MAIN = "ndr_restore__noise_rain_haze__seed_0"
WITHOUT_LOSS = "ndr_restore__noise_rain_haze__lambda_degrad_0__seed_0"
X2 = "ndr_restore__noise_rain_haze_x2__upscale_pixel_shuffle__seed_0"


def suite(**changes: object) -> Suite:
    return Suite(suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "smoke", **changes}))


def test_the_section_shows_the_runs_of_the_tables_that_are_asked_for() -> None:
    def files(*tables: str) -> list[str]:
        return suite(tables=list(tables)).report_representation

    both = [f"results/smoke/representation/{run}.json" for run in (MAIN, WITHOUT_LOSS)]
    assert files("table_05", "table_11") == both
    assert files("table_05") == both[:1]
    assert files("table_01") == []


@pytest.mark.parametrize("tier", ["smoke", "quick", "small", "paper"])
def test_all_trainings_whose_representation_is_asked_for_are_shipped_whole(tier: str) -> None:
    made = suite(tier=tier, seeds=[0, 1])
    asked = {Path(name).stem for name in made.claims_representation}
    for name in made.plan.all_figures:
        asked |= set(representation_runs(figure_plan(made.plan, name)))
    trainings = [made.plan.evaluations[run].training_run for run in asked]
    assert trainings
    for run in trainings:
        assert run is not None
        assert is_represented(made.plan, made.plan.runs[run])
    others = [run for run in made.plan.runs if "lambda_degrad_3" in run or "__derain__" in run]
    assert others
    assert not any(is_represented(made.plan, made.plan.runs[run]) for run in others)


def test_only_runs_of_figures_leave_their_maps() -> None:
    made = suite()
    assert made.figure_images(MAIN) > 0
    assert made.figure_images(X2) > 0
    assert made.figure_images(WITHOUT_LOSS) == 0
    with pytest.raises(UnknownNameError, match=MAIN):
        made.figure_images(MAIN.replace("haze", "haz"))


def test_the_fingerprint_covers_the_network_and_the_measurements() -> None:
    from ndr.source_fingerprint import imported_modules, source_fingerprint

    modules = imported_modules("ndr.represent", "ndr.network.method")
    assert "ndr.study.recreation" in modules
    assert "ndr.network.ndr_restore" in modules
    expected = source_fingerprint("ndr.represent", "ndr.network.method")
    assert suite().representation_fingerprint(MAIN) == expected
