"""Before and after side by side, with labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ndr.atomic_file import atomic_path
from ndr.restoration.photo import Photo, to_8_bit

LONGEST_SIDE = 2048
"""Pixels of each half; larger photographs are reduced, or the picture could not be looked at."""
LABELS = ("before", "after")
_GAP = 4
"""Pixels of white between the halves."""


def write_comparison(path: str | Path, before: Photo, after: Photo) -> None:
    """Write a PNG: the photograph as read at the left, restored at the right.

    The smaller one is enlarged (bicubic) where the method enlarges. Transparency is not shown.

    Args:
        path: ends in `.png`.
        before: as read, upright.
        after: as restored, with the colour profile, which goes into the picture.

    Raises:
        OSError: the disk is full or not writable; the message names `path`.
    """
    reduction = min(1.0, LONGEST_SIDE / max(after.height, after.width))
    size = tuple(max(1, round(reduction * side)) for side in (after.width, after.height))
    halves = [_half(photo, (size[0], size[1])) for photo in (before, after)]
    text = max(12, min(36, size[1] // 16))
    font = ImageFont.load_default(text)
    bar = 2 * text
    mode = halves[0].mode
    white, black = (255, 0) if mode == "L" else ((255,) * 3, (0,) * 3)
    picture = Image.new(mode, (2 * size[0] + _GAP, size[1] + bar), white)
    draw = ImageDraw.Draw(picture)
    for index, (half, label) in enumerate(zip(halves, LABELS, strict=True)):
        left = index * (size[0] + _GAP)
        picture.paste(half, (left, bar))
        draw.text((left + size[0] // 2, bar // 2), label, fill=black, font=font, anchor="mm")
    profile = after.metadata.icc_profile or None
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG", icc_profile=profile)


def _half(photo: Photo, size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(to_8_bit(photo.pixels)))
    if image.size == size:
        return image
    shrinks = size[0] < image.width
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return image.resize(size, method)
