"""Intervals and marks in tables: best, not distinguishable, agreement, seeds, old protocols."""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path

import numpy as np
import pytest

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.table_result import Cell, Shown, TableResult
from ndr.specs.table_plan import TablePlan
from reports.analysis import quality
from reports.analysis.bootstrap import Sample, mean_interval, weighted_interval
from reports.analysis.evidence import evidence
from reports.summarise import summarise
from reports.tables import row_results
from reports.tables.markdown_export import table_markdown
from reports.tables.marks import agreement
from reports.tables.tex_export import table_tex
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import INPUT, NAFNET, NDR, NOISE, RAIN

AIRNET = "airnet__noise_rain__seed_0"
IMAGES = [f"{index:02d}" for index in range(20)]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results" / "quick"


def values(offset: float, spread: float = 0.0, seed: int = 0) -> dict[str, float]:
    """PSNR of 20 images: a difficulty that all methods share, an offset, and own noise."""
    difficulty = np.random.default_rng(99).normal(30.0, 3.0, len(IMAGES))
    own = np.random.default_rng(seed).normal(0.0, 1.0, len(IMAGES))
    own -= own.mean()
    return dict(zip(IMAGES, (difficulty + offset + spread * own).tolist(), strict=True))


def write(results: Path, offsets: dict[str, tuple[float, float]]) -> None:
    made.write_evaluation(results, INPUT, {NOISE: values(-9), RAIN: values(-8)})
    for seed, (run, (offset, spread)) in enumerate(offsets.items()):
        sets = {name: values(offset, spread, 7 * seed + i) for i, name in enumerate((NOISE, RAIN))}
        made.write_trained(results, run, sets)


def three_rows() -> TablePlan:
    rows = [
        made.row(NAFNET, "NAFNet"),
        made.row(AIRNET, "AirNet"),
        made.row(NDR, "NDR-Restore"),
    ]
    return made.plan(rows)


def find(table: TableResult, label: str, column: str) -> Cell:
    (row,) = [row for row in table.blocks[0].rows if row.label == label]
    return next(cell for cell in row.cells if cell.column == column)


def psnr(table: TableResult, label: str, column: str = NOISE) -> Shown:
    return find(table, label, column).shown[0]


def as_sample(series: dict[str, float]) -> Sample:
    return Sample(np.array(list(series.values())), tuple(series))


def test_a_small_but_steady_difference_is_told_and_a_scattered_one_is_not(results: Path) -> None:
    """0.2 dB on every image counts, however much the images differ among themselves."""
    write(results, {NDR: (0.0, 0.0), NAFNET: (-0.2, 0.05), AIRNET: (-0.2, 2.0)})
    table = summarise(three_rows(), results)
    for column in (NOISE, RAIN, t.AVERAGE):
        assert psnr(table, "NDR-Restore", column).from_best == t.BEST
        assert psnr(table, "NAFNet", column).from_best == ""
        assert psnr(table, "AirNet", column).from_best == t.NOT_DISTINGUISHABLE
        assert psnr(table, "Degraded input", column).from_best == ""


def test_two_scenes_distinguish_nothing_in_no_column(results: Path) -> None:
    table = summarise(made.write_standard(results), results)
    for column in (NOISE, RAIN, t.AVERAGE):
        assert psnr(table, "NAFNet", column).from_best == t.NOT_DISTINGUISHABLE


def test_all_pairs_of_the_table_are_counted(results: Path) -> None:
    """Nine scenes give p = 1/256 at least: enough for one comparison, too little among eighteen."""
    nine = IMAGES[:9]
    sets = {name: dict.fromkeys(nine, 20.0) for name in (NOISE, RAIN)}
    made.write_evaluation(results, INPUT, sets)
    for run, offset in ((NDR, 10.0), (NAFNET, 9.0), (AIRNET, 8.0)):
        steady = {
            image: 20 + offset + (-1) ** index * offset / 1000 for index, image in enumerate(nine)
        }
        made.write_trained(results, run, {NOISE: steady, RAIN: steady})
    rows = [made.row(NAFNET, "NAFNet"), made.row(AIRNET, "AirNet"), made.row(NDR, "NDR-Restore")]
    one = dataclasses.replace(
        made.plan([made.row(row.run, row.paper_method, (NOISE,)) for row in rows[::2]]),
        average=False,
        metrics=("PSNR",),
    )
    many = made.plan(rows)
    assert psnr(summarise(one, results), "NAFNet").from_best == ""
    assert psnr(summarise(many, results), "NAFNet").from_best == t.NOT_DISTINGUISHABLE


