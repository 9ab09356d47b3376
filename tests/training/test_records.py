from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ndr.training.resume_state import Curve, Snapshots, snapshot_steps


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def fill(curve: Curve, steps: range) -> None:
    for step in steps:
        values = {"restore": float(step), "total": 2.0 * step, "gradient_norm": 1 / step}
        if step > 3:
            values["degrade"] = -float(step)
        curve.add(step, 1 / step, values, seconds=step / 10)


def test_a_row_is_the_mean_of_its_interval(tmp_path: Path) -> None:
    curve = Curve(steps=500)  # intervals of 3 steps
    fill(curve, range(1, 501))
    curve.write(tmp_path / "curve.csv")
    rows = read(tmp_path / "curve.csv")
    assert list(rows[0]) == [
        "step", "learning_rate", "restore", "degrade", "total", "gradient_norm", "seconds",
    ]  # fmt: skip
    assert [int(row["step"]) for row in rows] == [*range(3, 500, 3), 500]
    assert float(rows[0]["restore"]) == 2.0
    assert rows[0]["degrade"] == ""
    assert float(rows[1]["degrade"]) == -5.0
    assert float(rows[1]["gradient_norm"]) == pytest.approx((1 / 4 + 1 / 5 + 1 / 6) / 3)
    assert float(rows[-1]["total"]) == 2 * 499.5  # the last interval is shorter
    assert float(rows[-1]["learning_rate"]) == 1 / 500
    assert float(rows[-1]["seconds"]) == 50.0


@pytest.mark.parametrize(("steps", "rows"), [(1, 1), (7, 7), (200, 200), (201, 101), (10**5, 200)])
def test_a_curve_stays_short(steps: int, rows: int, tmp_path: Path) -> None:
    curve = Curve(steps)
    fill(curve, range(1, steps + 1))
    assert len(curve.rows) == rows


def test_a_curve_goes_on_in_the_middle_of_an_interval() -> None:
    whole = Curve(1000)
    fill(whole, range(1, 1001))
    first, second = Curve(1000), Curve(1000)
    fill(first, range(1, 498))
    second.load(first.state())
    fill(second, range(498, 1001))
    assert second.rows == whole.rows


@pytest.mark.parametrize(
    ("steps", "count", "expected"),
    [
        (1000, 5, [0, 1, 10, 100, 1000]),
        (3, 8, [0, 1, 2, 3]),
        (100, 2, [0, 100]),
        (100, 1, [100]),
        (100, 0, []),
        (1, 8, [0, 1]),
    ],
)
def test_snapshots_are_spaced_in_the_logarithm(steps: int, count: int, expected: list[int]) -> None:
    assert snapshot_steps(steps, count) == expected


def test_snapshots_are_copies(tmp_path: Path) -> None:
    snapshots, representation = Snapshots(100, 3), torch.zeros(4, 2)
    for step in range(101):
        representation.fill_(step)
        snapshots.take(step, representation)
    resumed = Snapshots(100, 3)
    resumed.taken = dict(snapshots.taken)
    resumed.write(tmp_path / "d.safetensors")
    found = load_file(tmp_path / "d.safetensors")
    assert found["steps"].tolist() == [0, 1, 100]
    assert found["steps"].dtype == torch.int64
    assert found["D"].shape == (3, 4, 2)
    assert found["D"][:, 0, 0].tolist() == [0, 1, 100]


def test_a_method_without_representation_leaves_empty_snapshots(tmp_path: Path) -> None:
    snapshots = Snapshots(10, 3)
    snapshots.take(0, None)
    snapshots.write(tmp_path / "d.safetensors")
    found = load_file(tmp_path / "d.safetensors")
    assert found["steps"].numel() == found["D"].numel() == 0
