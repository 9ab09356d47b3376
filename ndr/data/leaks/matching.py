"""Which pictures of two sets show the same photograph."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ndr.data.leaks.correlation import MINIMUM_CORRELATION, correlations
from ndr.data.leaks.perceptual_hash import near_pairs, perceptual_hashes
from ndr.data.leaks.scanned_set import ScannedSet
from ndr.data.leaks.thumbnail_cache import ThumbnailCache
from ndr.data.leaks.thumbnails import ORIENTATIONS, flat, oriented

_CANDIDATES_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class PictureIndex:
    """The pictures of a set with thumbnails and hashes; flat ones are left out."""

    pictures: tuple[str, ...]
    """Pixel hashes."""
    thumbnails: np.ndarray
    """uint8 (N, 64, 64)."""
    hashes: np.ndarray
    """uint64 (N, 4)."""


def picture_index(one_set: ScannedSet, cache: ThumbnailCache) -> PictureIndex:
    """Collect what the cache holds of a set; `fill_cache` comes first."""
    thumbnails = np.stack([cache[pixels] for pixels in one_set.pictures])
    pictures = one_set.pictures
    empty = flat(thumbnails)
    if empty.any():  # no copy of all the thumbnails of a large set without need
        thumbnails = thumbnails[~empty]
        pictures = tuple(itertools.compress(pictures, ~empty))
    return PictureIndex(pictures, thumbnails, perceptual_hashes(thumbnails))


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two pictures with different pixels that show the same photograph."""

    first: str
    second: str
    score: float
    orientation: str


def _candidates(first: PictureIndex, second: PictureIndex) -> np.ndarray:
    """Index triples (first, second, orientation) with similar hashes, each pair once or more."""
    turned = oriented(second.thumbnails)
    hashes = perceptual_hashes(turned.reshape(-1, *turned.shape[2:]))
    found = [
        np.stack([rows, columns % len(second.pictures), columns // len(second.pictures)], axis=1)
        for rows, columns in near_pairs(first.hashes, hashes)
    ]
    return np.concatenate(found) if found else np.empty((0, 3), dtype=np.intp)


def similar_pictures(
    first: PictureIndex, second: PictureIndex, minimum: float = MINIMUM_CORRELATION
) -> list[Likeness]:
    """Find near duplicates: similar hashes first, then correlation decides.

    The pictures of `second` are tried in all orientations, because training flips and transposes.
    Pictures with equal pixels are no near duplicates.

    Args:
        first: pictures of a set.
        second: pictures of the other; its orientations are tried, so the smaller one.
        minimum: correlation from which on two pictures count as the same.

    Returns:
        One entry per pair of pictures, with its best orientation, in the order of the sets.
    """
    triples = _candidates(first, second)
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for start in range(0, len(triples), _CANDIDATES_AT_ONCE):
        part = triples[start : start + _CANDIDATES_AT_ONCE]
        scores = correlations(
            first.thumbnails[part[:, 0]],
            oriented(second.thumbnails[part[:, 1]])[part[:, 2], np.arange(len(part))],
        )
        for (one, two, orientation), score in zip(part.tolist(), scores.tolist(), strict=True):
            if score >= minimum and first.pictures[one] != second.pictures[two]:
                known = best.get((one, two), (-1.0, 0))
                best[one, two] = max(known, (score, orientation), key=lambda found: found[0])
    return [
        Likeness(first.pictures[one], second.pictures[two], score, ORIENTATIONS[orientation])
        for (one, two), (score, orientation) in sorted(best.items())
    ]


def groups(count: int, links: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Put together what is linked, directly or over others.

    >>> groups(4, [(0, 2), (2, 3)])
    [[0, 2, 3], [1]]
    """
    leader = list(range(count))

    def find(item: int) -> int:
        while leader[item] != item:
            leader[item] = leader[leader[item]]
            item = leader[item]
        return item

    for one, two in links:
        low, high = sorted((find(one), find(two)))
        leader[high] = low
    members: dict[int, list[int]] = {}
    for item in range(count):
        members.setdefault(find(item), []).append(item)
    return list(members.values())