def test_a_difference_that_does_not_count_is_not_told(results: Path) -> None:
    """0.01 dB on every image is as sure as can be, and no effect."""
    write(results, {NDR: (0.0, 0.0), NAFNET: (-0.01, 0.0005), AIRNET: (-0.03, 0.0005)})
    table = summarise(three_rows(), results)
    assert psnr(table, "NAFNet").from_best == t.NOT_DISTINGUISHABLE
    assert psnr(table, "AirNet").from_best == ""


def test_intervals_are_those_of_the_values_and_clustered_by_scene(results: Path) -> None:
    write(results, {NDR: (0.0, 1.0)})
    plan = made.plan([made.row(NDR, "NDR-Restore")])
    own = [values(0.0, 1.0, i) for i in (0, 1)]
    table = summarise(plan, results)
    expected = mean_interval(as_sample(own[0]), name=NOISE)
    assert expected is not None
    assert psnr(table, "NDR-Restore").interval == (expected.low, expected.high)
    average = weighted_interval([as_sample(one) for one in own], [1, 1], name=t.AVERAGE)
    assert average is not None
    assert psnr(table, "NDR-Restore", t.AVERAGE).interval == (average.low, average.high)
    lines = made.lines_of(NDR, {NOISE: own[0], RAIN: own[1]})
    for line in lines:
        line[3] = f"scene {int(line[2]) // 5}"
    made.write_trained(results, NDR, {NOISE: own[0], RAIN: own[1]}, lines=lines)
    clustered = psnr(summarise(plan, results), "NDR-Restore").interval
    scenes = tuple(f"scene {int(image) // 5}" for image in IMAGES)
    expected = mean_interval(Sample(as_sample(own[0]).values, scenes), name=NOISE)
    assert expected is not None
    assert clustered == (expected.low, expected.high)


def test_an_image_of_two_scenes_is_a_contradiction(results: Path) -> None:
    plan = made.write_standard(results)
    sets = {NOISE: {"a": 30.0, "b": 31.0}, RAIN: {"a": 35.5, "b": 36.0}}
    lines = made.lines_of(NDR, sets)
    lines[1][3] = "another"
    made.write_trained(results, NDR, sets, lines=lines)
    cell = find(summarise(plan, results), "NDR-Restore", NOISE)
    assert cell.status == t.INVALID
    assert "expected scene 'a', found 'another'" in cell.reason


def test_one_scene_has_no_interval_and_that_is_said(results: Path) -> None:
    plan = made.write_standard(results)
    for run in (INPUT, NDR, NAFNET):
        made.write_trained(results, run, {NOISE: {"a": 30.0 + len(run)}, RAIN: {"a": 31.0}})
    table = summarise(plan, results)
    shown = psnr(table, "NDR-Restore")
    assert (shown.interval, shown.agreement, shown.from_best) == (None, t.OFF, t.BEST)
    assert psnr(table, "NAFNet").from_best == t.NOT_DISTINGUISHABLE
    entries = [entry for entry in table.quality if entry.kind == "no_interval"]
    assert {(entry.row, entry.severity) for entry in entries} == {
        ("NDR-Restore", t.NOTE),
        ("NAFNet", t.NOTE),
    }
    assert entries[0].message.startswith("fewer than two scenes")


