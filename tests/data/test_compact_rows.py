from __future__ import annotations

import dataclasses
import pickle

import pytest

from ndr.data.manifest import ManifestRow
from ndr.data.pairs import CompactRows

ROWS = tuple(
    ManifestRow(
        f"image-{number}",
        "scène 1",
        f"../a b/{number}.png" if number % 2 else "",
        "degraded/ü.png",
        640 + number,
        480,
        "a" * 64 if number % 2 else "",
        "b" * 64,
        "c" * 64 if number % 2 else "",
        "d" * 64,
        '{"note": "a,\\n\\"b\\""}',
        number,
        7,
    )
    for number in range(5)
)


def test_rows_come_back_as_they_were() -> None:
    rows = CompactRows(ROWS)
    assert len(rows) == 5
    assert tuple(rows) == ROWS
    assert rows[-1] == ROWS[-1]
    assert rows[1:4] == ROWS[1:4]
    assert rows[::-2] == ROWS[::-2]
    assert tuple(pickle.loads(pickle.dumps(rows))) == ROWS
    for index in (5, -6):
        with pytest.raises(IndexError):
            rows[index]


def test_a_separator_in_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'image-0'.*0x1F"):
        CompactRows([dataclasses.replace(ROWS[0], scene="a\x1fb")])
