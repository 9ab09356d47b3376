"""One reader of pictures: whoever opens one elsewhere would not see 16 bits, or a damaged file."""

from __future__ import annotations

import re

from tests.conftest import REPOSITORY

OPENING = re.compile(r"\bImage\.open\(|\bimread\(|\bdecode_(?:png|jpeg|image)\(|\bread_image\(")
ROOMS = ("ndr", "baselines", "reports", "workflows")
OWN_BYTES = "ndr/study/clean_views.py"
"""Decodes what it has encoded itself a line before."""


def test_pictures_are_opened_in_one_place() -> None:
    found = {
        path.relative_to(REPOSITORY).as_posix()
        for room in ROOMS
        for path in (REPOSITORY / room).rglob("*.py")
        if OPENING.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"ndr/image_decoding.py", OWN_BYTES}
