"""From config/figures to figure plans: runs that exist, reasons, and what the rules take."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ndr.data.catalogue import load_catalogue
from ndr.method import TIERS
from ndr.nearest_name import UnknownNameError
from ndr.specs.figure_plan import FigurePlan
from ndr.specs.typed_file import SpecError, read_yaml
from workflows import ROOT
from workflows import suite as suite_module
from workflows.configuration import CONFIG, read_figure, suite_config
from workflows.planning import Plan, make_plan
from workflows.report_parts import (
    figure_plan,
    figure_runs,
    figures_of_tables,
    representation_runs,
)
from workflows.suite import Suite

PAPER = [f"figure_{number:02d}" for number in range(1, 17)]
OWN = ["figure_residuals", "figure_scatter", "figure_size", "figure_time"]
NDR = "ndr_restore__noise_rain_haze__seed_0"


class ReadableSets:
    """Identities that are the sets' names."""

    terms = load_catalogue(CONFIG / "datasets.yaml").terms

    def identity(self, name: str, suite_seed: int) -> str:
        return name


def plan(folder: Path = CONFIG, **changes: object) -> Plan:
    content = {"tier": "smoke", "accepted_terms": ["bm3d_non_commercial"], **changes}
    config = suite_config({**read_yaml(CONFIG / "config.yaml"), **content})
    return make_plan(config, ReadableSets(), folder)


@pytest.fixture(scope="module")
def smoke() -> Plan:
    return plan()


@pytest.mark.parametrize("tier", TIERS)
def test_all_figures_resolve_to_runs_that_exist(tier: str) -> None:
    suite = plan(tier=tier, sources="retrained")
    assert list(suite.all_figures) == PAPER + OWN
    assert figures_of_tables(suite, suite.config.tables) == PAPER + OWN
    for name in suite.all_figures:
        figure = figure_plan(suite, name)
        assert (figure.name, figure.tier, figure.paper) == (name, tier, name in PAPER)
        assert FigurePlan.from_json(figure.canonical_json()) == figure
        for run in [row.run for row in figure.rows] + [figure.input_run]:
            assert run in suite.evaluations
        for row in figure.rows:
            scored = {test_set.name for test_set in suite.evaluations[row.run].test_sets}
            assert set(row.test_sets) <= scored
            assert bool(row.test_sets) == bool(figure.test_sets)
        shown = {test_set for row in figure.rows for test_set in row.test_sets}
        assert shown == set(figure.test_sets)  # a row of the figure for each


def test_no_training_is_for_a_figure_alone(smoke: Plan) -> None:
    for name in smoke.all_figures:
        for row in figure_plan(smoke, name).rows:
            training = smoke.evaluations[row.run].training_run
            assert training is None or training in smoke.runs


def test_networks_for_one_task_see_the_others_in_figure_1_alone(smoke: Plan) -> None:
    first = {row.label: row for row in figure_plan(smoke, "figure_01").rows}
    assert len(first["Restormer, denoising"].test_sets) == 3
    seventh = {row.label: row for row in figure_plan(smoke, "figure_07").rows}
    assert seventh["DnCNN"].test_sets == ("smoke_urban_sigma25",)
    assert len(seventh["Restormer"].test_sets) == 3
    assert seventh["Restormer"].setting == "Noise + Rain + Haze"