def test_a_metric_of_medians_has_no_interval(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_median = dataclasses.replace(METRICS["PSNR"], aggregate=statistics.median)
    for module in (row_results, quality):
        monkeypatch.setattr(module, "METRICS", {**METRICS, "PSNR": by_median})
    write(results, {NAFNET: (0.0, 1.0), AIRNET: (-0.5, 1.0), NDR: (1.0, 1.0)})
    table = summarise(three_rows(), results)
    measured = psnr(table, "NAFNet")
    assert measured.value == statistics.median(values(0.0, 1.0, 0).values())
    assert measured.interval is None
    assert psnr(table, "NDR-Restore").from_best == t.BEST
    assert measured.from_best == t.NOT_DISTINGUISHABLE
    assert find(table, "NAFNet", NOISE).shown[1].interval is not None
    assert not [entry for entry in table.quality if entry.kind == "no_interval"]


def test_exact_copies_have_no_interval(results: Path) -> None:
    plan = made.write_standard(results)
    sets = {NOISE: {"a": float("inf"), "b": 30.0}, RAIN: {"a": 35.5, "b": 36.0}}
    made.write_trained(results, NDR, sets)
    table = summarise(plan, results)
    shown = psnr(table, "NDR-Restore")
    assert (shown.infinite, shown.interval, shown.agreement) == (True, None, "")
    # An infinite mean is nobody's best, and a note says where it comes from.
    assert (shown.rank, shown.from_best) == (0, "")
    assert psnr(table, "NAFNet").from_best == ""
    note = "1 of 2 images equal their truth under protocol 'ndr' (infinite PSNR), first a"
    assert any(note in warning for warning in find(table, "NDR-Restore", NOISE).warnings)
    assert psnr(table, "NDR-Restore", t.AVERAGE).interval is None
    assert psnr(table, "NDR-Restore", RAIN).interval is not None


@pytest.mark.parametrize(
    ("metric", "distance", "expected"),
    [
        ("PSNR", 0.0, "close"),
        ("PSNR", -0.1, "close"),
        ("PSNR", 31.1 - 31.0, "close"),
        ("PSNR", 0.11, "off"),
        ("SSIM", 0.005, "close"),
        ("SSIM", 0.006, "off"),
        ("MUSIQ", 1.0, "close"),
    ],
)
def test_agreement_has_documented_limits(metric: str, distance: float, expected: str) -> None:
    assert agreement(metric, distance) == expected


def test_a_wide_interval_over_images_is_no_agreement(results: Path) -> None:
    """The paper tested on these images: what other images would give is not asked."""
    plan = made.write_standard(results)
    made.write_trained(results, NDR, {NOISE: {"a": 31.0, "b": 32.3}, RAIN: {"a": 38.0, "b": 38.6}})
    table = summarise(plan, results)  # the paper prints 31.48 and 38.34
    shown = psnr(table, "NDR-Restore")
    assert shown.interval is not None
    assert shown.interval[0] < 31.48 < shown.interval[1]
    assert shown.agreement == t.OFF
    assert psnr(table, "NDR-Restore", RAIN).agreement == t.CLOSE
    assert psnr(table, "AirNet").agreement == ""


def test_trainings_that_differ_widen_the_agreement() -> None:
    """Ours differ by 0.3 dB: one more of them, as the paper's, may lie farther than 0.1 dB."""
    values = np.array([[30.0, 31.0], [30.3, 31.3], [30.6, 31.6]])
    found = evidence([(1.0, [Sample(values, ("a", "b"))])], [1.0], name="x")
    # 0.1 + t(0.975, 2) * 0.3 * sqrt(1 + 1/3)
    limit = 0.1 + 4.3027 * 0.3 * (4 / 3) ** 0.5
    assert agreement("PSNR", limit - 0.001, found) == "close"
    assert agreement("PSNR", limit + 0.001, found) == "off"
    alone = evidence([(1.0, [Sample(values[0], ("a", "b"))])], [1.0], name="x")
    assert agreement("PSNR", 0.2, alone) == "off"


def test_no_word_is_said_where_the_tier_is_not_comparable(results: Path) -> None:
    plan = dataclasses.replace(made.write_standard(results), comparable_with_paper=False)
    table = summarise(plan, results)
    shown = psnr(table, "NDR-Restore")
    assert (shown.agreement, shown.paper) == ("", 31.48)
    text = table_markdown(table)
    assert "off" not in text
    assert "not comparable with the paper" in text
    assert "not comparable with the paper" in table_tex(table)


def seeded(plan: TablePlan) -> TablePlan:
    """The plan with three seeds of NDR-Restore."""
    seeds = tuple(NDR.replace("seed_0", f"seed_{seed}") for seed in (1, 2))
    rows = [
        dataclasses.replace(row, other_seeds=seeds) if row.run == NDR else row for row in plan.rows
    ]
    return dataclasses.replace(plan, rows=tuple(rows))


def write_seeds(results: Path) -> TablePlan:
    plan = made.write_standard(results)
    for seed in (1, 2):
        offset = 0.3 * seed
        made.write_trained(
            results,
            NDR.replace("seed_0", f"seed_{seed}"),
            {
                NOISE: {"a": 30.0 + offset, "b": 31.0 + offset},
                RAIN: {"a": 35.5, "b": 36.0},
            },
        )
    return seeded(plan)


def test_the_mean_is_over_seeds_and_the_interval_knows_them(results: Path) -> None:
    plan = write_seeds(results)
    table = summarise(plan, results)
    shown = psnr(table, "NDR-Restore")
    assert shown.value == pytest.approx(30.8)  # 30.5, 30.8, 31.1
    assert (shown.seeds, find(table, "NDR-Restore", NOISE).n) == (3, 2)
    values = np.array([[30.0, 31.0], [30.3, 31.3], [30.6, 31.6]])
    expected = evidence([(1.0, [Sample(values, ("a", "b"))])], [1.0], name=NOISE).interval
    assert expected is not None
    assert shown.interval == (expected.low, expected.high)
    assert expected.high - expected.low > 2 * 4.3 * 0.3 / 3**0.5
    assert psnr(table, "NAFNet").seeds == 1
    assert psnr(table, "NDR-Restore", t.AVERAGE).value == pytest.approx((30.8 + 35.75) / 2)
    assert psnr(table, "NDR-Restore", t.AVERAGE).seeds == 3
    (row,) = [row for row in table.blocks[0].rows if row.label == "NDR-Restore"]
    assert [one.run[-1] for one in row.other_seeds] == ["1", "2"]
    assert all(one.training is not None for one in row.other_seeds)


def test_a_missing_seed_leaves_the_cell_open(results: Path) -> None:
    plan = write_seeds(results)
    last = NDR.replace("seed_0", "seed_2")
    (results / "evaluations" / last / "per_image.csv").unlink()
    cell = find(summarise(plan, results), "NDR-Restore", NOISE)
    assert cell.status == t.NOT_RUN
    assert cell.reason.startswith(f"{last}: ")
    assert psnr(summarise(plan, results), "NDR-Restore").value is None


def test_seeds_on_other_images_contradict_each_other(results: Path) -> None:
    plan = write_seeds(results)
    last = NDR.replace("seed_0", "seed_2")
    made.write_trained(results, last, {NOISE: {"a": 30.0, "z": 31.0}, RAIN: {"a": 35.5, "b": 36.0}})
    cell = find(summarise(plan, results), "NDR-Restore", NOISE)
    assert cell.status == t.INVALID
    assert "were evaluated on other images" in cell.reason


def test_an_unfinished_seed_is_listed_under_its_run(results: Path) -> None:
    plan = write_seeds(results)
    last = NDR.replace("seed_0", "seed_2")
    made.write_training(results, last, done=12, planned=20)
    entries = [e for e in summarise(plan, results).quality if e.kind == "unfinished"]
    assert [(entry.run, entry.message) for entry in entries] == [(last, "12 of 20 steps")]


def test_numbers_of_another_protocol_version_are_never_averaged(results: Path) -> None:
    plan = made.write_standard(results)
    sets = {NOISE: {"a": 30.0, "b": 31.0}, RAIN: {"a": 35.5, "b": 36.0}}
    versions = {"ndr": 99, "airnet": 1, "no_reference": 1}
    made.write_trained(results, NDR, sets, protocol_versions=versions)
    made.write_trained(results, NAFNET, sets, protocol_versions={"ndr": 1, "airnet": 99})
    table = summarise(plan, results)
    cell = find(table, "NDR-Restore", NOISE)
    assert cell.status == t.INVALID
    assert "expected version 1 of protocol 'ndr', found 99; delete" in cell.reason
    assert not cell.numbers
    assert [e.severity for e in table.quality if e.kind == "invalid"] == [t.ERROR] * 2
    # Another protocol than the shown one: the shown numbers stand, and the others are named.
    other = find(table, "NAFNet", NOISE)
    assert other.shown[0].value == 30.5
    assert {number.protocol for number in other.numbers} == {"ndr"}
    assert any("version 1 of protocol 'airnet', found 99" in text for text in other.warnings)
