"""Running a method on test images one by one, with the arithmetic that the spec fixes."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ndr.evaluation.degraded_images import DegradedImage, DegradedImages, EvaluationError
from ndr.evaluation.tiling import TileGrid, restore_in_tiles
from ndr.method import Method, SideInformation
from ndr.mixed_precision import autocast

Restore = Callable[[Tensor, SideInformation], Tensor]
"""Degraded images (B, 3, H, W) and what is known of them -> (B, 3, scale * H, scale * W)."""

TRANSFORMS = tuple(itertools.product((False, True), repeat=3))
"""The symmetries of a square, as (flip rows, flip columns, transpose), applied in this order."""


def transformed(images: Tensor, flip_rows: bool, flip_columns: bool, transpose: bool) -> Tensor:
    """One of the eight flips and rotations of (..., H, W).

    >>> transformed(torch.tensor([[1, 2], [3, 4]]), True, False, True).tolist()
    [[3, 1], [4, 2]]
    """
    axes = [axis for axis, flip in ((-2, flip_rows), (-1, flip_columns)) if flip]
    images = images.flip(axes) if axes else images
    return images.mT if transpose else images


def transformed_back(
    images: Tensor, flip_rows: bool, flip_columns: bool, transpose: bool
) -> Tensor:
    """The inverse of `transformed`, steps in the reverse order.

    >>> transformed_back(torch.tensor([[3, 1], [4, 2]]), True, False, True).tolist()
    [[1, 2], [3, 4]]
    """
    return transformed(images.mT if transpose else images, flip_rows, flip_columns, False)


def restore_with_self_ensemble(restore: Restore, degraded: Tensor, side: SideInformation) -> Tensor:
    """Restore the eight versions of a batch and average what they give, turned back.

    Takes eight times as long; memory stays that of one restoration and two images. The authors'
    programs average the same eight (with values rounded to 8 bits nowhere before the mean). The
    result is in single precision at least.
    """
    total: Tensor | None = None
    for transform in TRANSFORMS:
        clean = None if side.clean is None else transformed(side.clean, *transform).contiguous()
        turned = transformed(degraded, *transform).contiguous()
        restored = restore(turned, SideInformation(side.sigma, clean))
        restored = transformed_back(restored, *transform)
        # In single precision: eight terms lose a bit or two of bfloat16.
        restored = restored.to(torch.promote_types(restored.dtype, torch.float32))
        total = restored.clone() if total is None else total + restored
    assert total is not None
    return total / len(TRANSFORMS)


@dataclass(slots=True)
class Restoration:
    """A method that restores images one by one, and the time that it took so far."""

    method: Method
    grid: TileGrid | None
    """Tiles to use; None: the whole image in one pass."""
    device: torch.device
    self_ensemble: bool = False
    """Average over the eight flips and rotations of each image."""
    seconds: float = 0.0
    pixels: int = 0
    """Restored pixels so far."""

    @property
    def seconds_per_megapixel(self) -> float:
        """Time in the method, copies to and from its device included, per restored megapixel."""
        return 1e6 * self.seconds / max(self.pixels, 1)

    def restore(self, image: DegradedImage, where: str) -> NDArray[np.float32]:
        """Restore one image; images are never batched, because batching changes the last bits.

        Returns:
            (scale * H, scale * W, 3) float32, RGB, not clipped.

        Raises:
            EvaluationError: the output has another size than the truth, or holds NaN or infinity;
                the message begins with `where`.
        """
        started = time.perf_counter()
        degraded = _to_tensor(image.degraded, self.device)
        needed = self.method.info.side_information
        # A method gets nothing beyond what it declares: only the oracle ever sees the truth.
        clean = None
        if "clean" in needed:
            if image.clean is None:
                raise EvaluationError(
                    f"{where}: {self.method.info.name} needs the ground truth, which this test set "
                    "does not have; leave it out of the method's test sets"
                )
            clean = _to_tensor(image.clean, self.device)
        side = SideInformation(sigma=image.sigma if "sigma" in needed else None, clean=clean)
        if self.self_ensemble:
            restored = restore_with_self_ensemble(self._restore, degraded, side)
        else:
            restored = self._restore(degraded, side)
        return self._finished(restored[0], started, image, where)

    def _restore(self, degraded: Tensor, side: SideInformation) -> Tensor:
        if self.grid is None:
            return self.method.restore(degraded, side)
        return restore_in_tiles(self.method, degraded, side, self.grid)

    def restore_set(
        self, images: DegradedImages, where: str
    ) -> Iterator[tuple[DegradedImage, NDArray[np.float32]]]:
        """Restore a test set, image by image, or at once where the method wants it so.

        Yields:
            Each image and its restored pixels, see `restore`.

        Raises:
            EvaluationError: see `restore`.
            RestorationError: the method cannot be run on this machine, or failed.
        """
        if self.self_ensemble or not self.method.restores_together:
            for image in images:
                yield image, self.restore(image, f"{where}, image {image.name!r}")
            return
        given = ((image.name, _to_tensor(image.degraded, self.device)[0]) for image in images)
        results = self.method.restore_together(given)
        for image in images:
            started = time.perf_counter()
            yield (
                image,
                self._finished(next(results), started, image, f"{where}, image {image.name!r}"),
            )

    def _finished(
        self, restored: Tensor, started: float, image: DegradedImage, where: str
    ) -> NDArray[np.float32]:
        """The pixels of a restored image, timed and checked."""
        pixels = np.ascontiguousarray(restored.float().permute(1, 2, 0).cpu().numpy())
        self.seconds += time.perf_counter() - started
        self.pixels += pixels.shape[0] * pixels.shape[1]
        height, width = (self.method.scale * length for length in image.degraded.shape[:2])
        if pixels.shape != (height, width, 3):
            raise EvaluationError(
                f"{where}: expected an output of shape {(height, width, 3)}, found {pixels.shape}; "
                f"check the scale that the method declares ({self.method.scale})"
            )
        if not np.isfinite(pixels).all():
            count = int((~np.isfinite(pixels)).sum())
            advice = "train the run again with a lower learning rate, or evaluate it in fp32"
            if not self.method.info.trainable:
                advice = "leave this test set out for the method"
            raise EvaluationError(
                f"{where}: {count} of {pixels.size} output values are NaN or infinite; {advice}"
            )
        return pixels


@contextlib.contextmanager
def fixed_arithmetic(precision: str, cpu_threads: int, device: torch.device) -> Iterator[None]:
    """No gradients, the given threads and precision, and no algorithm chosen by speed trials.

    `fp32` is true single precision: TF32 is off; `bf16` is autocast. Another number of threads sums
    in another order, to other bits.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(cpu_threads)
    try:
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=True, allow_tf32=False
            ),
            autocast(precision, device),
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def _to_tensor(image: NDArray[np.float32], device: torch.device) -> Tensor:
    """(H, W, 3) -> (1, 3, H, W) on `device`; the pixels' own order is already channels-last.

    A copy: runs share the images, and a method may write to its input.
    """
    batch = torch.from_numpy(np.array(image, dtype=np.float32, order="C"))[None]
    return batch.permute(0, 3, 1, 2).to(device)
