"""The gate against metrics that get worse: what fails it, what does not, and what it prints."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ndr.metrics.metric import METRICS
from ndr.records.per_image import SeriesKey
from reports.check_regression import CANNOT_COMPARE, FINE, REGRESSION, compare_folders, main
from reports.regression import comparison
from reports.regression.comparison import Verdict
from reports.regression.measured_values import (
    ReferenceError,
    read_reference,
    write_reference,
)
from reports.update_reference import main as update
from tests.conftest import REPOSITORY
from tests.reports.fabricated_results import (
    INPUT,
    NDR,
    NOISE,
    RAIN,
    bind,
    lines_of,
    sha,
    write_evaluation,
    write_lines,
)
from workflows.configuration import names_in
from workflows.targets import reference_runs

ROOT = REPOSITORY
IMAGES = [f"image_{number}" for number in range(12)]
SHOWN = SeriesKey(NOISE, "ndr", "PSNR")

Values = dict[str, dict[str, float]]


def psnr_values(offset: float = 0.0, scatter: float = 0.0) -> Values:
    """PSNR of twelve images on two test sets; `scatter` alternates in sign."""
    return {
        test_set: {
            image: 28.0 + 0.3 * number + offset + scatter * (-1) ** number
            for number, image in enumerate(IMAGES)
        }
        for test_set in (NOISE, RAIN)
    }


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """A reference of a control and of a trained run."""
    old = tmp_path / "old"
    write_evaluation(old, INPUT, psnr_values(-5.0))
    write_evaluation(old, NDR, psnr_values(), training=sha("spec"))
    folder = tmp_path / "reference"
    folder.mkdir()
    (folder / "runs.yaml").write_text(f"- {INPUT}\n- {NDR}\n")
    assert update(["--new", str(old), "--reference", str(folder), "--yes"]) == 0
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """New results, equal to the reference until a test plants something."""
    new = tmp_path / "new"
    write_evaluation(new, INPUT, psnr_values(-5.0))
    write_evaluation(new, NDR, psnr_values(), training=sha("spec"))
    return new


def plant(results: Path, run: str, psnr: Values) -> None:
    write_lines(results, run, lines_of(run, psnr))


def check(results: Path, reference: Path, *more: str) -> int:
    return main(["--new", str(results), "--reference", str(reference), *more])


def verdict(results: Path, reference: Path, run: str = NDR, key: SeriesKey = SHOWN) -> Verdict:
    changes = compare_folders(results, reference).changes
    (found,) = [c.verdict for c in changes if (c.run, c.key) == (run, key)]
    return found


def test_equal_results_pass(results: Path, reference: Path) -> None:
    assert check(results, reference) == FINE
    assert {c.verdict for c in compare_folders(results, reference).changes} == {Verdict.EQUAL}


@pytest.mark.parametrize(
    ("fall", "scatter", "code", "expected"),
    [
        (0.05, 0.0, REGRESSION, Verdict.REGRESSION),
        (0.05, 0.01, REGRESSION, Verdict.REGRESSION),
        (0.05, 0.5, FINE, Verdict.WORSE),  # beyond the floor, but the interval holds zero
        (0.01, 0.0, FINE, Verdict.WITHIN),  # certain, but below the floor
        (-0.05, 0.0, FINE, Verdict.IMPROVED),
        (-0.05, 0.5, FINE, Verdict.BETTER),
    ],
)
def test_both_floor_and_interval_decide(
    *, results: Path, reference: Path, fall: float, scatter: float, code: int, expected: Verdict
) -> None:
    plant(results, NDR, psnr_values(-fall, scatter))
    assert verdict(results, reference) is expected
    assert check(results, reference) == code


@pytest.mark.parametrize(("fall", "code"), [(0.0007, REGRESSION), (0.0003, FINE)])
def test_floor_of_ssim(results: Path, reference: Path, fall: float, code: int) -> None:
    lines = lines_of(NDR, psnr_values())
    for line in lines:
        if line[5] == "SSIM":
            line[6] = repr(float(line[6]) - fall)
    write_lines(results, NDR, lines)
    assert check(results, reference) == code


def test_images_of_one_scene_are_one_witness(tmp_path: Path, reference: Path) -> None:
    """Twelve images of one scene give no interval, hence no certainty."""
    new = tmp_path / "scene"
    scenes = {test_set: dict.fromkeys(IMAGES, "one") for test_set in (NOISE, RAIN)}
    write_reference(reference, dataclasses.replace(read_reference(reference), scenes=scenes))
    write_evaluation(new, INPUT, psnr_values(-5.0))
    write_evaluation(new, NDR, psnr_values(-0.05), training=sha("spec"))
    assert verdict(new, reference) is Verdict.WORSE


@pytest.mark.parametrize("offset", [-0.001, 0.001, 0.00001])
def test_untrained_numbers_are_exact_in_both_directions(
    results: Path, reference: Path, offset: float
) -> None:
    plant(results, INPUT, psnr_values(-5.0 + offset))
    assert verdict(results, reference, INPUT) is Verdict.CHANGED
    assert check(results, reference) == REGRESSION


def test_untrained_numbers_may_differ_by_the_last_stored_digit(
    results: Path, reference: Path
) -> None:
    plant(results, INPUT, psnr_values(-5.0 + 1e-6))
    assert check(results, reference) == FINE


def test_exact_copy_stays_exact(tmp_path: Path, results: Path, reference: Path) -> None:
    infinite = {NOISE: dict.fromkeys(IMAGES, float("inf"))}
    old = tmp_path / "old"
    for folder in (old, results):
        write_evaluation(folder, INPUT, infinite)
    assert update(["--new", str(old), "--reference", str(reference), "--yes"]) == 0
    assert check(results, reference) == FINE
    plant(results, INPUT, {NOISE: {**infinite[NOISE], IMAGES[3]: 90.0}})
    assert check(results, reference) == REGRESSION


def test_missing_cells_cannot_be_compared_unless_allowed(
    results: Path, reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = psnr_values()
    del values[RAIN]
    plant(results, NDR, values)
    assert check(results, reference) == CANNOT_COMPARE
    assert f"In the reference only: {NDR} (4 cells)" in capsys.readouterr().out
    assert check(results, reference, "--partial") == FINE
    # What is there still has to be good.
    plant(results, NDR, {NOISE: psnr_values(-0.05)[NOISE]})
    assert check(results, reference, "--partial") == REGRESSION


def test_nothing_to_compare_is_no_success(tmp_path: Path, reference: Path) -> None:
    other = tmp_path / "other"
    write_evaluation(other, "nafnet__derain__seed_0", psnr_values())
    assert check(other, reference, "--partial") == CANNOT_COMPARE


def test_new_cells_and_runs_are_reported(
    results: Path, reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = psnr_values()
    plant(results, NDR, {**values, "photographs_haze": values[NOISE]})
    write_evaluation(results, "nafnet__derain__seed_0", values)
    assert check(results, reference) == FINE
    output = capsys.readouterr().out
    assert f"In the results only: {NDR} (4 cells)" in output
    assert "1 runs of the results are not in the reference" in output


def test_other_images_cannot_be_compared(results: Path, reference: Path) -> None:
    values = psnr_values()
    values[NOISE]["another"] = values[NOISE].pop(IMAGES[0])
    plant(results, NDR, values)
    assert verdict(results, reference) is Verdict.INCOMPARABLE
    assert check(results, reference, "--partial") == CANNOT_COMPARE


def test_nan_is_named_and_never_averaged(
    results: Path, reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = lines_of(NDR, psnr_values())
    lines[0][6] = "nan"
    write_lines(results, NDR, lines)
    assert check(results, reference) == CANNOT_COMPARE
    assert "the value is NaN" in capsys.readouterr().out


def test_another_training_is_named(
    results: Path, reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_evaluation(results, NDR, psnr_values(), training=sha("another spec"))
    assert check(results, reference) == FINE
    assert f"no surprise: {NDR}" in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["reference.json", "images.csv", "values.csv"])
def test_broken_reference(results: Path, reference: Path, broken: str) -> None:
    (reference / broken).write_text("run\n{")
    assert check(results, reference) == CANNOT_COMPARE
    with pytest.raises(ReferenceError, match="is no reference"):
        read_reference(reference)


def test_absent_results(tmp_path: Path, reference: Path) -> None:
    out = tmp_path / "regression.md"
    assert check(tmp_path / "nowhere", reference, "--out", str(out)) == CANNOT_COMPARE
    assert "is not there" in out.read_text()


def test_markdown_escapes_names_and_holds_the_numbers(
    tmp_path: Path, results: Path, reference: Path
) -> None:
    hostile = "a|b<script>`x`__seed_0"
    for folder, offset in ((tmp_path / "old", 0.0), (results, -0.05)):
        path = folder / "evaluations" / NDR
        write_evaluation(folder, NDR, psnr_values(offset), training=sha("spec"))
        text = (path / "per_image.csv").read_text().replace(NOISE, hostile)
        (path / "per_image.csv").write_text(text)
        bind(path / "per_image.csv")
    assert update(["--new", str(tmp_path / "old"), "--reference", str(reference), "--yes"]) == 0
    out = tmp_path / "regression.md"
    assert check(results, reference, "--out", str(out)) == REGRESSION
    text = out.read_text()
    assert text.startswith("### Metrics: regression\n")
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("| regression ")]
    # PSNR under both protocols on both sets; SSIM falls by 0.05 / 100, which is the floor itself.
    assert len(rows) == 4
    assert all("-0.0500" in row for row in rows)


def test_update_writes_only_when_told(
    results: Path, reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in reference.iterdir()}
    plant(results, NDR, psnr_values(-0.05))
    arguments = ["--new", str(results), "--reference", str(reference)]
    assert update(arguments) == 1  # standard input is no terminal here
    assert "-0.0500" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in reference.iterdir()} == before
    assert update([*arguments, "--yes"]) == 0
    assert check(results, reference) == FINE


def test_update_forgets_no_run(results: Path, reference: Path) -> None:
    (results / "evaluations" / NDR / "per_image.csv").unlink()
    assert update(["--new", str(results), "--reference", str(reference), "--yes"]) == 2
    assert set(read_reference(reference).runs) == {INPUT, NDR}


def test_dvc_shows_the_same_difference(tmp_path: Path, results: Path, reference: Path) -> None:
    """`dvc metrics diff` between a commit and a renewed reference."""
    project = tmp_path / "project"
    stored = project / "reports" / "reference"
    stored.parent.mkdir(parents=True)
    reference.rename(stored)
    (project / "dvc.yaml").write_text("metrics:\n  - reports/reference/metrics.json\n")

    def run(*command: str) -> str:
        return subprocess.run(
            command, cwd=project, check=True, capture_output=True, text=True
        ).stdout

    run("git", "init", "--quiet")
    run(sys.executable, "-m", "dvc", "init", "--quiet")
    run("git", "add", ".")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    run("git", *identity, "commit", "--quiet", "-m", "reference")
    plant(results, NDR, psnr_values(-0.05, 0.01))
    changes = [c for c in compare_folders(results, stored).changes if c.verdict != Verdict.EQUAL]
    assert update(["--new", str(results), "--reference", str(stored), "--yes"]) == 0
    shown = json.loads(run(sys.executable, "-m", "dvc", "metrics", "diff", "--json"))
    by_name = {name: item["diff"] for file in shown.values() for name, item in file.items()}
    expected = {
        f"{c.run}.{c.key.test_set}.{c.key.protocol}.{c.key.metric}": c.difference for c in changes
    }
    assert by_name.keys() == expected.keys()
    assert len(expected) == 8
    np.testing.assert_allclose(
        [by_name[name] for name in expected], list(expected.values()), atol=2e-6
    )


def test_committed_reference_is_whole_and_small() -> None:
    for folder in (ROOT / "reports" / "reference").iterdir():
        assert folder.name in names_in("tiers")
        stored = read_reference(folder)
        assert set(stored.runs) == set(reference_runs(folder))
        assert sum(path.stat().st_size for path in folder.iterdir()) < 300_000
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics == stored.metrics()


def test_where_lower_is_better_a_rise_is_the_regression(
    results: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = dataclasses.replace(METRICS["PSNR"], higher_is_better=False)
    monkeypatch.setattr(comparison, "METRICS", {**METRICS, "PSNR": lower})
    plant(results, NDR, psnr_values(0.05))
    assert verdict(results, reference) is Verdict.REGRESSION
    plant(results, NDR, psnr_values(-0.05))
    assert verdict(results, reference) is Verdict.IMPROVED
