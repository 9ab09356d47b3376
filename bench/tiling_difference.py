"""What cutting a photograph into tiles changes: `python -m bench.tiling_difference --help`.

Photographs of scikit-image with Gaussian noise, sigma 25, restored in one pass and in tiles. The
table is the one of docs/restore.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data

from ndr.evaluation.tiling import TileGrid
from ndr.method import Method
from ndr.metrics.full_reference import psnr
from ndr.photos.tile_stream import chosen_tiles, restore_pixels, tiles_of
from ndr.photos.weight_source import WeightRequest, load_requested
from ndr.seeds import numpy_generator

PHOTOGRAPHS = ("astronaut", "coffee", "rocket", "stereo_motorcycle")
SIGMA = 25.0


@dataclass(frozen=True, slots=True)
class TilingDifference:
    """Restored in tiles against restored in one pass; grey levels of 0 to 255."""

    mean: float
    """Mean absolute difference."""
    largest: int
    """Largest absolute difference."""
    psnr: float
    """Of the one against the other, dB."""
    share: float
    """Root mean square of the difference, over that of what the network changes in one pass."""


def noisy_photograph(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photograph of scikit-image, clean and with noise: (H, W, 3) both."""
    loaded = getattr(data, name)()
    clean = loaded[0] if isinstance(loaded, tuple) else loaded
    noise = numpy_generator(0, "tiling difference", name).normal(0.0, SIGMA, clean.shape)
    return clean, np.rint(np.clip(clean + noise, 0, 255)).astype(np.uint8)


def tiling_difference(
    method: Method, photograph: NDArray[np.uint8], grid: TileGrid
) -> TilingDifference:
    """Restore a photograph both ways.

    Args:
        method: in evaluation mode, on the CPU.
        photograph: (H, W, 3), degraded.
        grid: tiles smaller than the photograph.
    """
    height, width = photograph.shape[:2]
    with torch.inference_mode():
        whole, tiled = (
            restore_pixels(
                method, photograph, tiles_of(height, width, way, method), torch.device("cpu")
            ).astype(np.float64)
            for way in (None, grid)
        )
    difference = np.abs(tiled - whole)
    square = float(np.mean(difference**2))
    change = float(np.mean((whole - photograph) ** 2))
    return TilingDifference(
        mean=float(difference.mean()),
        largest=int(difference.max()),
        psnr=psnr(tiled, whole, peak=255.0),
        share=float(np.sqrt(square / change)) if change else float("nan"),
    )


def argument_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.tiling_difference", description=__doc__)
    parser.add_argument("--weights", required=True, help="as for ndr.restore")
    parser.add_argument("--tiles", nargs="+", default=["512", "256", "128"], metavar="PIXELS")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    options = argument_parser().parse_args(argv)
    loaded, words = load_requested(WeightRequest(options.weights), torch.device("cpu"))
    print(words)
    print("| photograph | tile | mean | largest | PSNR (dB) | share of the change |")
    print("|---|---|---|---|---|---|")
    for name in PHOTOGRAPHS:
        _, noisy = noisy_photograph(name)
        for tile in options.tiles:
            choice = chosen_tiles(loaded.method.info, loaded.method.scale, tile, None)
            grid = choice.grid_for(*noisy.shape[:2])
            if grid is None or grid.tile >= max(noisy.shape[:2]):
                continue
            found = tiling_difference(loaded.method, noisy, grid)
            size = f"{noisy.shape[1]}x{noisy.shape[0]}"
            print(
                f"| {name}, {size} | {grid.tile} | {found.mean:.2f} | {found.largest} | "
                f"{found.psnr:.1f} | {100 * found.share:.1f} % |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
