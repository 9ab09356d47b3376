"""A photograph cut into blocks of rows with all its channels, for writers of files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ndr.restoration.photo import Photo, Samples

ROWS = 64
"""Rows of a block."""


def row_blocks(photo: Photo) -> Iterator[Samples]:
    """Blocks of `ROWS` rows, (rows, W, C), transparency as the last channel."""
    for start in range(0, photo.height, ROWS):
        rows = slice(start, start + ROWS)
        block = photo.pixels[rows]
        block = block[..., None] if block.ndim == 2 else block
        if photo.alpha is not None:
            block = np.concatenate([block, photo.alpha[rows, :, None]], axis=2)
        yield block


def channel_count(photo: Photo) -> int:
    """1 for grey, 2 with transparency, 3 for RGB, 4 with transparency."""
    return (1 if photo.is_grey else 3) + (photo.alpha is not None)
