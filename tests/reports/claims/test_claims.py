"""Claims on results that are made up, each verdict and each kind."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ndr.metrics.metric import METRICS
from ndr.records.claim_results import ClaimResult
from ndr.records.network_costs import NetworkCost, NetworkCosts
from ndr.records.parameter_counts import ParameterCounts
from ndr.records.representation import RepresentationFile
from ndr.records.table_result import TableResult
from ndr.specs.typed_file import SpecError
from reports.analysis.bootstrap import Sample
from reports.analysis.evidence import Comparisons, evidence
from reports.claims import measurement, parts
from reports.claims.specs import (
    Change,
    Claim,
    Comparison,
    Count,
    Diminishing,
    Share,
    Study,
    TextNumber,
    Timing,
    TrainedSystem,
)
from reports.claims.verdicts import combined, decided_words, paper_word, part_verdict
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.claims.fabricated_claims import (
    BLOCK,
    FULL,
    IMAGES,
    SETS,
    SPREAD_MEAN,
    everywhere,
    judge,
    table_9,
    table_10,
    table_14,
    table_checkpoints,
    values,
)
from tests.reports.fabricated_report import COUNTS, VARIANT
from tests.reports.fabricated_representation import content as representation_content
from tests.reports.fabricated_results import HAZE, NOISE, RAIN

DQ, DI, CP = "NDR-Restore(no_DQ)", "NDR-Restore(no_DI)", "NDR-Restore(no_CP)"


def made_claim(**content: Any) -> Claim:
    return Claim("claim", "A sentence.", "Table X", '"Words" of the paper.', **content)


def without_dq(columns: tuple[str, ...] = ("SOTS",), **facts: Any) -> Claim:
    facts = {"table": "table_10", "blocks": (BLOCK,), "against": (DQ,), "columns": columns} | facts
    return made_claim(compare=(Comparison(**facts),))


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
    assert (part.images, part.scenes, part.trainings) == (16, 16, 1)
    assert part.paper == pytest.approx(28.64 - 28.15)
    assert part.in_paper == "holds"
    assert part.paper_gap == ("above" if gain < 0.4 else "below")
    assert claim.quote == '"Words" of the paper.'
    assert claim.tables == ("table_10",)


@pytest.mark.parametrize(("gain", "verdict"), [(0.5, "reproduced"), (-0.5, "not reproduced")])
def test_rows_of_a_table_that_the_paper_lacks_are_known_by_their_labels(
    tmp_path: Path, gain: float, verdict: str
) -> None:
    facts: dict[str, Any] = {"method": "half", "against": ("the end",), "columns": ("SOTS",)}
    claim = without_dq(table="table_checkpoints", **facts)
    found = judge(claim, [table_checkpoints(tmp_path, gain)], tmp_path)
    assert found.verdict == verdict
    (part,) = found.parts
    assert part.estimate == pytest.approx(gain + SPREAD_MEAN)
    assert (part.paper, part.in_paper) == (None, "")
    elsewhere = judge(claim, [table_10(tmp_path, {})], tmp_path)
    assert elsewhere.parts[0].reason == "table_checkpoints is not among the tables of this report"


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
    assert part.in_paper == "does not hold"


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [(0.9, "reproduced"), (0.7, "undecided"), (0.5, "not reproduced")],
)
def test_a_margin_must_be_passed_by_the_whole_interval(
    tmp_path: Path, gain: float, verdict: str
) -> None:
    claim = judged(tmp_path, gain, without_dq(margin=0.7))
    assert claim.verdict == verdict
    assert claim.parts[0].bound == 0.7
    assert claim.in_paper == "does not hold"  # 0.49 dB there


def test_what_does_not_count_decides_nothing(tmp_path: Path) -> None:
    """A gain of 0.015 dB on every image is sure, and is no effect; nor is 0.7 against 0.71."""
    steady = {HAZE: values(0.015, spread=0.01)}
    table = table_10(tmp_path, {"NDR-Restore": steady, DQ: everywhere(0.0)})
    (part,) = judge(without_dq(), [table], tmp_path).parts
    assert part.interval is not None
    assert part.interval[0] > 0
    assert (part.verdict, part.reason) == (
        "undecided",
        "closer than 0.02, the smallest effect that counts",
    )
    (part,) = judge(without_dq(margin=0.03), [table], tmp_path).parts
    assert part.verdict == "undecided"
    assert paper_word(Decimal("0.70"), 0.7, 0.02) == "too close to say"
    haze = Comparison("table_05", (BLOCK,), ("SOTS",), against=("AirNet",), margin=0.7)
    found = judge(made_claim(compare=(haze,)), [table], tmp_path)
    assert (found.parts[0].paper, found.in_paper) == (0.7, "too close to say")


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
    names = tuple("abcdefghij")
    below = Sample(np.array([-0.1, -0.3, -0.2, -0.1, -0.2, 0.02, -0.2, -0.1, 0.05, -0.1]), names)
    found = evidence([(1.0, [below])], [1.0], name="x")
    assert found.p_scenes() < 0.05 < 20 * found.p_scenes()
    assert part_verdict(found, 0.0, 0.02, Comparisons(), 1) == ("not reproduced", "")
    verdict, reason = part_verdict(found, 0.0, 0.02, Comparisons(), 20)
    assert (verdict, reason) == (
        "undecided",
        "below, but one of 20 comparisons strays as far by luck, over 10 scenes",
    )
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
    claim = made_claim(compare=compare)
    # The spread is the same in all rows: differences of systems have none.
    found = judge(claim, [table_9(tmp_path, levels, {})], tmp_path)
    assert [part.estimate for part in found.parts] == pytest.approx([0.4, -0.1, 0.3])
    assert [part.verdict for part in found.parts] == ["reproduced", "not reproduced", "reproduced"]
    assert found.verdict == "not reproduced"
    assert found.parts[0].images == 48
    assert found.parts[0].label == "M = 32, N = 8 over without NDR, average"
    assert found.parts[0].paper == pytest.approx((0.23 + 0.45 + 0.60) / 3)


def test_a_return_diminishes_where_the_first_step_gains_more(tmp_path: Path) -> None:
    systems = tuple(f"NDR-Restore({name})" for name in ("no_NDR", "M=32,N=8", "M=128,N=32"))
    claim = made_claim(diminishing=(Diminishing("table_09", BLOCK, systems),))
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
    found = judge(made_claim(compare=compare), [table], tmp_path)
    assert found.parts[0].estimate == pytest.approx(0.4 * -1.0 + 0.6 * 1.0)
    assert found.parts[0].images == 32
    assert found.parts[0].paper == pytest.approx(0.4 * 0.18 + 0.6 * 0.33)


def test_few_scenes_decide_nothing(tmp_path: Path) -> None:
    levels = {
        "NDR-Restore": {HAZE: values(0.5, "abcde", 1.0)},
        DQ: {HAZE: values(0.0, "abcde")},
    }
    found = judge(without_dq(), [table_10(tmp_path, levels)], tmp_path)
    assert found.verdict == "undecided"
    assert found.parts[0].reason == "5 scenes; fewer than 8 decide nothing"
    assert found.parts[0].estimate == pytest.approx(0.504)


def test_images_of_a_scene_count_as_one(tmp_path: Path) -> None:
    table = table_10(tmp_path, {"NDR-Restore": everywhere(0.5, 1.0), DQ: everywhere(0.0)})
    for run in (FULL, FULL.replace("seed", "use_no_DQ__seed")):
        path = tmp_path / "evaluations" / run / "per_image.csv"
        lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
        lines = [[*line[:3], "scene" if line[2] in "abc" else line[3], *line[4:]] for line in lines]
        made.write_lines(tmp_path, run, lines[1:], lines[0])
    part = judge(without_dq(), [table], tmp_path).parts[0]
    assert (part.images, part.scenes) == (16, 14)


def test_a_slow_method_is_compared_on_the_images_that_it_has(tmp_path: Path) -> None:
    levels = {"NDR-Restore": everywhere(0.5, 1.0), DQ: {HAZE: values(0.0, IMAGES[:7])}}
    part = judge(without_dq(), [table_10(tmp_path, levels)], tmp_path).parts[0]
    assert part.images == 7
    assert part.estimate == pytest.approx(0.5)  # the first seven of the spread cancel
    other = {"NDR-Restore": everywhere(0.5), DQ: {HAZE: {"x": 20.0, "y": 21.0}}}
    found = judge(without_dq(), [table_10(tmp_path / "2", other)], tmp_path / "2")
    assert "no image in common" in found.parts[0].reason


def trained_again(folder: Path, gains: Sequence[float]) -> TableResult:
    """Table X with several trainings: gains of the full network over that without DQ."""
    dq = FULL.replace("seed", "use_dq_false__seed")
    seeds = range(len(gains))
    for seed, gain in zip(seeds, gains, strict=True):
        made.write_trained(folder, FULL.replace("seed_0", f"seed_{seed}"), everywhere(gain, 1.0))
        made.write_trained(folder, dq.replace("seed_0", f"seed_{seed}"), everywhere(0.0))
    rows = [
        dataclasses.replace(
            made.row(run, name, SETS, block=BLOCK),
            other_seeds=tuple(run.replace("seed_0", f"seed_{seed}") for seed in seeds[1:]),
        )
        for run, name in ((FULL, "NDR-Restore"), (dq, DQ))
    ]
    made.write_evaluation(folder, made.INPUT, everywhere(-5.0))
    plan = made.plan(rows, name="table_10", average=False, paper_values="table10.csv")
    return summarise(plan, folder)


@pytest.mark.parametrize(
    ("gains", "verdict", "words"),
    [
        ((0.5,), "reproduced", "reproduced for one training"),
        ((-0.5,), "not reproduced", "not reproduced for one training"),
        ((0.4, 0.8), "reproduced", "reproduced for two trainings"),
        ((0.5, 0.6, 0.7), "reproduced", "reproduced"),
        ((0.1, 0.6, 1.1), "undecided", "undecided"),
    ],
)
def test_a_claim_about_a_method_needs_three_trainings(
    tmp_path: Path, gains: Sequence[float], verdict: str, words: str
) -> None:
    """The images are sure in all of these cases; how much trainings differ, three can tell."""
    found = judge(without_dq(), [trained_again(tmp_path, gains)], tmp_path)
    (part,) = found.parts
    assert part.trainings == found.trainings * (verdict != "undecided") or part.trainings == 3
    assert part.estimate == pytest.approx(sum(gains) / len(gains) + SPREAD_MEAN)
    assert found.verdict == verdict
    assert decided_words(found.verdict, found.trainings) == words
    if len(gains) == 3:
        assert part.interval is not None
        half = 2.776 * np.std(gains, ddof=1) / 2**0.5 * (2 / 3) ** 0.5  # pooled with equal ones
        assert (part.interval[1] - part.interval[0]) / 2 >= half * 0.999


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
    found = judge(made_claim(compare=(haze,)), [table], tmp_path)
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
    exact = dict.fromkeys(IMAGES, math.inf)
    levels = {"NDR-Restore": {HAZE: exact}, DQ: everywhere(0.0)}
    found = judge(without_dq(), [table_10(tmp_path, levels)], tmp_path)
    assert (found.verdict, found.parts[0].reason) == ("undecided", "an infinite value")


def test_a_claim_that_nothing_measures_says_what_would(tmp_path: Path) -> None:
    claim = made_claim(missing="needs\n  checkpoints")
    found = judge(claim, [table_10(tmp_path, {})], tmp_path)
    assert (found.verdict, found.reason) == ("not run", "needs checkpoints")
    assert found.decisive is None


def test_a_change_is_compared_with_another_systems(tmp_path: Path) -> None:
    """AirNet moves by 1 dB between two mixes, the full network by 0.2."""
    rows = []
    for block, airnet, ours in (("noise+rain", 1.0, 0.4), ("rain+haze", 0.0, 0.2)):
        for method, level in (("AirNet", airnet), ("NDR-Restore", ours)):
            run = f"{method.lower().replace('-', '_')}__{block.replace('+', '_')}__seed_0"
            made.write_trained(tmp_path, run, {RAIN: values(level, spread=airnet)})
            rows.append(made.row(run, method, (RAIN,), block=block))
    made.write_evaluation(tmp_path, made.INPUT, everywhere(-5.0))
    table = summarise(made.plan(rows, average=False), tmp_path)
    first, second = (
        [TrainedSystem("table_05", block, method) for block in ("noise+rain", "rain+haze")]
        for method in ("AirNet", "NDR-Restore")
    )
    change = Change("AirNet beyond ours", *first, tuple(second), columns=("Rain100L",))
    (part,) = judge(made_claim(changes=(change,)), [table], tmp_path).parts
    assert part.estimate == pytest.approx(1.0 - 0.2)
    assert part.paper == pytest.approx((38.31 - 32.50) - (38.34 - 35.42))
    assert (part.verdict, part.label) == ("reproduced", "AirNet beyond ours, Rain100L")
    with pytest.raises(SpecError, match="expected two systems, found 1"):
        Change("x", *first, (second[0],))


SECONDS = TextNumber("runtime_64x64", "NDR-Restore", "N_from_8_to_32", "seconds_added_below")
BOTH = tuple(
    TextNumber("runtime_64x64_3090Ti", method, "all", "seconds")
    for method in ("NDR-Restore", "AirNet")
)


def write_costs(folder: Path, seconds: Mapping[str, Sequence[float]]) -> None:
    networks = {
        name: NetworkCost("ndr_restore", {}, tuple(each), 7_610_377)
        for name, each in seconds.items()
    }
    costs = NetworkCosts("smoke", 64, "cpu", "A Processor", networks)
    costs.write(folder / "network_costs.json")


@pytest.mark.parametrize(
    ("added", "verdict"), [(0.0, "reproduced"), (0.0001, "undecided"), (0.01, "not reproduced")]
)
def test_seconds_are_compared_round_by_round(tmp_path: Path, added: float, verdict: str) -> None:
    """The machine slows down by half in between: both networks of a round feel it."""
    base = [0.05 * (1 + 0.5 * (index % 5)) for index in range(12)]
    jitter = [1e-5 * (-1) ** index for index in range(12)]
    longer = [one + added + other for one, other in zip(base, jitter, strict=True)]
    timing = Timing("N = 32", "N = 8", (SECONDS,), at_most=0.0001)
    assert judge(made_claim(timing=timing), [table_10(tmp_path, {})], tmp_path).verdict == "not run"
    write_costs(tmp_path, {"N = 32": longer, "N = 8": base, "AirNet": [0.01] * 12})
    (part,) = judge(made_claim(timing=timing), [table_10(tmp_path, {})], tmp_path).parts
    assert part.verdict == verdict
    assert part.estimate == pytest.approx(added, abs=1e-9)
    assert (part.paper, part.in_paper, part.unit) == (0.0001, "holds", "s")
    assert "64x64 pixels, smoke networks, A Processor" in part.reason
    faster = Timing("N = 32", "AirNet", BOTH)
    (part,) = judge(made_claim(timing=faster), [table_10(tmp_path, {})], tmp_path).parts
    assert (part.verdict, part.in_paper) == ("reproduced", "holds")
    assert part.paper == pytest.approx(0.061 - 0.037)


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
    claim = made_claim(count=Count(("restore",), "first_release", "with_never_used"))
    found = judge(claim, [table_10(tmp_path, {})], tmp_path)
    assert (found.verdict, found.parts[0].paper) == (verdict, 28.4)
    assert reason in found.parts[0].reason
    (tmp_path / "counts.json").write_text("{}", encoding="utf-8")
    damaged = judge(claim, [table_10(tmp_path, {})], tmp_path)
    assert damaged.verdict == "not run"
    assert "delete it and run" in damaged.reason


def test_a_text_that_approximates_is_met_within_a_percent(tmp_path: Path) -> None:
    counted = dataclasses.replace(COUNTS, encoder_and_decoder=26_018_024)
    variant = dataclasses.replace(VARIANT, with_never_used=counted)
    ParameterCounts({"first_release": variant}).write(tmp_path / "counts.json")
    how = ("first_release", "with_never_used")
    for within, verdict in ((None, "not reproduced"), (0.01, "reproduced")):
        count = Count(("encoder_and_decoder",), *how, within)
        found = judge(made_claim(count=count), [table_10(tmp_path, {})], tmp_path)
        assert found.verdict == verdict


def test_shares_of_parameters(tmp_path: Path) -> None:
    counted = dataclasses.replace(COUNTS, restore=100, degrade=40, query_and_injection=20)
    variant = dataclasses.replace(VARIANT, with_never_used=counted)
    ParameterCounts({"first_release": variant}).write(tmp_path / "counts.json")
    how = ("first_release", "with_never_used")
    shares = (Share("degrade", "restore", 1.0, *how),)
    small = Share("query_and_injection", "restore", 0.1, *how)
    table = table_10(tmp_path, {})
    (part,) = judge(made_claim(shares=shares), [table], tmp_path).parts
    assert (part.verdict, part.estimate, part.in_paper) == ("reproduced", 0.4, "holds")
    assert part.paper == pytest.approx(10.70 / 28.4)
    found = judge(made_claim(shares=(*shares, small)), [table], tmp_path)
    assert (found.verdict, found.deciding) == ("not reproduced", 1)
    airnet = Count(("airnet",), *how)
    found = judge(made_claim(count=airnet), [table], tmp_path)
    assert found.parts[0].reason.endswith("network_costs.json is not there")
    write_costs(tmp_path, {"AirNet": [0.1] * 8})
    assert judge(made_claim(count=airnet), [table], tmp_path).verdict == "reproduced"


def test_answers_on_d_are_asked_of_all_trainings(tmp_path: Path) -> None:
    table = table_10(tmp_path, {"NDR-Restore": everywhere(0.0)})
    system = TrainedSystem("table_10", BLOCK, "NDR-Restore")
    claim = made_claim(study=Study(system, ("settles", "restoration_uses_u")))
    missing = judge(claim, [table], tmp_path)
    assert missing.verdict == "not run"
    assert f"{FULL}.json is not there" in missing.reason
    file = RepresentationFile.of_content(representation_content())
    path = tmp_path / "representation" / f"{FULL}.json"
    file.write(path)
    found = judge(claim, [table], tmp_path)
    assert [part.verdict for part in found.parts] == ["undecided", "reproduced"]
    assert found.parts[1].label.startswith("Does the restoration use U?")
    assert (found.parts[1].unit, found.parts[1].trainings) == ("PSNR", 1)
    assert found.tables == ("table_10",)
    path.write_text("{}", encoding="utf-8")
    damaged = judge(claim, [table], tmp_path)
    assert damaged.verdict == "not run"
    assert "no representation file" in damaged.reason
