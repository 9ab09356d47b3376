"""Whether the files of a pair belong together, as far as their pixels tell: warnings alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ndr.data.image_files import FileFacts
from ndr.data.pairing import FoundPair

LEAST_CORRELATION = 0.3
"""Of the thumbnails of a degraded image and its truth. Haze, rain, noise and exposure leave what is
dark and what is bright mostly where it is."""
CLEARLY_BETTER = 0.15
"""By how much another truth has to fit better to be told as a mistake."""
SHOWN = 3
"""Examples in a message."""
_ROWS = 2048
"""Degraded images that are compared at once."""


def _vectors(facts: Sequence[FileFacts]) -> NDArray[np.float32]:
    """Thumbnails without mean, of length one: a product of two is their correlation."""
    values = np.array([np.frombuffer(one.thumbnail, np.uint8) for one in facts], np.float32)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.maximum(lengths, 1.0)


def unlike_pairs(pairs: Sequence[FoundPair], facts: Mapping[Path, FileFacts]) -> Iterator[str]:
    """Pairs that look swapped, or shifted by a place, or unrelated; a line each.

    Only files that were decoded now have thumbnails; what an earlier preparation described, or a
    committed manifest names, was looked at then. Pictures without contrast tell nothing.
    """
    known = [
        pair
        for pair in pairs
        if pair.clean and pair.degraded and all(facts[path].thumbnail for path in pair.files)
    ]
    if not known:
        return
    truths = sorted({pair.clean for pair in known if pair.clean})
    place = {path: number for number, path in enumerate(truths)}
    clean = _vectors([facts[path] for path in truths])
    for start in range(0, len(known), _ROWS):
        part = known[start : start + _ROWS]
        degraded = _vectors([facts[pair.files[1]] for pair in part])
        fits = degraded @ clean.T
        own = np.array([place[pair.files[0]] for pair in part])
        correlation = fits[np.arange(len(part)), own]
        best = fits.argmax(axis=1)
        flat = (np.abs(degraded).max(axis=1) == 0) | (np.abs(clean[own]).max(axis=1) == 0)
        for number, pair in enumerate(part):
            better = float(fits[number, best[number]])
            if flat[number]:
                continue
            if better > correlation[number] + CLEARLY_BETTER:
                yield (
                    f"{pair.files[1]} looks like {truths[best[number]]} (correlation "
                    f"{better:.2f}), not like its partner {pair.files[0]} "
                    f"({correlation[number]:.2f})"
                )
            elif correlation[number] < LEAST_CORRELATION:
                yield (
                    f"{pair.files[1]} does not look like its partner {pair.files[0]} "
                    f"(correlation {correlation[number]:.2f})"
                )


def identical_pairs(pairs: Sequence[FoundPair], facts: Mapping[Path, FileFacts]) -> Iterator[str]:
    """Pairs whose degraded image has the pixels of its truth; a line each."""
    for pair in pairs:
        if pair.clean is None or pair.degraded is None:
            continue
        if facts[pair.clean].pixels_sha256 == facts[pair.degraded].pixels_sha256:
            yield f"{pair.degraded} has the pixels of its truth {pair.clean}: its PSNR is infinite"


def summary(lines: Sequence[str], what: str) -> str:
    """A message of one line about the first of some findings; empty where there are none."""
    if not lines:
        return ""
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"{len(lines)} {what}: {'; '.join(lines[:SHOWN])}{more}"
