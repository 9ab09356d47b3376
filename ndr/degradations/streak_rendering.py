"""Antialiased drawing of many motion-blurred drops at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEEPEST_SLANT = 60.0
"""Largest angle from vertical, in degrees, that scanning by image rows draws well."""


@dataclass(frozen=True, slots=True)
class Streaks:
    """N streaks in pixels; each field is an (N,) array."""

    x: np.ndarray
    """Column of the middle; pixel (0, 0) covers [0, 1) x [0, 1)."""
    y: np.ndarray
    """Row of the middle."""
    length: np.ndarray
    """Path of the drop's centre during the exposure."""
    width: np.ndarray
    """Diameter of the drop; below one pixel the streak dims in proportion."""
    angle: np.ndarray
    """Degrees from vertical, positive: the lower end is further right."""
    brightness: np.ndarray
    """Value at the middle of a streak of at least two pixels' width."""
    cycles: np.ndarray
    """Oscillations along the whole length."""
    phase: np.ndarray
    """Phase of the oscillation at the middle, in radians."""

    def select(self, chosen: np.ndarray) -> Streaks:
        """The streaks that a mask or an index array picks."""
        return Streaks(*(getattr(self, name)[chosen] for name in Streaks.__slots__))


def _chord_integral(u: np.ndarray) -> np.ndarray:
    """Integral of sqrt(1 - u^2) from 0 to u, for u clipped to [-1, 1]."""
    u = np.clip(u, -1, 1)
    return 0.5 * (u * np.sqrt(1 - u * u) + np.arcsin(u))


def _row_samples(
    streaks: Streaks, height: int, modulation: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut streaks along image rows.

    Returns:
        Per (streak, row): the streak's index, the row, the column of its middle, its brightness.
    """
    slant = np.deg2rad(streaks.angle)
    half = 0.5 * (streaks.length * np.cos(slant) + np.maximum(streaks.width, 1))
    first = np.clip(np.floor(streaks.y - half), 0, height).astype(np.int64)
    last = np.clip(np.ceil(streaks.y + half), 0, height).astype(np.int64)
    rows_of = np.maximum(last - first, 0)
    index = np.repeat(np.arange(len(rows_of)), rows_of)
    start = np.cumsum(rows_of) - rows_of
    row = np.arange(len(index)) - np.repeat(start - first, rows_of)

    def spread(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)[index]

    down = (row + 0.5).astype(np.float32) - spread(streaks.y)
    along = down / spread(np.cos(slant))
    # A disc that moves ends in a ramp as long as its diameter, a pixel at least.
    ramp = (spread(0.5 * streaks.length) - np.abs(along)) / spread(np.maximum(streaks.width, 1))
    brightness = spread(streaks.brightness) * np.clip(ramp + 0.5, 0, 1)
    if modulation:
        turns = along * spread(2 * np.pi * streaks.cycles / streaks.length) + spread(streaks.phase)
        brightness *= 1 + np.float32(modulation) * np.cos(turns)
    return index, row, spread(streaks.x) + down * spread(np.tan(slant)), brightness


def render_streaks(
    streaks: Streaks, height: int, width: int, modulation: float = 0.0
) -> np.ndarray:
    """Draw streaks into an empty picture; where they cross they add up.

    A disc of diameter w that moves along a line covers a point at distance p from the line for a
    time proportional to its chord, sqrt(1 - (2 p / w)^2). Each pixel gets that profile averaged
    over its width, in closed form. So drops thinner than a pixel stay one or two pixels wide and
    dim in proportion to w, and nothing is lost between pixels.

    Args:
        streaks: positions and sizes in pixels, angles up to `STEEPEST_SLANT`.
        height: rows of the picture.
        width: columns of the picture.
        modulation: amplitude of the brightness oscillation along a streak, 0..1.

    Returns:
        float32 (height, width), at least 0, not limited above.

    >>> one = Streaks(*(np.array([v]) for v in (4.0, 5.0, 6.0, 0.5, 0.0, 1.0, 0.0, 0.0)))
    >>> picture = render_streaks(one, 10, 8)
    >>> round(float(picture.sum() / (np.pi / 4 * 0.5 * 6.0)), 3)  # mean chord x width x length
    1.0
    """
    if len(streaks.angle) and np.abs(streaks.angle).max() > STEEPEST_SLANT:
        raise ValueError(f"streaks: expected angles up to {STEEPEST_SLANT} degrees from vertical")
    canvas = np.zeros(height * width, dtype=np.float64)
    across = streaks.width / np.cos(np.deg2rad(streaks.angle))
    columns_needed = np.floor(across).astype(np.int64) + 2
    # Doubling classes: every streak of a class is drawn over the same number of columns.
    columns_needed = 2 ** np.ceil(np.log2(columns_needed)).astype(np.int64)
    for columns in np.unique(columns_needed):
        chosen = columns_needed == columns
        index, row, middle, brightness = _row_samples(streaks.select(chosen), height, modulation)
        radius = (0.5 * across[chosen]).astype(np.float32)[index]
        left = np.floor(middle - radius).astype(np.int64)
        offset = (left - middle) / radius
        edge = _chord_integral(offset)
        for column in range(columns):
            next_edge = _chord_integral(offset + (column + 1) / radius)
            position = left + column
            inside = (position >= 0) & (position < width)
            value = (next_edge - edge) * radius * brightness
            canvas += np.bincount(
                (row * width + position)[inside], value[inside], minlength=height * width
            )
            edge = next_edge
    return canvas.reshape(height, width).astype(np.float32)
