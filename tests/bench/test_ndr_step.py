"""The verdicts of the benchmark."""

from __future__ import annotations

import pytest

from bench import ndr_step
from bench.ndr_step import CONTENDERS, verdicts

STRAIGHTFORWARD, FP32, BF16 = (contender.name for contender in CONTENDERS)


@pytest.fixture(autouse=True)
def with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndr_step, "multiplies_bfloat16", lambda: True)


def test_processors_without_bfloat16_need_not_be_faster_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ndr_step, "multiplies_bfloat16", lambda: False)
    rows, within = verdicts("training step, s", {STRAIGHTFORWARD: 10.0, FP32: 7.0, BF16: 9.0})
    assert within
    assert rows[2][4] == ""
    assert not verdicts("training step, s", {STRAIGHTFORWARD: 10.0, FP32: 7.1, BF16: 9.0})[1]


def test_verdicts_compare_with_the_reference() -> None:
    rows, within = verdicts("training step, s", {STRAIGHTFORWARD: 10.0, FP32: 7.0, BF16: 5.0})
    assert within
    assert [row[3] for row in rows] == ["1.00", "0.70", "0.50"]
    rows, within = verdicts("training step, s", {STRAIGHTFORWARD: 10.0, FP32: 7.1, BF16: 5.0})
    assert not within
    assert "MISSED" in rows[1][4]
    assert "holds" in rows[2][4]


def test_memory_has_limits_of_its_own() -> None:
    assert verdicts("peak MiB", {STRAIGHTFORWARD: 100.0, FP32: 85.0, BF16: 50.0})[1]
    assert not verdicts("peak MiB", {STRAIGHTFORWARD: 100.0, FP32: 85.0, BF16: 51.0})[1]
