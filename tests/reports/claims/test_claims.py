"""Claims on results that are made up, each verdict and each kind."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from ndr.metrics.metric import METRICS
from ndr.records.claim_results import ClaimResult
from ndr.records.parameter_counts import ParameterCounts
from ndr.records.record import ResultFileError
from ndr.records.representation import RepresentationFile, SettlingRow
from reports.analysis.bootstrap import Interval
from reports.claims import measurement, parts
from reports.claims.specs import (
    Claim,
    Comparison,
    Count,
    Diminishing,
    Settling,
    TextNumber,
    Timing,
)
from reports.claims.verdicts import combined, part_verdict, settling_verdict, widened_level
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.claims.fabricated_claims import (
    BLOCK,
    FULL,
    SETS,
    SPREAD_MEAN,
    everywhere,
    judge,
    table_9,
    table_10,
    table_14,
    values,
)
from tests.reports.fabricated_report import COUNTS, VARIANT
from tests.reports.fabricated_representation import content as representation_content
from tests.reports.fabricated_results import HAZE, NOISE, RAIN

DQ, DI, CP = "NDR-Restore(no_DQ)", "NDR-Restore(no_DI)", "NDR-Restore(no_CP)"


def without_dq(columns: tuple[str, ...] = ("SOTS",), **facts: Any) -> Claim:
    facts = {"table": "table_10", "blocks": (BLOCK,), "against": (DQ,), "columns": columns} | facts
    return Claim("claim", "A sentence.", "Table X", compare=(Comparison(**facts),))


def judged(folder: Path, gain: float, claim: Claim) -> ClaimResult:
    """The full network `gain` better than without DQ on every image, but for the spread."""
    levels = {"NDR-Restore": everywhere(gain, 1.0), DQ: everywhere(0.0)}
    return judge(claim, [table_10(folder, levels)], folder)


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.5, "reproduced"), (0.0, "undecided"), (-0.5, "not reproduced")]
)
def test_a_direction_is_judged_by_its_interval(tmp_path: Path, gain: float, verdict: str) -> None:
    claim = judged(tmp_path, gain, without_dq())
    assert claim.verdict == verdict
    (part,) = claim.parts
    assert part.estimate == pytest.approx(gain + SPREAD_MEAN)
    assert part.interval is not None
    low, high = part.interval
    assert low < part.estimate < high
    assert (part.images, part.scenes, part.seeds) == (8, 8, 1)
    assert part.paper == pytest.approx(28.64 - 28.15)
    assert part.holds_in_paper is True
    assert claim.tables == ("table_10",)


def test_where_lower_is_better_the_lower_number_is_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = {**METRICS, "PSNR": dataclasses.replace(METRICS["PSNR"], higher_is_better=False)}
    for module in (measurement, parts):
        monkeypatch.setattr(module, "METRICS", lower)
    (part,) = judged(tmp_path, -0.5, without_dq()).parts
    assert part.verdict == "reproduced"
    assert part.estimate == pytest.approx(0.5 - SPREAD_MEAN)
    assert part.paper == pytest.approx(28.15 - 28.64)
    assert part.holds_in_paper is False


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [(0.9, "reproduced"), (0.7, "undecided"), (0.5, "not reproduced")],
)
def test_a_margin_must_be_passed_by_the_whole_interval(
    tmp_path: Path, gain: float, verdict: str
) -> None:
    claim = judged(tmp_path, gain, without_dq(more_than=0.7))
    assert claim.verdict == verdict
    assert claim.parts[0].bound == 0.7
    assert claim.parts[0].holds_in_paper is False  # 0.49 dB there


def test_margins_include_their_own_value_only_where_the_claim_says_so(tmp_path: Path) -> None:
    haze = {"table": "table_05", "blocks": (BLOCK,), "columns": ("SOTS",), "against": ("AirNet",)}
    table = table_10(tmp_path, {})
    over = Claim("over", "Over 0.7.", "V", compare=(Comparison(**haze, more_than=0.7),))
    least = Claim("least", "At least 0.7.", "V", compare=(Comparison(**haze, at_least=0.7),))
    found = [judge(claim, [table], tmp_path).parts[0] for claim in (over, least)]
    assert [part.paper for part in found] == [0.7, 0.7]
    assert [part.holds_in_paper for part in found] == [False, True]


def test_every_column_must_hold_and_the_weakest_is_shown(tmp_path: Path) -> None:
    full = {NOISE: values(0.5, spread=1), RAIN: values(0.2, spread=1), HAZE: values(0.4, spread=1)}
    table = table_10(tmp_path, {"NDR-Restore": full, DQ: everywhere(0.0)})
    claim = judge(without_dq(("every",)), [table], tmp_path)
    assert claim.verdict == "reproduced"
    assert len(claim.parts) == 3
    assert claim.decisive is not None
    assert claim.decisive.label == "NDR-Restore over without DQ, Rain100L"
    assert (claim.held_in_paper, claim.printed_in_paper) == (3, 3)


def test_one_refuted_column_refutes_and_a_missing_one_leaves_it_open(tmp_path: Path) -> None:
    full = {NOISE: values(0.5, spread=1), RAIN: values(-0.5, spread=1)}
    levels = {"NDR-Restore": full, DQ: {NOISE: values(0.0), RAIN: values(0.0)}}
    table = table_10(tmp_path, levels)
    claim = judge(without_dq(("every",)), [table], tmp_path)
    assert [part.verdict for part in claim.parts] == ["reproduced", "not reproduced", "not run"]
    assert claim.verdict == "not reproduced"
    assert claim.deciding == 1
    open_claim = judge(without_dq(("BSD68_sigma25", "SOTS")), [table], tmp_path)
    assert open_claim.verdict == "not run"
    assert "no test set" in open_claim.parts[1].reason


def test_one_of_many_parts_refutes_only_beyond_what_luck_gives() -> None:
    interval, widened = Interval(-0.30, -0.01), Interval(-0.35, 0.02)
    assert part_verdict(interval, interval, 0.0, False) == "not reproduced"
    assert part_verdict(interval, widened, 0.0, False) == "undecided"
    assert widened_level(10) == pytest.approx(0.995)
    assert combined(["reproduced", "undecided"]) == "undecided"
    assert combined(["undecided", "not run"]) == "not run"
    assert combined(["reproduced", "reproduced"]) == "reproduced"


def test_the_best_of_a_block_is_compared_with_every_other_system(tmp_path: Path) -> None:
    levels = {
        "NDR-Restore": everywhere(0.5, 1.0),
        DQ: everywhere(0.0),
        DI: everywhere(0.6),
        CP: everywhere(0.1),
    }
    claim = without_dq(("SOTS",), against=("others",))
    found = judge(claim, [table_10(tmp_path, levels)], tmp_path)
    assert [part.verdict for part in found.parts] == ["reproduced", "not reproduced", "reproduced"]
    assert found.decisive is not None
    assert "without DI" in found.decisive.label


def test_an_order_is_judged_step_by_step(tmp_path: Path) -> None:
    levels = {"no_NDR": 0.0, "M=32,N=8": 0.4, "M=64,N=32": 0.3, "M=128,N=16": 0.6}
    order = tuple(f"NDR-Restore({name})" for name in levels)
    compare = (Comparison("table_09", (BLOCK,), order=order),)
    claim = Claim("larger", "Larger is better.", "Table IX", compare=compare)
    # The spread is the same in all rows: differences of systems have none.
    found = judge(claim, [table_9(tmp_path, levels, {})], tmp_path)
    assert [part.estimate for part in found.parts] == pytest.approx([0.4, -0.1, 0.3])
    assert [part.verdict for part in found.parts] == ["reproduced", "not reproduced", "reproduced"]
    assert found.verdict == "not reproduced"
    assert found.parts[0].images == 24
    assert found.parts[0].label == "M = 32, N = 8 over without NDR, average"
    assert found.parts[0].paper == pytest.approx((0.23 + 0.45 + 0.60) / 3)


def test_a_return_diminishes_where_the_first_step_gains_more(tmp_path: Path) -> None:
    systems = tuple(f"NDR-Restore({name})" for name in ("no_NDR", "M=32,N=8", "M=128,N=32"))
    claim = Claim("d", "Less.", "Table IX", diminishing=Diminishing("table_09", BLOCK, systems))
    levels = {"no_NDR": 0.0, "M=32,N=8": 0.4, "M=128,N=32": 0.5}
    found = judge(claim, [table_9(tmp_path / "1", levels, {})], tmp_path / "1")
    assert found.parts[0].estimate == pytest.approx(0.4 - 0.1)
    assert found.verdict == "reproduced"
    levels["M=128,N=32"] = 1.2
    found = judge(claim, [table_9(tmp_path / "2", levels, {})], tmp_path / "2")
    assert found.parts[0].estimate == pytest.approx(0.4 - 0.8)
    assert found.verdict == "not reproduced"


def test_an_average_weighs_its_test_sets_as_the_table_does(tmp_path: Path) -> None:
    table = table_14(tmp_path, {"Restormer": (1.0, 0.0), "NDR-Restore": (0.0, 1.0)})
    compare = (Comparison("table_14", ("exposure",), against=("Restormer",)),)
    found = judge(Claim("e", "Best.", "XIV", compare=compare), [table], tmp_path)
    assert found.parts[0].estimate == pytest.approx(0.4 * -1.0 + 0.6 * 1.0)
    assert found.parts[0].images == 16
    assert found.parts[0].paper == pytest.approx(0.4 * 0.18 + 0.6 * 0.33)


def test_few_scenes_decide_nothing(tmp_path: Path) -> None:
    levels = {
        "NDR-Restore": {HAZE: values(0.5, "abcde", 1.0)},
        DQ: {HAZE: values(0.0, "abcde")},
    }
    found = judge(without_dq(), [table_10(tmp_path, levels)], tmp_path)
    assert found.verdict == "undecided"
    assert "5 scenes of a test set; fewer than 6" in found.parts[0].reason
    assert found.parts[0].estimate == pytest.approx(0.504)


def test_images_of_a_scene_count_as_one(tmp_path: Path) -> None:
    table = table_10(tmp_path, {"NDR-Restore": everywhere(0.5, 1.0), DQ: everywhere(0.0)})
    for run in (FULL, FULL.replace("seed", "use_no_DQ__seed")):
        path = tmp_path / "evaluations" / run / "per_image.csv"
        lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
        lines = [[*line[:3], "scene" if line[2] in "abc" else line[3], *line[4:]] for line in lines]
        made.write_lines(tmp_path, run, lines[1:], lines[0])
    part = judge(without_dq(), [table], tmp_path).parts[0]
    assert (part.images, part.scenes) == (8, 6)


def test_a_slow_method_is_compared_on_the_images_that_it_has(tmp_path: Path) -> None:
    levels = {"NDR-Restore": everywhere(0.5, 1.0), DQ: {HAZE: values(0.0, "abcdefg")}}
    part = judge(without_dq(), [table_10(tmp_path, levels)], tmp_path).parts[0]
    assert part.images == 7
    assert part.estimate == pytest.approx(0.5)  # the first seven of the spread cancel
    other = {"NDR-Restore": everywhere(0.5), DQ: {HAZE: {"x": 20.0, "y": 21.0}}}
    found = judge(without_dq(), [table_10(tmp_path / "2", other)], tmp_path / "2")
    assert "no image in common" in found.parts[0].reason


def test_seeds_are_averaged_and_counted(tmp_path: Path) -> None:
    second = FULL.replace("seed_0", "seed_1")
    made.write_trained(tmp_path, FULL, everywhere(0.4, 1.0))
    made.write_trained(tmp_path, second, everywhere(0.8, 1.0))
    dq = FULL.replace("seed", "use_dq_false__seed")
    made.write_trained(tmp_path, dq, everywhere(0.0))
    made.write_trained(tmp_path, dq.replace("seed_0", "seed_1"), everywhere(0.2))
    rows = [
        dataclasses.replace(
            made.row(run, name, SETS, block=BLOCK), other_seeds=(run.replace("seed_0", "seed_1"),)
        )
        for run, name in ((FULL, "NDR-Restore"), (dq, DQ))
    ]
    made.write_evaluation(tmp_path, made.INPUT, everywhere(-5.0))
    plan = made.plan(rows, name="table_10", average=False, paper_values="table10.csv")
    part = judge(without_dq(), [summarise(plan, tmp_path)], tmp_path).parts[0]
    assert part.seeds == 2
    assert part.estimate == pytest.approx((0.4 + 0.6) / 2 + SPREAD_MEAN)


def test_what_was_not_run_says_what_is_missing(tmp_path: Path) -> None:
    table = table_10(tmp_path, {"NDR-Restore": everywhere(0.5)})
    found = judge(without_dq(), [table], tmp_path)
    assert found.verdict == "not run"
    assert "per_image.csv is not there" in found.parts[0].reason
    assert found.parts[0].estimate is None
    other = without_dq(table="table_11", against=("NDR-Restore(lambda=0)",), method=DQ)
    with pytest.raises(ValueError, match=r"unknown method of table11.csv"):
        judge(other, [table], tmp_path)
    haze = Comparison("table_03", ("dehaze",), ("SOTS",), against=("AirNet",))
    found = judge(Claim("h", "Haze.", "III", compare=(haze,)), [table], tmp_path)
    assert found.parts[0].reason == "Table III is not among the tables of this report"
    left_out = made.plan(
        [made.row(None, "NDR-Restore", block=BLOCK)],
        name="table_10",
        average=False,
        paper_values="table10.csv",
    )
    found = judge(without_dq(), [summarise(left_out, tmp_path)], tmp_path)
    assert found.parts[0].reason == "NDR-Restore is left out: not yet in the suite"


def test_infinite_values_decide_nothing(tmp_path: Path) -> None:
    exact = dict.fromkeys("abcdefgh", math.inf)
    levels = {"NDR-Restore": {HAZE: exact}, DQ: everywhere(0.0)}
    found = judge(without_dq(), [table_10(tmp_path, levels)], tmp_path)
    assert (found.verdict, found.parts[0].reason) == ("undecided", "an infinite value")


def test_a_claim_that_nothing_measures_says_what_would(tmp_path: Path) -> None:
    claim = Claim("c", "Earlier is better.", "VII", missing="needs\n  checkpoints")
    found = judge(claim, [table_10(tmp_path, {})], tmp_path)
    assert (found.verdict, found.reason) == ("not run", "needs checkpoints")
    assert found.decisive is None


def timing() -> Claim:
    spec = Timing(
        "table_09",
        BLOCK,
        "NDR-Restore(M=128,N=32)",
        ("NDR-Restore(M=128,N=16)",),
        at_most=1.1,
        tolerance=0.05,
        paper_added=TextNumber(
            "runtime_64x64", "NDR-Restore", "N_from_8_to_32", "seconds_added_below"
        ),
        paper_base=TextNumber("runtime_64x64_3090Ti", "NDR-Restore", "all", "seconds"),
    )
    return Claim("t", "No cost.", "IX", timing=spec)


@pytest.mark.parametrize(
    ("seconds", "restoring", "device", "verdict"),
    [
        (1.0, 60.0, "cpu", "reproduced"),
        (1.1, 60.0, "cpu", "undecided"),
        (1.3, 60.0, "cpu", "not reproduced"),
        (1.0, 2.0, "cpu", "undecided"),
        (1.0, 60.0, "cuda", "undecided"),
        (0.0, 0.0, "cpu", "not run"),
    ],
)
def test_times_are_compared_where_they_can_be(
    tmp_path: Path, seconds: float, restoring: float, device: str, verdict: str
) -> None:
    base = {"seconds_per_megapixel": 1.0, "restore_seconds": 60.0, "device": "cpu"}
    own = {"seconds_per_megapixel": seconds, "restore_seconds": restoring, "device": device}
    levels = {"M=128,N=16": 0.0, "M=128,N=32": 0.0}
    table = table_9(tmp_path, levels, {"M=128,N=16": base, "M=128,N=32": own})
    found = judge(timing(), [table], tmp_path)
    assert found.verdict == verdict
    assert found.parts[0].paper == pytest.approx(1 + 0.0001 / 0.061)
    assert found.parts[0].estimate == (seconds or None)


@pytest.mark.parametrize(
    ("restore", "verdict", "reason"),
    [
        (28_407_819, "reproduced", "first release"),
        (28_351_000, "reproduced", "first release"),
        (28_499_999, "reproduced", "cuts off"),
        (28_500_000, "not reproduced", "first release"),
    ],
)
def test_counts_are_rounded_or_cut_off(
    tmp_path: Path, restore: int, verdict: str, reason: str
) -> None:
    counted = dataclasses.replace(COUNTS, restore=restore)
    variant = dataclasses.replace(VARIANT, with_never_used=counted)
    ParameterCounts({"first_release": variant}).write(tmp_path / "counts.json")
    claim = Claim(
        "n", "Size.", "Text", count=Count(("restore",), "first_release", "with_never_used")
    )
    found = judge(claim, [table_10(tmp_path, {})], tmp_path)
    assert (found.verdict, found.parts[0].paper) == (verdict, 28.4)
    assert reason in found.parts[0].reason
    (tmp_path / "counts.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ResultFileError, match="delete it and run"):
        judge(claim, [table_10(tmp_path, {})], tmp_path)


@pytest.mark.parametrize(
    ("scaled", "walk", "verdict"),
    [
        ([4, 3, 2, 1], [4, 4, 3, 3], "reproduced"),
        ([1, 2, 3, 4], [1, 1, 1, 2], "not reproduced"),
        ([4, 3, 2, 1], [1, 1, 1, 2], "undecided"),
        ([4, 3, 2], [4, 3, 2], "undecided"),
    ],
)
def test_d_settles_where_both_speeds_fall(
    tmp_path: Path, scaled: list[float], walk: list[float], verdict: str
) -> None:
    table = table_10(tmp_path, {"NDR-Restore": everywhere(0.0)})
    claim = Claim("s", "Settles.", "12", settling=Settling("table_10", BLOCK, "NDR-Restore"))
    missing = judge(claim, [table], tmp_path)
    assert missing.verdict == "not run"
    assert f"{FULL}.json is not there" in missing.reason
    rows = tuple(
        SettlingRow(step, step + 1, 1.0, 1.0, *each)
        for step, each in enumerate(zip(scaled, walk, strict=True))
    )
    file = RepresentationFile.of_content(representation_content())
    path = tmp_path / "representation" / f"{FULL}.json"
    dataclasses.replace(file, settling=rows).write(path)
    found = judge(claim, [table], tmp_path)
    assert found.verdict == verdict
    if len(rows) == 4:
        assert found.parts[0].estimate == pytest.approx(sum(scaled[2:]) / sum(scaled[:2]))
        assert found.parts[1].estimate == pytest.approx(sum(walk[2:]) / sum(walk[:2]))
    assert settling_verdict([1.0, 1.0]) == "undecided"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ResultFileError, match="no representation file"):
        judge(claim, [table], tmp_path)
