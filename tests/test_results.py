"""Results as a frame: all rows, the suite's own checks, and the examples of docs/results.md."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ndr.nearest_name import UnknownNameError
from ndr.records.record import ResultFileError
from ndr.results import COLUMNS, load
from tests.conftest import REPOSITORY
from tests.reports.fabricated_results import (
    INPUT,
    NOISE,
    RAIN,
    TRUTH,
    lines_of,
    write_evaluation,
    write_trained,
)

NDR = "ndr_restore__noise_rain_haze__seed_0"
CHANGED = "ndr_restore__noise_rain_haze__N_8__use_dq_false__seed_1"
NAFNET = "nafnet__noise_rain_haze__seed_0"
OFFICIAL = "restormer__official_weights__weights_gaussian__seed_0"
EXAMPLES = re.findall(
    r"```python\n(.*?)```",
    (REPOSITORY / "docs" / "results.md").read_text(encoding="utf-8"),
    flags=re.DOTALL,
)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`results/quick` below the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results") / "quick"
    tasks = {NOISE: "noise", RAIN: "rain"}
    write_evaluation(folder, INPUT, {NOISE: {"0042": 20.0, "b": 21.0}}, tasks={NOISE: "noise"})
    write_evaluation(folder, TRUTH, {NOISE: {"0042": math.inf, "b": math.inf}})
    for run, offset in ((NDR, 0.0), (NAFNET, -1.5), (CHANGED, -1.0)):
        values = {
            NOISE: {"0042": 30.1 + offset, "b": 1 / 3 + 30},
            RAIN: {"a": 35.5 + offset, "b": 36.0},
        }
        write_trained(folder, run, values, tasks=tasks)
    write_evaluation(
        folder, OFFICIAL, {NOISE: {"0042": 31.0, "b": 32.0}}, source="official_weights"
    )
    return folder


def test_one_row_per_number(results: Path) -> None:
    frame = load(results)
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == (3 * 2 + 3 * 4) * 2 * 2  # images x protocols x metrics
    assert not frame.isna().any().any()
    assert frame.attrs["left_out"] == []
    rows = frame[(frame.run == CHANGED) & (frame.image == "0042") & (frame.protocol == "ndr")]
    assert rows[rows.metric == "PSNR"].to_dict("records") == [
        {
            "run": CHANGED,
            "method": "ndr_restore",
            "setting": "noise_rain_haze",
            "changes": "N_8, use_dq_false",
            "seed": 1,
            "source": "retrained",
            "test_set": NOISE,
            "task": "noise",
            "image": "0042",
            "scene": "0042",
            "protocol": "ndr",
            "metric": "PSNR",
            "value": 29.1,
        }
    ]
    assert frame[frame.run == OFFICIAL].source.unique().tolist() == ["official_weights"]
    assert frame[frame.run == INPUT].source.unique().tolist() == ["no_training"]
    assert frame[frame.run == INPUT].changes.unique().tolist() == [""]
    # From before tasks were recorded.
    assert frame[frame.run == TRUTH].task.unique().tolist() == [""]
    assert math.isinf(frame[(frame.run == TRUTH) & (frame.metric == "PSNR")].value.min())
    # Digit by digit what was measured.
    assert (frame.value == 1 / 3 + 30).sum() == 3


def test_some_runs(results: Path) -> None:
    assert load(str(results), runs=[NAFNET]).run.unique().tolist() == [NAFNET]
    with pytest.raises(UnknownNameError, match=f"did you mean '{NAFNET}'"):
        load(results, runs=["nafnet__noise_rain_haze__seed_1"])


def test_no_results(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a folder such as results/quick"):
        load(tmp_path)


def spoil(results: Path, kind: str) -> str:
    """Spoil the evaluation of NAFNet; returns what is said of it."""
    values = {NOISE: {"0042": 30.0, "b": 31.0}}
    lines = lines_of(NAFNET, values)
    match kind:
        case "value":
            lines[1][-1] = "1.5"
            write_evaluation(results, NAFNET, values, lines=lines)
            return "1.5 is no SSIM"
        case "metric":
            lines[1][-2] = "SIMM"
            write_evaluation(results, NAFNET, values, lines=lines)
            return "unknown metric 'SIMM': did you mean 'SSIM'"
        case "protocol":
            versions = {"ndr": 99, "airnet": 1, "no_reference": 1}
            write_evaluation(results, NAFNET, values, protocol_versions=versions)
            return "expected version 1 of protocol 'ndr', found 99"
        case "provenance":
            (results / "evaluations" / NAFNET / "provenance.json").unlink()
            return "no provenance.json"
        case _:
            (results / "evaluations" / NAFNET / "per_image.csv").write_text("run\n")
            return "these are not the values that"


@pytest.mark.parametrize("kind", ["value", "metric", "protocol", "provenance", "file"])
def test_unsound_results_are_an_error_or_left_out(results: Path, kind: str) -> None:
    message = spoil(results, kind)
    with pytest.raises(ResultFileError, match=re.escape(message)) as error:
        load(results)
    assert NAFNET in str(error.value)
    frame = load(results, skip_unsound=True)
    assert not frame.isna().any().any()
    assert any(message in text for text in frame.attrs["left_out"])
    left = frame[frame.run == NAFNET]
    assert len(left) < 8
    assert not ((left.metric == "SSIM") & (left.protocol == "ndr")).any()
    assert NDR in set(frame.run)


def test_what_could_not_be_measured_is_named(results: Path) -> None:
    write_evaluation(results, NAFNET, {}, failures={RAIN: "out of memory"}, lines=[])
    frame = load(results)
    assert frame.attrs["left_out"] == [f"{NAFNET}, {RAIN}: out of memory"]
    assert NAFNET not in set(frame.run)


def test_the_pivot_of_the_documentation(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        len(EXAMPLES[0].strip().splitlines()) == 7
    )  # five lines beside the import and a blank one
    names: dict[str, pd.DataFrame] = {}
    exec(EXAMPLES[0], names)
    table = names["table"]
    assert table.loc["ndr_restore", (NOISE, "PSNR")] == pytest.approx((30.1 + 1 / 3 + 30) / 2)
    assert table.loc["nafnet", (RAIN, "PSNR")] == pytest.approx((34.0 + 36.0) / 2)
    assert "photographs_rain" in capsys.readouterr().out


def test_the_comparison_of_the_documentation(results: Path) -> None:
    names: dict[str, pd.DataFrame] = {}
    exec(EXAMPLES[1], names)
    difference = names["wide"][NDR] - names["wide"][NAFNET]
    assert difference[NOISE].to_dict() == pytest.approx({"0042": 1.5, "b": 0.0})


def test_the_report_starts_without_pandas() -> None:
    program = "import sys, ndr.results, reports.summarise; print('pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
