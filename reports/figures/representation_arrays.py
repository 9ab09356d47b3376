"""Arrays that a run left for figures: what the network holds inside for some test images.

`results/<tier>/representation/<run>.npz` is written by `ndr.represent`; arrays are read one by one
as they are asked for, because the file is large.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ndr.specs.figure_plan import FigurePlan
from reports.figures import style
from reports.figures.image_choice import in_turn
from reports.figures.kind import MissingFigureInput

Array = NDArray[np.float64]
UNREADABLE = (OSError, ValueError, zipfile.BadZipFile)
LOWEST, HIGHEST = 1.0, 99.0
"""Percentiles between which a colour map runs: single pixels would flatten all others."""


@dataclass(frozen=True, slots=True)
class ShownImage:
    """A test image of the file, with the label of its test set."""

    test_set: str
    label: str
    name: str


class RepresentationArrays:
    """The open file of one run."""

    def __init__(self, path: Path, content: NpzFile) -> None:
        self.path = path
        self._content = content

    def _read(self, key: str) -> NDArray[np.generic]:
        try:
            return self._content[key]
        except KeyError as error:
            raise MissingFigureInput(
                self.path, f"it has no array {key!r}; run `python -m ndr.represent` for the run"
            ) from error
        except UNREADABLE as error:
            raise MissingFigureInput(self.path, f"the array {key!r} is damaged: {error}") from error

    def numbers(self, key: str, ndim: int) -> Array:
        """An array of finite numbers.

        Raises:
            MissingFigureInput: it is absent or damaged, has another number of axes, no element, or
                NaN or infinite values.
        """
        values = self._read(key)
        if values.ndim != ndim or not values.size:
            raise MissingFigureInput(
                self.path, f"{key!r}: expected {ndim} axes, found the shape {values.shape}"
            )
        numbers = values.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise MissingFigureInput(self.path, f"{key!r} has NaN or infinite values")
        return numbers

    def picture(self, image: ShownImage, name: str) -> NDArray[np.uint8]:
        """A picture of an image, (H, W, 3): `clean`, `degraded`, `restored` or `recreated`."""
        key = f"{image.test_set}/{image.name}/{name}"
        pixels = self._read(key)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3:
            raise MissingFigureInput(
                self.path,
                f"{key!r}: expected (H, W, 3) in 8 bits, found {pixels.dtype} {pixels.shape}",
            )
        return pixels.astype(np.uint8)

    def maps(self, image: ShownImage, name: str) -> Array:
        """A tensor of an image, (C, h, w), e.g. `affinity_1`."""
        return self.numbers(f"{image.test_set}/{image.name}/{name}", ndim=3)

    def channel_mean(self, image: ShownImage, name: str) -> Array:
        """Mean over the channels of a tensor, (h, w)."""
        return self.maps(image, name).mean(axis=0)

    def images(self, plan: FigurePlan, count: int, array: str) -> list[tuple[ShownImage, ...]]:
        """Images of each of the plan's test sets, from the one whose turn it is (`in_turn`).

        Args:
            plan: names the test sets.
            count: images of each, at most.
            array: what is to be shown of them; most images have some of the arrays only.

        Raises:
            MissingFigureInput: a test set has none with that array.
        """
        found = []
        pairs = zip(plan.test_sets, plan.test_set_labels, strict=True)
        for row, (test_set, label) in enumerate(pairs):
            prefix = f"{test_set}/"
            keys = [key[len(prefix) :] for key in self._content.files if key.startswith(prefix)]
            parts = [key.rpartition("/") for key in keys]
            names = {name for name, _, kept in parts if kept == array}
            if not names:
                has = (
                    f"no image of {test_set} with {array!r}" if keys else f"no image of {test_set}"
                )
                raise MissingFigureInput(self.path, f"it has {has}; evaluate the run on it first")
            chosen = in_turn(names, plan.name, row)[:count]
            found.append(tuple(ShownImage(test_set, label, name) for name in chosen))
        if not found:
            raise MissingFigureInput(self.path, f"{plan.label} names no test set to show")
        return found


@contextmanager
def representation_arrays(plan: FigurePlan, results: Path) -> Iterator[RepresentationArrays]:
    """Open the file of the plan's first row.

    Raises:
        MissingFigureInput: the row has no run, or its file is absent or damaged.
    """
    folder = results / "representation"
    if not plan.rows or plan.rows[0].run is None:
        reason = plan.rows[0].reason if plan.rows else "the figure names no run"
        raise MissingFigureInput(folder, reason or "the run is not part of this tier")
    path = folder / f"{plan.rows[0].run}.npz"
    if not path.is_file():
        raise MissingFigureInput(path, "no such file; run `python -m ndr.represent` for the run")
    try:
        content = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise MissingFigureInput(path, f"it cannot be read as NPZ: {error}") from error
    if not isinstance(content, NpzFile):
        raise MissingFigureInput(path, "it holds a single array, not an NPZ archive")
    with content:
        yield RepresentationArrays(path, content)


def shared_range(maps: list[Array]) -> tuple[float, float]:
    """Ends of a colour map for several maps: percentiles over all their values.

    Equal values get a range around them, so that a constant map has a colour.

    >>> shared_range([np.zeros((2, 2)), np.full((2, 2), 1.0)])
    (0.0, 1.0)
    >>> shared_range([np.full((2, 2), 3.0)])
    (2.5, 3.5)
    """
    values = np.concatenate([each.ravel() for each in maps])
    low, high = (float(end) for end in np.percentile(values, (LOWEST, HIGHEST)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def signed_range(values: Array) -> tuple[tuple[float, float], str]:
    """Ends of a colour map for signed values, and its name.

    The same on both sides of zero; where all values but single ones lie on one side, that side
    alone, so that no half of the colours is wasted.

    >>> signed_range(np.array([[-2.0, 1.0]]))[1] == style.DIVERGING
    True
    >>> signed_range(np.array([[1.0, 3.0]]))[0][0]
    0.0
    """
    low, high = (float(end) for end in np.percentile(values, (LOWEST, HIGHEST)))
    if low > 0:
        return (0.0, high), style.SEQUENTIAL
    if high < 0:
        return (low, 0.0), f"{style.SEQUENTIAL}_r"
    size = float(np.percentile(np.abs(values), HIGHEST)) or 1.0
    return (-size, size), style.DIVERGING
