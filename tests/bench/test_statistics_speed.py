"""The benchmark of the statistics does the work that it times."""

from __future__ import annotations

import pytest

from bench import statistics_speed


def test_a_column_has_the_size_that_is_promised() -> None:
    samples = statistics_speed.column()
    assert (len(samples), len(samples[0].values), len(samples[0].scenes)) == (31, 500, 492)


def test_every_interval_and_comparison_is_computed() -> None:
    assert statistics_speed.statistics(statistics_speed.column()[:3]) == 3 + 2 + 2


def test_a_limit_that_is_not_kept_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(statistics_speed, "METHODS", 2)
    monkeypatch.setattr(statistics_speed, "LIMIT_SECONDS", 0.0)
    assert statistics_speed.main(["--rounds", "1"]) == 1
    assert "10,000 resamples" in capsys.readouterr().out
