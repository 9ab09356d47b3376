"""One photograph from file to file: read, restore, put back what the network does not see."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ndr.evaluation.running import fixed_arithmetic
from ndr.image_decoding import Samples
from ndr.method import Method, SideInformation
from ndr.photos.degradation_map import degradation_maps, write_strength, write_vectors
from ndr.photos.photo_reading import DEFAULT_MEGAPIXELS, Photo, PhotoError, read_photo
from ndr.photos.photo_writing import (
    DEFAULT_QUALITY,
    check_writable,
    output_format,
    write_comparison,
    write_photo,
)
from ndr.photos.tile_stream import Progress, TileChoice, Tiles, restore_pixels, tiles_of
from ndr.photos.work_list import COMPARISON, STRENGTH, VECTORS, PhotoJob

logger = logging.getLogger(__name__)

OpenProgress = Callable[[int], Progress]
"""Called with the number of steps of a photograph; what it returns is called after each."""


@dataclass(frozen=True, slots=True)
class PhotoRestorer:
    """A method with all that the command line fixes for every photograph."""

    method: Method
    device: torch.device
    tiles: TileChoice
    side: SideInformation
    precision: str = "fp32"
    threads: int = 1
    quality: int = DEFAULT_QUALITY
    max_megapixels: float = DEFAULT_MEGAPIXELS
    overwrite: bool = False
    compare: bool = False
    degradation_map: bool = False

    def run(self, job: PhotoJob, open_progress: OpenProgress) -> str:
        """Restore a photograph and write all files of the job, the photograph last.

        Returns:
            What was done, in a few words.

        Raises:
            PhotoError: the photograph, or what is to become of it, is refused.
            TilingError, RestorationError, OSError: see the modules of this package.
        """
        output_format(job.target)
        for target in (job.target, *job.extras):
            if target.exists() and not self.overwrite:
                raise PhotoError(f"{target} exists already; pass --overwrite to replace it")
        photo = read_photo(job.source, self.max_megapixels)
        check_writable(job.target, photo, self.method.scale)
        tiles = tiles_of(
            photo.height, photo.width, self.tiles.grid_for(photo.height, photo.width), self.method
        )
        progress = open_progress((2 if self.degradation_map else 1) * tiles.count)
        with fixed_arithmetic(self.precision, self.threads, self.device):
            if self.degradation_map:
                strength, vectors = degradation_maps(
                    self.method, photo.pixels, tiles, self.device, progress
                )
                write_strength(job.extra(STRENGTH), strength)
                write_vectors(job.extra(VECTORS), vectors)
            pixels = restore_pixels(
                self.method, photo.pixels, tiles, self.device, side=self.side, progress=progress
            )
        alpha = photo.alpha
        if alpha is not None and self.method.scale > 1:
            alpha = enlarged(alpha, self.method.scale)
        restored = Photo(pixels, alpha, photo.metadata)
        if self.compare:
            write_comparison(job.extra(COMPARISON), photo, restored)
        write_photo(job.target, restored, self.quality)
        return _summary(job, photo, restored, tiles)


def enlarged(samples: Samples, scale: int) -> Samples:
    """Enlarge one channel (H, W) by bicubic interpolation, rounded to its own type."""
    highest = np.iinfo(samples.dtype).max
    values = torch.from_numpy(samples.astype(np.float32))[None, None]
    values = F.interpolate(values, scale_factor=scale, mode="bicubic", align_corners=False)
    return values[0, 0].clamp(0, highest).round().numpy().astype(samples.dtype)


def _summary(job: PhotoJob, photo: Photo, restored: Photo, tiles: Tiles) -> str:
    words = [f"{photo.width}x{photo.height}"]
    if restored.width != photo.width:
        words.append(f"to {restored.width}x{restored.height}")
    words.append("in one pass" if tiles.count == 1 else f"in {tiles.count} tiles")
    if photo.is_deep and output_format(job.target) not in ("PNG", "TIFF"):
        words.append("(16 bits rounded to 8)")
    return " ".join(words)
