"""A photograph cut into tiles, and restored tile by tile into whole numbers.

The result equals that of `ndr.evaluation.tiling.restore_in_tiles` up to rounding, but neither the
photograph nor the result exists in floating point: a band of tiles does, as high as one tile.
"""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from ndr.evaluation.tiling import TileGrid, TilingError, blending_weights, tile_grid, tile_starts
from ndr.image_decoding import Samples
from ndr.method import Method, MethodInfo, RestorationError, SideInformation, Tiling

Progress = Callable[[], object]
"""Called after each tile."""


AUTO, WHOLE = "auto", "whole"
WHOLE_PIXELS = {
    Tiling.SUPPORTED: 640 * 512,
    Tiling.DISCOURAGED: 640 * 512,
    Tiling.FORBIDDEN: 1536 * 1024,
}
"""Largest photograph, in pixels of the result, that goes through in one pass on `auto`."""
TILE = 512
"""Side of a tile on `auto`, in pixels of the result. The largest networks need 5 to 10 KB per pixel
(measured: docs/restore.md), so these sizes keep them below 3 GB."""
MEMORY_BYTES = 3e9
"""What a network that needs less per pixel may take too, where tiles change the result."""
MEASURED_SIDE = 256
"""Large enough that what is held once at any size (`ndr.layers.row_bands`) counts little."""
OVERLAP = {Tiling.SUPPORTED: 96, Tiling.DISCOURAGED: 64}
"""Shared pixels on `auto`, of the result. A quarter of them on each side has weight zero: 24 pixels
are more than a network without wide view looks around. One with a wide view differs from tile to
tile whatever they share; there the blending hides the seam."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The tiles along one side of a photograph, in its pixels."""

    starts: list[int]
    weights: list[Tensor]
    """Of each tile: one weight per pixel inside of the photograph."""

    def slice_of(self, index: int) -> slice:
        """Pixels of a tile."""
        return slice(self.starts[index], self.starts[index] + len(self.weights[index]))

    def owned(self, index: int) -> slice:
        """Pixels that lie deeper in this tile than in its neighbours: they share out the side."""
        pixels = self.slice_of(index)
        first, last = pixels.start, pixels.stop
        if index > 0:
            first = (self.slice_of(index - 1).stop + pixels.start) // 2
        if index + 1 < len(self.starts):
            last = (pixels.stop + self.starts[index + 1]) // 2
        return slice(first, last)


@dataclass(frozen=True, slots=True)
class Tiles:
    """All tiles of a photograph, rows first."""

    rows: Axis
    columns: Axis

    @property
    def count(self) -> int:
        """Number of tiles; 1 for one pass over the whole photograph."""
        return len(self.rows.starts) * len(self.columns.starts)


def tiles_of(height: int, width: int, grid: TileGrid | None, method: Method) -> Tiles:
    """Lay the tiles over a photograph.

    As in `restore_in_tiles` they lie on the photograph continued to the sizes that the method
    takes, so that a strided network sees the same grid as on the whole. Here the last tiles are
    cut at the photograph's end, and the method itself continues them.
    """
    return Tiles(*(_axis(length, grid, method) for length in (height, width)))


def _axis(length: int, grid: TileGrid | None, method: Method) -> Axis:
    if grid is None:
        return Axis([0], [torch.ones(length)])
    padded = method.info.sizes.padded(length)
    starts = tile_starts(padded, grid)
    weights = blending_weights(padded, starts, grid)
    return Axis(
        starts, [weight[: length - start] for start, weight in zip(starts, weights, strict=True)]
    )


def tile_tensor(pixels: Samples, rows: slice, columns: slice, device: torch.device) -> Tensor:
    """A part of a photograph as the networks take it: (1, 3, h, w), RGB, in [0, 1].

    Grey is repeated in the three channels.
    """
    part = torch.from_numpy(np.ascontiguousarray(pixels[rows, columns])).to(device).float()
    part = part / np.iinfo(pixels.dtype).max
    if part.ndim == 2:
        part = part[..., None].expand(-1, -1, 3)
    return part.permute(2, 0, 1)[None]


def restore_pixels(
    method: Method,
    pixels: Samples,
    tiles: Tiles,
    device: torch.device,
    *,
    side: SideInformation | None = None,
    progress: Progress = lambda: None,
) -> Samples:
    """Restore a photograph.

    Args:
        method: in evaluation mode, on `device`.
        pixels: (H, W) grey or (H, W, 3) RGB, 8 or 16 bits.
        tiles: from `tiles_of`.
        device: where the method is.
        side: what the method needs beside the pixels.
        progress: called after each tile.

    Returns:
        (scale * H, scale * W[, 3]), of the type of `pixels`, rounded half to even. Grey is the mean
        of the three restored channels.

    Raises:
        RestorationError: the output holds NaN or infinity, or is of another size.
    """
    scale, highest = method.scale, np.iinfo(pixels.dtype).max
    height, width = pixels.shape[:2]
    restored = np.empty((scale * height, scale * width, *pixels.shape[2:]), dtype=pixels.dtype)
    rows, columns = tiles.rows, tiles.columns
    tallest = max(len(weights) for weights in rows.weights)
    band = torch.zeros(
        (1 if pixels.ndim == 2 else 3, scale * tallest, scale * width), dtype=torch.float32
    )
    for row, row_weights in enumerate(rows.weights):
        for column, column_weights in enumerate(columns.weights):
            inside = columns.slice_of(column)
            tile = tile_tensor(pixels, rows.slice_of(row), inside, device)
            output = _restored_tile(method, tile, side)
            if pixels.ndim == 2:
                output = output.mean(dim=0, keepdim=True)
            weights = torch.outer(
                row_weights.repeat_interleave(scale), column_weights.repeat_interleave(scale)
            )
            target = band[:, : scale * len(row_weights), scale * inside.start : scale * inside.stop]
            target += weights * output
            progress()
        # Rows above the next row of tiles are final.
        top = rows.starts[row]
        last = row + 1 == len(rows.starts)
        final = scale * ((height if last else rows.starts[row + 1]) - top)
        for start in range(0, final, 64):  # rounded in pieces, which take little memory
            piece = band[:, start : min(start + 64, final)].clamp(0, 1).mul(highest).round()
            values = piece.permute(1, 2, 0).numpy().astype(pixels.dtype)
            here = slice(scale * top + start, scale * top + start + len(values))
            restored[here] = values.reshape(restored[here].shape)
        band = torch.cat([band[:, final:], torch.zeros_like(band[:, :final])], dim=1)
    return restored


