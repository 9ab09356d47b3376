"""The speed of a core: measured once, kept, and not taken for another machine's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ndr.records.record import ResultFileError
from workflows.estimate import this_machine
from workflows.estimate.this_machine import FILE, known_speed, measure_speed


def test_it_is_measured_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_speed(tmp_path) is None
    monkeypatch.setattr(this_machine, "PRESET", "smoke")
    monkeypatch.setattr(this_machine, "PATCH", 32)
    found = measure_speed(tmp_path, step_over_forward=3)
    assert found.teraflops > 0
    assert known_speed(tmp_path) == found
    assert found.card.label == f"one core of {found.processor}"
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**content, "processor": "another"}))
    assert known_speed(tmp_path) is None
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(ResultFileError, match="--time-here"):
        known_speed(tmp_path)
