"""Generated images and pairs of files for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ndr.data.image_files import write_png


def textured_image(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    """Waves and noise, uint8 (H, W, 3): no two images or rows are alike."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = np.sin(rows / (3 + seed) + columns / 5)[..., None] * np.array([60, 40, 20])
    return np.clip(128 + waves + generator.normal(0, 12, (height, width, 3)), 0, 255).astype(
        np.uint8
    )


def write_pairs(root: Path, clean: str, degraded: str, numbers: tuple[int, ...]) -> None:
    """Write made-up rain pairs `norain-N` and `rain-N` into two sub-folders of `root`."""
    for number in numbers:
        write_png(root / clean / f"norain-{number}.png", textured_image(number))
        write_png(root / degraded / f"rain-{number}.png", textured_image(number + 100))
