"""Where NDR-Restore sees which degradation: U and S at full size as pictures.

U is what the network takes for the degradation (paper, Eq. 2): its norm over the channels says how
much there is. S says which of the N vectors of D each pixel asks for; shown is the one that it asks
for most.
"""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ndr.data.image_files import write_png
from ndr.image_decoding import Samples
from ndr.method import Method
from ndr.photos.photo_reading import PhotoError
from ndr.photos.tile_stream import Progress, Tiles, tile_tensor

_BRIGHTEST = 0.999
"""Quantile of the norm that the brightest colour stands for: single pixels would darken all."""
_GOLDEN_RATIO = 0.6180339887498949


def check_has_maps(method: Method, device: torch.device) -> None:
    """Raise `PhotoError` unless the method forms both U and S."""
    side = max(16, method.info.sizes.minimum)
    tensors = method.figure_tensors(torch.zeros((1, 3, side, side), device=device))
    missing = [name for name in ("degradation_1", "affinity_1") if name not in tensors]
    if missing:
        raise PhotoError(
            f"--degradation-map: {method.info.name} has no {' and no '.join(missing)} to show; "
            "it needs NDR-Restore (ndr_restore) with its degradation query"
        )


def degradation_maps(
    method: Method,
    pixels: Samples,
    tiles: Tiles,
    device: torch.device,
    progress: Progress = lambda: None,
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Run NDR-Restore and keep U and S of its largest level.

    Each pixel is taken from the tile that it lies deepest in. Nothing is blended: a number of a
    vector cannot be, and a seam in U shows what cutting into tiles changes.

    Returns:
        At the size of the network's largest features, (h, w): the norm of U over its channels, and
        the number of the vector of D with the largest affinity, 0 to N - 1.
    """
    maps: tuple[NDArray[np.float32], NDArray[np.uint16]] | None = None
    for row in range(len(tiles.rows.starts)):
        for column in range(len(tiles.columns.starts)):
            rows, columns = tiles.rows.slice_of(row), tiles.columns.slice_of(column)
            tensors = method.figure_tensors(tile_tensor(pixels, rows, columns, device))
            norm = tensors["degradation_1"][0].norm(dim=0).cpu().numpy()
            best = tensors["affinity_1"][0].argmax(dim=0).cpu().numpy()
            # x2 networks may work at twice the size of the photograph.
            enlarged = norm.shape[0] // (rows.stop - rows.start)
            if maps is None:
                shape = (enlarged * pixels.shape[0], enlarged * pixels.shape[1])
                maps = (np.zeros(shape, np.float32), np.zeros(shape, np.uint16))
            owned = (tiles.rows.owned(row), tiles.columns.owned(column))
            here = tuple(slice(enlarged * part.start, enlarged * part.stop) for part in owned)
            inside = tuple(
                slice(place.start - enlarged * start, place.stop - enlarged * start)
                for place, start in zip(here, (rows.start, columns.start), strict=True)
            )
            maps[0][here], maps[1][here] = norm[inside], best[inside]
            progress()
    assert maps is not None  # there is a tile at least
    return maps


def write_strength(path: str | Path, strength: NDArray[np.float32]) -> None:
    """Write the norm of U as PNG: dark blue is zero, yellow the photograph's largest."""
    from matplotlib import colormaps

    scale = float(np.quantile(strength, _BRIGHTEST))
    table = np.rint(255 * colormaps["viridis"](np.arange(256))[:, :3]).astype(np.uint8)
    levels = np.clip(strength * (255 / max(scale, 1e-12)), 0, 255).astype(np.uint8)
    write_png(path, table[levels])


def write_vectors(path: str | Path, vectors: NDArray[np.uint16]) -> None:
    """Write the vectors of D as PNG; a vector has one colour in all photographs."""
    write_png(path, vector_colours(int(vectors.max()) + 1)[vectors])


def vector_colours(count: int) -> NDArray[np.uint8]:
    """Colours of the first vectors of D, (count, 3): neighbouring numbers differ most.

    >>> len({tuple(colour) for colour in vector_colours(256).tolist()})
    256
    """
    colours = [
        colorsys.hls_to_rgb((index * _GOLDEN_RATIO) % 1.0, (0.45, 0.7, 0.3)[index % 3], 0.75)
        for index in range(count)
    ]
    return np.rint(255 * np.array(colours)).astype(np.uint8)
