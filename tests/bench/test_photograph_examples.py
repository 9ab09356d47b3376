"""The README's picture shows the photographs that are there, before and after."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from bench.photograph_examples import (
    CAPTION,
    EXAMPLES,
    GAP,
    OUT,
    PHOTOGRAPHS,
    SIZE,
    part,
    rainy,
    side_by_side,
)


def sources() -> list[Image.Image]:
    """The photographs of the examples before they are restored, in their order."""
    found = []
    for example in EXAMPLES:
        path = PHOTOGRAPHS / example.file
        found.append(Image.open(path) if path.exists() else rainy())
    return found


def test_committed_picture_begins_with_the_photographs_and_shows_them_changed() -> None:
    rows = [(example, image, image) for example, image in zip(EXAMPLES, sources(), strict=True)]
    untouched = np.asarray(side_by_side(rows), dtype=np.float64)
    committed = np.asarray(Image.open(OUT), dtype=np.float64)
    assert committed.shape == untouched.shape
    differences = np.abs(committed - untouched)
    for row in range(len(rows)):
        top = row * (SIZE[1] + CAPTION) + CAPTION
        shown = differences[top : top + SIZE[1] - GAP]
        before, after = shown[:, : SIZE[0]].mean(), shown[:, SIZE[0] + GAP :].mean()
        assert before < 2, f"row {row}: its left side is not the photograph"
        assert after > 1.2 * before, f"row {row}: its right side is what went in"


def test_part_beyond_the_photograph_is_refused() -> None:
    far = dataclasses.replace(EXAMPLES[0], corner=(700, 0))
    with pytest.raises(ValueError, match=r"hazy.jpg ends before \(1500, 600\)"):
        part(sources()[0], far)


def test_origin_of_each_photograph_is_told() -> None:
    page = (PHOTOGRAPHS / "README.md").read_text()
    for path in PHOTOGRAPHS.glob("*.jpg"):
        assert f"| {path.name} |" in page
