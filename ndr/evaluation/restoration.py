"""Running a method on single images, with the arithmetic that the spec fixes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ndr.evaluation.degraded_images import DegradedImage, EvaluationError
from ndr.evaluation.tiling import TileGrid, restore_in_tiles
from ndr.method import Method, SideInformation


@dataclass(slots=True)
class Restoration:
    """A method that restores images one by one, and the time that it took so far."""

    method: Method
    grid: TileGrid | None
    """Tiles to use; None: the whole image in one pass."""
    device: torch.device
    seconds: float = 0.0
    pixels: int = 0
    """Restored pixels so far."""

    @property
    def seconds_per_megapixel(self) -> float:
        """Time in the method, copies to and from its device included, per restored megapixel."""
        return 1e6 * self.seconds / max(self.pixels, 1)

    def restore(self, image: DegradedImage, where: str) -> NDArray[np.float32]:
        """Restore one image; images are never batched, because batching changes the last bits.

        Args:
            image: of a test set.
            where: run, test set and image, for messages.

        Returns:
            (scale * H, scale * W, 3) float32, RGB, not clipped.

        Raises:
            EvaluationError: the output has another size than the truth, or holds NaN or infinity.
        """
        started = time.perf_counter()
        degraded = _to_tensor(image.degraded, self.device)
        needed = self.method.info.side_information
        # A method is told nothing beyond what it declares: only the oracle ever sees the truth.
        side = SideInformation(
            sigma=image.sigma if "sigma" in needed else None,
            clean=_to_tensor(image.clean, self.device) if "clean" in needed else None,
        )
        if self.grid is None:
            restored = self.method.restore(degraded, side)
        else:
            restored = restore_in_tiles(self.method, degraded, side, self.grid)
        pixels = np.ascontiguousarray(restored[0].float().permute(1, 2, 0).cpu().numpy())
        self.seconds += time.perf_counter() - started
        self.pixels += image.clean.shape[0] * image.clean.shape[1]
        self._check(pixels, image, where)
        return pixels

    def _check(self, pixels: NDArray[np.float32], image: DegradedImage, where: str) -> None:
        if pixels.shape != image.clean.shape:
            raise EvaluationError(
                f"{where}: expected an output of shape {image.clean.shape}, found {pixels.shape}; "
                f"check the scale that the method declares ({self.method.scale})"
            )
        if not np.isfinite(pixels).all():
            count = int((~np.isfinite(pixels)).sum())
            raise EvaluationError(
                f"{where}: {count} of {pixels.size} output values are NaN or infinite; train the "
                "run again with a lower learning rate, or evaluate it in fp32"
            )


@contextlib.contextmanager
def fixed_arithmetic(precision: str, cpu_threads: int, device: torch.device) -> Iterator[None]:
    """No gradients, the given threads and precision, and no algorithm chosen by speed trials.

    Args:
        precision: `fp32` (true single precision: TF32 is off) or `bf16` (autocast).
        cpu_threads: threads of one CPU operation; sums in another order are other bits.
        device: where the method is.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(cpu_threads)
    try:
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=True, allow_tf32=False
            ),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"),
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def _to_tensor(image: NDArray[np.float32], device: torch.device) -> Tensor:
    """(H, W, 3) -> (1, 3, H, W) on `device`; the pixels' own order is already channels-last."""
    batch = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None]
    return batch.permute(0, 3, 1, 2).to(device)
