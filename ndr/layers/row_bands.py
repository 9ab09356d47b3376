"""Wide features of a few rows at a time, where a whole image of them outgrows the cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BAND_BYTES = 2 * 2**20
"""Of the wide features of a band: about the cache that a core has for itself."""
SMALLEST_BAND = 8
"""Rows: with its neighbours a band computes two rows twice."""


def in_row_bands(
    features: Tensor,
    channels: int,
    widen: Callable[[Tensor], Tensor],
    finish: Callable[[Tensor], Tensor] = lambda wide: wide,
) -> Tensor:
    """`finish(widen(features))`, without gradients on a CPU in bands of rows.

    A network that restores writes and reads its widest features once per layer; an image of them
    does not fit the cache, and memory is slower than the arithmetic. In bands nothing but the
    order of the pixels changes, and no more than a band of wide features is ever held.

    Args:
        features: (B, C, H, W).
        channels: how many `widen` returns.
        widen: (B, C, H, W) -> (B, channels, H, W); a pixel depends on its 3x3 neighbourhood, and
            what is outside of the image counts as the layer's zero padding.
        finish: the same for layers in which a pixel depends on itself alone.

    Returns:
        (B, C', H, W), channels-last in memory where it was put together.
    """
    batch, _, height, breadth = features.shape
    row_bytes = batch * breadth * channels * features.element_size()
    rows = max(SMALLEST_BAND, BAND_BYTES // max(1, row_bytes))
    if rows >= height or torch.is_grad_enabled() or features.device.type != "cpu":
        return finish(widen(features))
    result: Tensor | None = None
    for first in range(0, height, rows):
        above = min(first, 1)
        wide = widen(features[:, :, first - above : first + rows + 1])
        band = finish(wide[:, :, above : above + rows])
        if result is None:
            result = band.new_empty(batch, height, breadth, band.shape[1]).permute(0, 3, 1, 2)
        # While it is in the cache: to put all together at the end would read them once more.
        result[:, :, first : first + rows] = band
    assert result is not None  # see `rows`
    return result
