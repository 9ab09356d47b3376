"""The verdicts of the benchmark."""

from __future__ import annotations

from bench.ndr_step import CONTENDERS, verdicts

STRAIGHTFORWARD, FP32, BF16 = (contender.name for contender in CONTENDERS)


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
