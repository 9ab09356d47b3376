"""Prepared sets of real photographs and their altered copies."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ndr.data.image_files import pixels_sha256, read_rgb, write_png
from ndr.data.manifest import FILE_NAME, Manifest, ManifestRow, package_file
from ndr.records.provenance import file_sha256

FILES = {
    "astronaut": "skimage/data/astronaut.png",
    "chelsea": "skimage/data/chelsea.png",
    "china": "sklearn/datasets/images/china.jpg",
    "coffee": "skimage/data/coffee.png",
    "flower": "sklearn/datasets/images/flower.jpg",
    "grace": "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    "motorcycle": "skimage/data/motorcycle_left.png",
    "rocket": "skimage/data/rocket.jpg",
}

Images = Mapping[str, np.ndarray | None]
"""Clean and degraded image of a row."""


@functools.cache
def photograph(name: str) -> np.ndarray:
    """A photograph at half of its size, so that tests are fast; uint8 (H, W, 3)."""
    image = Image.fromarray(read_rgb(package_file(FILES[name])))
    return np.asarray(image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC))


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(image: np.ndarray, factor: float) -> np.ndarray:
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def hazy(image: np.ndarray) -> np.ndarray:
    return np.rint(0.3 * image + 0.7 * 220).astype(np.uint8)


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def write_set(
    sets: Path, name: str, rows: Mapping[str, Images], scenes: Mapping[str, str] | None = None
) -> Path:
    """Write images and the manifest of a set; returns the manifest."""
    made = []
    for row, images in rows.items():
        columns: dict[str, str | int] = {}
        for side in ("clean", "degraded"):
            image = images.get(side)
            columns |= {side: "", f"{side}_sha256": "", f"{side}_pixels_sha256": ""}
            if image is None:
                continue
            path = sets / name / side / f"{row}.png"
            write_png(path, image)
            columns |= {
                side: f"{side}/{row}.png",
                f"{side}_sha256": file_sha256(path),
                f"{side}_pixels_sha256": pixels_sha256(image),
                "height": image.shape[0],
                "width": image.shape[1],
            }
        made.append(ManifestRow(name=row, scene=(scenes or {}).get(row, row), **columns))
    manifest = sets / name / FILE_NAME
    Manifest(tuple(made), manifest.parent, {}).write(manifest)
    return manifest


def clean_only(**images: np.ndarray) -> dict[str, Images]:
    return {name: {"clean": image} for name, image in images.items()}
