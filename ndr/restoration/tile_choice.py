"""Whether a photograph is restored in one pass or in tiles, and in which."""

from __future__ import annotations

from dataclasses import dataclass

from ndr.evaluation.tiling import TileGrid, TilingError, tile_grid
from ndr.method import MethodInfo, Tiling

AUTO, WHOLE = "auto", "whole"
WHOLE_PIXELS = {
    Tiling.SUPPORTED: 640 * 512,
    Tiling.DISCOURAGED: 640 * 512,
    Tiling.FORBIDDEN: 1536 * 1024,
}
"""Largest photograph, in pixels of the result, that goes through in one pass on `auto`."""
TILE = 512
"""Side of a tile on `auto`, in pixels of the result. The largest networks need 8 to 10 KB per pixel
(measured: docs/restore.md), so these sizes keep them below 3 GB."""
OVERLAP = {Tiling.SUPPORTED: 96, Tiling.DISCOURAGED: 64}
"""Shared pixels on `auto`, of the result. A quarter of them on each side has weight zero: 24 pixels
are more than a network without wide view looks around. One with a wide view differs from tile to
tile whatever they share; there the blending hides the seam."""


@dataclass(slots=True)
class TileChoice:
    """How large photographs are cut up for one method."""

    info: MethodInfo
    whole_pixels: int | None
    """Photographs of up to this many pixels go through in one pass; None: all of them."""
    tile: int = 0
    """Side of a tile of the others, in pixels of the photograph."""
    overlap: int = 0
    _grid: TileGrid | None = None

    def grid_for(self, height: int, width: int) -> TileGrid | None:
        """Tiles of a photograph of that size, or None for one pass.

        Raises:
            TilingError: the photograph is too large for one pass, and the method forbids tiles;
                or the sizes of the tiles contradict each other.
        """
        if self.whole_pixels is None or height * width <= self.whole_pixels:
            return None
        if self.info.tiling is Tiling.FORBIDDEN:
            raise TilingError(
                f"{self.info.name} needs the whole image and cannot be run in tiles; {width}x"
                f"{height} is more than the {self.whole_pixels / 1e6:.1f} megapixels that are "
                "tried in one pass; pass --tile whole if the memory suffices, or reduce the photo"
            )
        # Made once: it warns where the method discourages tiles.
        if self._grid is None:
            self._grid = tile_grid(self.info, self.tile, self.overlap)
        return self._grid


def chosen_tiles(info: MethodInfo, scale: int, tile: str, overlap: int | None) -> TileChoice:
    """Fix the tiles of a method before the first photograph.

    Args:
        info: the method's declaration.
        scale: side of the result over that of the photograph.
        tile: `auto`, `whole`, or the side of a tile in pixels of the photograph.
        overlap: pixels that neighbouring tiles share; None: chosen on `auto`, else an
            eighth of the tile.

    Raises:
        TilingError: a number of pixels for a method that forbids tiles, or contradicting sizes.
    """
    if tile == WHOLE:
        return TileChoice(info, None)
    if tile == AUTO:
        shared = OVERLAP.get(info.tiling, 0) // scale if overlap is None else overlap
        return TileChoice(info, WHOLE_PIXELS[info.tiling] // scale**2, TILE // scale, shared)
    side = _number(tile)
    shared = side // 8 if overlap is None else overlap
    grid = tile_grid(info, side, shared)
    assert grid is not None
    return TileChoice(info, grid.tile**2, side, shared, grid)


def _number(tile: str) -> int:
    try:
        return int(tile)
    except ValueError:
        raise TilingError(
            f"tile: expected auto, whole, or a number of pixels, found {tile!r}"
        ) from None