def _restored_tile(method: Method, tile: Tensor, side: SideInformation | None) -> Tensor:
    """(3, scale * h, scale * w) single precision in the machine's memory, checked."""
    if method.restores_together:
        output = next(method.restore_together([("photo", tile[0])]))
    else:
        output = method.restore(tile, side)[0]
    output = output.float().cpu()
    expected = (3, *(method.scale * length for length in tile.shape[-2:]))
    if output.shape != expected:
        raise RestorationError(
            f"{method.info.name}: expected an output of shape {expected}, found "
            f"{tuple(output.shape)}; the scale that the method declares is wrong"
        )
    if not torch.isfinite(output).all():
        advice = "use --precision fp32, or weights of another training"
        if not method.info.trainable:
            advice = "restore this photograph with another method"
        raise RestorationError(f"{method.info.name}: the output holds NaN or infinity; {advice}")
    return output


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
    _need: Callable[[], float] | None = None
    """Bytes per pixel of the photograph, measured where one is too large otherwise."""

    def grid_for(self, height: int, width: int) -> TileGrid | None:
        """Tiles of a photograph of that size, or None for one pass.

        Raises:
            TilingError: the photograph is too large for one pass, and the method forbids tiles;
                or the sizes of the tiles contradict each other.
        """
        if self.whole_pixels is None or height * width <= self.whole_pixels:
            return None
        if self._need is not None:
            affordable, self._need = int(MEMORY_BYTES / self._need()), None
            self.whole_pixels = max(self.whole_pixels, affordable)
            self.tile = max(self.tile, math.isqrt(affordable) // 64 * 64)
            return self.grid_for(height, width)
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


class _HeldBytes(TorchDispatchMode):
    """Follows the memory of the tensors that the operations inside of it make."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._held = 0
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            storage = tensor.untyped_storage() if isinstance(tensor, Tensor) else None
            if storage is not None and storage not in self._known:
                size = storage.nbytes()
                self._known[storage] = size
                weakref.finalize(storage, self._freed, size)
                self._held += size
                self.peak = max(self.peak, self._held)
        return result

    def _freed(self, size: int) -> None:
        self._held -= size


def bytes_per_pixel(method: Method, device: torch.device) -> float:
    """Memory that a network takes per pixel of its input, measured on a small image.

    What kernels take for themselves is not seen: four fifths more cover it (resident memory of
    NDR-Restore, Restormer, NAFNet, MPRNet and AOD-Net, each with images of 1.6 and 2.6 megapixels,
    exceeded what is seen by 22 to 76 %).
    """
    image = torch.full((1, 3, MEASURED_SIDE, MEASURED_SIDE), 0.5, device=device)
    with torch.inference_mode(), _HeldBytes() as held:
        method.restore(image, SideInformation(sigma=25.0))
    return 1.8 * held.peak / MEASURED_SIDE**2


def measured_need(method: Method, device: torch.device) -> Callable[[], float] | None:
    """`bytes_per_pixel` of a network whose tiles change the result, else None."""
    wide = method.info.tiling is Tiling.DISCOURAGED and method.info.trainable
    return functools.partial(bytes_per_pixel, method, device) if wide else None


def chosen_tiles(
    info: MethodInfo,
    scale: int,
    tile: str,
    overlap: int | None,
    need: Callable[[], float] | None = None,
) -> TileChoice:
    """Fix the tiles of a method before the first photograph.

    Args:
        info: the method's declaration.
        scale: side of the result over that of the photograph.
        tile: `auto`, `whole`, or the side of a tile in pixels of the photograph.
        overlap: pixels that neighbouring tiles share; None: chosen on `auto`, else an
            eighth of the tile.
        need: bytes per pixel of the photograph, see `measured_need`; asked for by the first that
            needs tiles on `auto`. A network that looks at all it is given changes with the
            tile, so it gets as much as `MEMORY_BYTES` allow.

    Raises:
        TilingError: a number of pixels for a method that forbids tiles, or contradicting sizes.
    """
    if tile == WHOLE:
        return TileChoice(info, None)
    if tile == AUTO:
        shared = OVERLAP.get(info.tiling, 0) // scale if overlap is None else overlap
        whole = WHOLE_PIXELS[info.tiling] // scale**2
        return TileChoice(info, whole, TILE // scale, shared, _need=need)
    try:
        side = int(tile)
    except ValueError:
        found = f"expected auto, whole, or a number of pixels, found {tile!r}"
        raise TilingError(f"tile: {found}") from None
    shared = side // 8 if overlap is None else overlap
    grid = tile_grid(info, side, shared)
    assert grid is not None
    return TileChoice(info, grid.tile**2, side, shared, grid)
