"""Prepared sets of a few small images, for tests that need real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ndr.data.image_files import pixels_sha256, write_png
from ndr.data.manifest import FILE_NAME, Manifest, ManifestRow
from ndr.records.provenance import file_sha256

TINY_IDENTITY = "0" * 64
"""What specs of these sets name."""


def write_tiny_set(
    sets: Path,
    name: str,
    count: int,
    size: tuple[int, int] = (24, 20),
    paired: bool = False,
    *,
    scale: int = 1,
) -> Path:
    """Write `count` smooth random images (height, width); with `paired` a darker copy of each.

    The copy holds every `scale`-th pixel of every `scale`-th row.
    """
    generator = np.random.default_rng(len(name) + count)
    rows = []
    for number in range(count):
        small = generator.integers(40, 215, (3, 3, 3))
        clean = np.kron(small, np.ones((-(-size[0] // 3), -(-size[1] // 3), 1)))
        # A ramp makes each place of the image different: crops can be told apart.
        ramp = np.add.outer(np.arange(size[0]), np.arange(size[1]))[..., None]
        clean = (clean[: size[0], : size[1]] + ramp).clip(0, 255).astype(np.uint8)
        images = {"clean": clean} | ({"degraded": clean[::scale, ::scale] // 2} if paired else {})
        columns = {"degraded": "", "degraded_sha256": "", "degraded_pixels_sha256": ""}
        for side, image in images.items():
            path = sets / name / side / f"image{number}.png"
            write_png(path, image)
            columns |= {
                side: f"{side}/{path.name}",
                f"{side}_sha256": file_sha256(path),
                f"{side}_pixels_sha256": pixels_sha256(image),
            }
        rows.append(
            ManifestRow(
                f"image{number}", f"scene{number}", width=size[1], height=size[0], **columns
            )
        )
    notes = {"identity": TINY_IDENTITY} | ({"scale": str(scale)} if scale > 1 else {})
    manifest = sets / name / FILE_NAME
    Manifest(tuple(rows), manifest.parent, notes).write(manifest)
    return manifest
