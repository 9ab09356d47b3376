"""What a protocol or a way to add noise is worth: differences, intervals, order of the methods."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ndr.records.record import ResultFileError
from ndr.specs.table_plan import (
    ComparedNoise,
    ComparedRow,
    ComparedTestSet,
    SensitivityPlan,
)
from reports.analysis.sensitivity import Comparison, Sensitivity, main
from reports.build import environment
from reports.page.sections.sensitivity import sensitivity_section
from tests.reports.fabricated_results import (
    INPUT,
    NAFNET,
    NDR,
    NOISE,
    RAIN,
    lines_of,
    write_evaluation,
    write_trained,
)
from tests.reports.page_elements import parsed

CUT = "ndr_restore__noise_rain__noise_uint8_trunc__seed_0"
CUT_INPUT = "identity__no_training__noise_uint8_trunc__seed_0"


def plan(run: str | None = NDR, reason: str = "") -> SensitivityPlan:
    return SensitivityPlan(
        tier="quick",
        run=run,
        reason=reason,
        label="NDR-Restore",
        input_run=INPUT,
        test_sets=(ComparedTestSet(NOISE, "Noise, sigma = 25"), ComparedTestSet(RAIN, "Rain")),
        metrics=("PSNR", "SSIM"),
        protocols=("ndr", "airnet"),
        noise_in_use="float_clip",
        noise=(ComparedNoise("uint8_trunc", CUT, CUT_INPUT),),
        rows=(ComparedRow("NAFNet", NAFNET), ComparedRow("NDR-Restore", NDR)),
    )


def write_results(results: Path) -> None:
    pictures = {"a": 30.0, "b": 31.0, "c": 32.0}
    write_evaluation(results, INPUT, {NOISE: dict.fromkeys(pictures, 20.0), RAIN: pictures})
    write_trained(results, NDR, {NOISE: pictures, RAIN: pictures})
    write_trained(results, CUT, {NOISE: {"a": 29.5, "b": 30.0, "c": 31.5}})
    write_evaluation(results, CUT_INPUT, {NOISE: dict.fromkeys(pictures, 19.75)})
    # Under `airnet` NAFNet is ahead by noise PSNR alone; under `ndr` it is behind everywhere.
    lines = lines_of(NAFNET, {NOISE: {n: v - 0.5 for n, v in pictures.items()}, RAIN: pictures})
    for line in lines:
        if line[1] == NOISE and line[4:6] == ["airnet", "PSNR"]:
            line[6] = repr(float(line[6]) + 5)
    write_trained(
        results,
        NAFNET,
        {NOISE: pictures, RAIN: {k: v - 1 for k, v in pictures.items()}},
        lines=lines,
    )


@pytest.fixture
def found(tmp_path: Path) -> Sensitivity:
    write_results(tmp_path)
    return Comparison(plan(), tmp_path).result()


def test_differences_are_paired_means(found: Sensitivity) -> None:
    protocol = found.groups[0].choices[0]
    assert protocol.name == "airnet"
    assert [round(cell.difference, 6) for cell in protocol.cells] == [1.0, 0.01, 1.0, 0.01]
    assert protocol.cells[0].interval.low == protocol.cells[0].interval.high == 1.0
    noise = found.groups[1].choices[0]
    assert noise.cells[0].difference == pytest.approx((-0.5 - 1.0 - 0.5) / 3)
    assert -1.0 <= noise.cells[0].interval.low < noise.cells[0].interval.high <= -0.5
    assert noise.cells[2] is None, "rain has no noise to add"
    assert found.groups[2].choices[0].cells[0].difference == -0.25
    assert [one.n for one in found.test_sets] == [3, 3]


def test_pairs_that_change_places_are_counted(found: Sensitivity) -> None:
    order = found.groups[0].choices[0].order
    # One pair on two test sets by two metrics; on rain both methods are equal under both.
    assert (order.pairs, order.changed) == (4, 1)
    assert found.groups[1].choices[0].order is None


def test_other_images_are_not_paired(tmp_path: Path) -> None:
    write_results(tmp_path)
    write_trained(tmp_path, CUT, {NOISE: {"a": 29.5, "d": 30.0, "c": 31.5}})
    found = Comparison(plan(), tmp_path).result()
    assert found.groups[1].choices[0].cells[0] is None


def test_exact_copies_have_no_difference(tmp_path: Path) -> None:
    write_results(tmp_path)
    write_trained(tmp_path, CUT, {NOISE: {"a": math.inf, "b": 30.0, "c": 31.5}})
    assert Comparison(plan(), tmp_path).result().groups[1].choices[0].cells[0] is None


def test_missing_results_are_named(tmp_path: Path) -> None:
    write_results(tmp_path)
    (tmp_path / "evaluations" / CUT / "per_image.csv").unlink()
    found = Comparison(plan(), tmp_path).result()
    assert len(found.problems) == 1
    assert CUT in found.problems[0]
    assert found.groups[1].choices[0].cells[0] is None
    (tmp_path / "evaluations" / NDR / "per_image.csv").unlink()
    found = Comparison(plan(), tmp_path).result()
    assert (found.groups, found.reason) == ((), "the main run has no usable results")


def section_text(path: Path | None) -> str:
    template = environment().get_template("_sensitivity.html.j2")
    html = template.render(sensitivity=sensitivity_section(path))
    return " ".join(parsed(html).text.split())


def test_command_and_section(tmp_path: Path) -> None:
    write_results(tmp_path)
    out = tmp_path / "sensitivity.json"
    arguments = ["--plan-json", plan().canonical_json(), "--results", str(tmp_path)]
    main([*arguments, "--out", str(out)])
    first = out.read_bytes()
    main([*arguments, "--out", str(out)])
    assert out.read_bytes() == first
    text = section_text(out)
    assert "1 of 4 pairs change" in text
    assert "Largest change: +1.00 dB (airnet, Noise, \N{GREEK SMALL LETTER SIGMA} = 25)" in text
    assert "\N{MINUS SIGN}0.67" in text


def test_what_was_not_compared_is_said(tmp_path: Path) -> None:
    assert "was not run" in section_text(None)
    out = tmp_path / "s.json"
    reason = "no table of this configuration asks for the main run"
    given = ["--plan-json", plan(None, reason).canonical_json(), "--results", str(tmp_path)]
    main([*given, "--out", str(out)])
    assert reason in section_text(out)


@pytest.mark.parametrize("text", ["{", '{"schema": 1}', "\xff"])
def test_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ResultFileError, match=r"s\.json .*; delete it and run again"):
        sensitivity_section(path)
