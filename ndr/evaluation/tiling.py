"""Restoring an image in overlapping tiles, for images that do not fit into memory in one piece.

Tiling changes what a network with a wide view computes, so it is asked for in the evaluation
spec, refused where the method forbids it, and recorded beside the numbers.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from ndr.method import Method, MethodInfo, SideInformation, Tiling, check_images, pad_by_reflection

logger = logging.getLogger(__name__)


class TilingError(ValueError):
    """Tiles that cannot be used: the method forbids them, or their sizes contradict each other."""


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Size of the tiles, in pixels of the degraded image."""

    tile: int
    """Side of a tile, a multiple of what the method needs."""
    overlap: int
    """Pixels that neighbouring tiles share at least."""
    declared: str
    """What the method says of tiling, `supported` or `discouraged`."""


def tile_grid(info: MethodInfo, tile: int | None, overlap: int) -> TileGrid | None:
    """Check a request for tiles against the method.

    Args:
        info: the method's declaration; tile and overlap are rounded up to its size multiple.
        tile: side in pixels; None: the whole image in one pass.
        overlap: pixels that neighbours share, at most half of the tile.

    Raises:
        TilingError: the method forbids tiles, or the sizes contradict each other.
    """
    if tile is None:
        return None
    if info.tiling is Tiling.FORBIDDEN:
        raise TilingError(
            f"{info.name} needs the whole image and cannot be run in tiles of {tile} pixels; leave "
            "tiles out for this method"
        )
    if info.tiling is Tiling.DISCOURAGED:
        logger.warning(
            "%s uses statistics of the whole image: in tiles of %d pixels its result is another "
            "one; do not mix it with whole-image numbers",
            info.name,
            tile,
        )
    if tile < 1 or overlap < 0:
        raise TilingError(f"expected tile >= 1 and overlap >= 0, found {tile} and {overlap}")
    multiple = info.sizes.multiple_of
    grid = TileGrid(info.sizes.padded(tile), -(-overlap // multiple) * multiple, info.tiling.value)
    if 2 * grid.overlap > grid.tile:
        raise TilingError(
            f"overlap {grid.overlap} is more than half of the tile {grid.tile} (in pixels, rounded "
            f"up to multiples of {multiple}); use larger tiles or a smaller overlap"
        )
    return grid


def tile_starts(length: int, grid: TileGrid) -> list[int]:
    """First pixel of each tile along an axis; the last tile ends with the axis.

    >>> tile_starts(96, TileGrid(tile=40, overlap=8, declared="supported"))
    [0, 32, 56]
    """
    if length <= grid.tile:
        return [0]
    last = length - grid.tile
    return [*range(0, last, grid.tile - grid.overlap), last]


def blending_weights(length: int, starts: list[int], grid: TileGrid) -> list[Tensor]:
    """Weights of the tiles along an axis; at every pixel they sum to one.

    Two neighbours are blended linearly in the middle half of the overlap. The outer quarters,
    where a tile misses the context beyond its end, have weight zero. So a network that looks at
    most overlap / 4 pixels around gives the same image with and without tiles.

    Args:
        length: pixels of the axis.
        starts: see `tile_starts`.
        grid: the sizes.

    Returns:
        One vector of min(tile, length) weights for each tile.
    """
    positions = torch.arange(length, dtype=torch.float64) + 0.5
    ramp = max(grid.overlap / 2, 1.0)
    # A rising step between each pair of neighbours; a tile's weight is the difference of the
    # steps at its two ends, so the sum telescopes to one however many tiles meet.
    steps = [torch.ones_like(positions)]
    for left, right in itertools.pairwise(starts):
        centre = (left + grid.tile + right) / 2
        steps.append(((positions - centre) / ramp + 0.5).clamp(0.0, 1.0))
    steps.append(torch.zeros_like(positions))
    return [
        (steps[index] - steps[index + 1])[start : start + grid.tile].float()
        for index, start in enumerate(starts)
    ]


def restore_in_tiles(
    method: Method, degraded: Tensor, side: SideInformation, grid: TileGrid
) -> Tensor:
    """Restore an image tile by tile; the network's memory depends on the tile, not on the image.

    The image is padded to the method's size multiple first, and tiles start at multiples of it, so
    that strided networks see the same grid as on the whole image. Arguments and result are as for
    `Method.restore`; a clean image in `side` is cut with the tiles.
    """
    check_images(degraded)
    sizes, scale = method.info.sizes, method.scale
    height, width = degraded.shape[-2:]
    degraded = sizes.pad(degraded)
    clean = side.clean
    if clean is not None:
        clean = pad_by_reflection(clean, *(scale * length for length in degraded.shape[-2:]))
    axes = []
    for length in degraded.shape[-2:]:
        starts = tile_starts(length, grid)
        axes.append(list(zip(starts, blending_weights(length, starts, grid), strict=True)))
    blended = degraded.new_zeros(
        *degraded.shape[:2], scale * degraded.shape[-2], scale * degraded.shape[-1]
    )
    for top, row_weights in axes[0]:
        for left, column_weights in axes[1]:
            rows = slice(top, top + len(row_weights))
            columns = slice(left, left + len(column_weights))
            out_rows = slice(scale * rows.start, scale * rows.stop)
            out_columns = slice(scale * columns.start, scale * columns.stop)
            tile_side = SideInformation(
                side.sigma, None if clean is None else clean[..., out_rows, out_columns]
            )
            restored = method.restore(degraded[..., rows, columns], tile_side)
            weights = torch.outer(
                row_weights.repeat_interleave(scale), column_weights.repeat_interleave(scale)
            ).to(blended)
            blended[..., out_rows, out_columns] += weights * restored
    return blended[..., : scale * height, : scale * width]