def test_a_method_that_must_be_told_the_noise_is_spared_other_images(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    path = folder / "figures" / "figure_01.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["rows"].append({"setting": "denoise", "method": "ffdnet"})
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    changed = plan(folder)
    assert figure_plan(changed, "figure_01").rows[-1].test_sets == ("smoke_sigma25",)


def test_controls_have_the_scale_of_the_test_sets(smoke: Plan) -> None:
    assert figure_plan(smoke, "figure_08").input_run == "bicubic__no_training__seed_0"
    assert figure_plan(smoke, "figure_08").truth_run == "oracle__no_training__scale_2__seed_0"
    assert figure_plan(smoke, "figure_07").truth_run == "oracle__no_training__seed_0"
    real = figure_plan(smoke, "figure_09")
    assert real.truth_run == ""
    assert real.caption.endswith(
        "Here: synthetic noise in place of real, synthetic rain in place of real, synthetic haze "
        "in place of real."
    )


def test_left_out_rows_have_a_reason() -> None:
    few = plan(only_methods=["ndr_restore", "nafnet"])
    rows = {row.label: row for row in figure_plan(few, "figure_07").rows}
    assert rows["Restormer"].run is None
    assert rows["Restormer"].reason == "left out by only_methods: ndr_restore, nafnet"
    assert rows["NAFNet"].run == "nafnet__noise_rain_haze__seed_0"


def test_authors_weights_stand_in_where_nothing_is_trained() -> None:
    official = plan(sources=["official_weights"])
    rows = {row.label: row for row in figure_plan(official, "figure_07").rows}
    assert "official_weights" in rows["DnCNN"].run
    tensors = figure_plan(official, "figure_04")
    assert tensors.rows[0].run is None
    assert "retrained" in tensors.rows[0].reason
    assert representation_runs(tensors) == []


def test_a_report_of_few_tables_has_the_figures_it_has_the_runs_for(smoke: Plan) -> None:
    names = figures_of_tables(smoke, ["table_11"])
    assert "figure_04" in names  # of the network that the table trains too
    assert "figure_02" in names  # of no run at all
    assert not {"figure_01", "figure_07", "figure_08", "figure_size"} & set(names)
    trained = {smoke.evaluations[run].training_run for run in smoke.runs_of_table("table_11")}
    for name in names:
        for run in figure_runs(figure_plan(smoke, name)):
            assert smoke.evaluations[run].training_run in trained | {None}


def test_a_report_of_few_tables_asks_for_no_further_authors_weights() -> None:
    official = plan(sources=["official_weights"])
    names = figures_of_tables(official, ["table_03"])
    assert "figure_02" in names
    of_table = set(official.runs_of_table("table_03"))
    for name in names:
        for run in figure_runs(figure_plan(official, name)):
            assert official.evaluations[run].official_weights is None or run in of_table


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"kind": "picture_gird"}, UnknownNameError, "picture_grid"),
        ({"test_sets": ["Rain100H"]}, UnknownNameError, "Rain100L"),
        ({"test_sets": ["Rain100L", "Rain100L_x2"]}, SpecError, "one scale"),
        ({"rows": [{"setting": "denoise", "method": "nafnet"}]}, SpecError, "of a table"),
        ({"captoin": "x"}, SpecError, "'captoin': did you mean 'caption'"),
    ],
)
def test_a_wrong_figure_names_the_nearest_right_one(
    tmp_path: Path, change: dict[str, object], error: type[Exception], words: str
) -> None:
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    path = folder / "figures" / "figure_07.yaml"
    content = {**yaml.safe_load(path.read_text(encoding="utf-8")), **change}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(error, match=words):
        figure_plan(plan(folder), "figure_07")


def test_an_unknown_figure_is_named(smoke: Plan) -> None:
    with pytest.raises(UnknownNameError, match="figure_07"):
        figure_plan(smoke, "figure_7")
    with pytest.raises(UnknownNameError, match="figure_07"):
        read_figure("figure_77")


@pytest.fixture(scope="module")
def suite() -> Suite:
    return Suite(suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "smoke"}))


def test_rules_get_the_files_that_a_kind_needs(suite: Suite) -> None:
    assert suite.figure_inputs("figure_04") == [f"results/smoke/representation/{NDR}.npz"]
    assert suite.figure_inputs("figure_02") == ["results/smoke/network_layout.json"]
    grid = suite.figure_inputs("figure_10")
    truth = "results/smoke/evaluations/oracle__no_training__seed_0"
    assert {f"{truth}/pictures", f"{truth}/per_image.csv"} <= set(grid)
    assert len([name for name in grid if name.endswith("pictures")]) == 4 + 2
    assert len([name for name in grid if name.endswith(".csv")]) == 4 + 2
    plot = suite.figure_inputs("figure_scatter")
    assert len([name for name in plot if name.endswith(".csv")]) == 6  # and the input
    assert not any("pictures" in name for name in plot)


def test_plots_are_drawn_as_svg_too(suite: Suite) -> None:
    assert suite.figures["figure_scatter"].has_svg
    assert not suite.figures["figure_07"].has_svg
    assert suite.report_figures == [f"results/smoke/figures/{name}.json" for name in PAPER + OWN]


def test_code_that_draws_another_kind_does_not_redraw(suite: Suite) -> None:
    marks = {name: suite.figure_fingerprint(name) for name in PAPER + OWN}
    assert marks["figure_07"] == marks["figure_10"] != marks["figure_scatter"]


def test_a_changed_template_redraws_the_drawings(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "reports" / "figures" / "drawings", tmp_path / "figures" / "drawings")
    names = ("figure_02", "figure_04")
    before = [suite.figure_fingerprint(name) for name in names]
    monkeypatch.setattr(suite_module, "REPORTS", tmp_path)
    assert before == [suite.figure_fingerprint(name) for name in names]
    template = tmp_path / "figures" / "drawings" / "system.svg.j2"
    template.write_text(template.read_text(encoding="utf-8") + " ", encoding="utf-8")
    drawing, heatmaps = (suite.figure_fingerprint(name) for name in names)
    assert drawing != before[0]
    assert heatmaps == before[1]


def test_the_drawn_network_is_the_main_run(suite: Suite) -> None:
    assert suite.drawn_network == suite.plan.runs[NDR].canonical_json()
