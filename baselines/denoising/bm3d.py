"""CBM3D (Dabov et al., 2007): block matching and 3-D filtering, no training."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ndr.method import (
    Method,
    MethodInfo,
    RestorationError,
    SideInformation,
    SizeRequirements,
    Tiling,
    register_method,
)

_TO_OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.0, -0.5], [0.25, -0.5, 0.25]])
"""Luminance and two differences of colour, of R, G and B: the space that the package filters in."""
_FROM_OPPONENT = np.array([[1.0, 1.0, 2 / 3], [1.0, 0.0, -4 / 3], [1.0, -1.0, 2 / 3]])
_LEAST_RANGE = 1e-6
"""Channels that vary less than this are not stretched."""


def _channel(
    channel: NDArray[np.float64], sigma: float, profile: Any, matches: Any = None
) -> tuple[NDArray[np.float64], Any]:
    """One channel (H, W) without its noise, and the blocks that are alike; None: look for them.

    Where all that the channel shows is taken for noise its mean is left. There the package gives
    up, for it takes a constant estimate for a lack of memory, and cannot hand out the blocks.
    """
    from bm3d import bm3d  # starting it takes a second

    if np.ptp(channel) == 0:
        return channel, matches
    if matches is None:
        with contextlib.suppress(ValueError):  # too many values to unpack: there are no blocks
            return bm3d(channel, sigma, profile, blockmatches=(True, True))
    answer = bm3d(channel, sigma, profile, blockmatches=matches or (False, False))
    if np.ptp(answer) > 0:
        return answer, matches
    mean = float(channel.mean())
    if not abs(float(answer.mean()) - mean) < max(sigma, _LEAST_RANGE):
        raise RestorationError("bm3d: not enough memory; pass a smaller image, or tiles")
    return np.full_like(channel, mean), matches


def _filtered(image: NDArray[np.float64], sigma: float, profile: Any) -> NDArray[np.float64]:
    """One image (H, W, 3) without its noise; `sigma` on the scale of the pixels.

    What `bm3d.bm3d_rgb` computes, but for pictures that it divides by zero for: a channel of the
    opponent space that is constant has no range to be stretched to. A grey picture is filtered as
    one channel: its noise is the same in R, G and B, so its luminance has all of it, not a third of
    the variance as in colour.
    """
    if (image == image[..., :1]).all():
        return np.repeat(_channel(image[..., 0], sigma, profile)[0][..., None], 3, axis=2)
    opponent = image.reshape(-1, 3) @ _TO_OPPONENT.T
    lowest, ranges = opponent.min(axis=0), np.ptp(opponent, axis=0)
    ranges[ranges < _LEAST_RANGE] = 1.0
    stretched = ((opponent - lowest) / ranges).reshape(image.shape)
    levels = sigma * np.sqrt(np.sum(_TO_OPPONENT.T**2, axis=0) / ranges**2)
    restored, matches = [], None
    for number, level in enumerate(levels):
        # Blocks are matched in the luminance, which comes first.
        channel, matches = _channel(stretched[..., number], float(level), profile, matches)
        restored.append(channel)
    opponent = np.stack(restored, axis=2).reshape(-1, 3) * ranges + lowest
    return (opponent @ _FROM_OPPONENT.T).reshape(image.shape)


@register_method
class BM3D(Method):
    """Colour BM3D by the package `bm3d`, in its opponent colour space, normal profile.

    A grey picture, the same in R, G and B, is filtered as one channel.

    The package is the authors' own, closed, for non-commercial use. It runs on the CPU; half a
    minute for a picture of 481x321. Below the size in `info` it reads outside of its memory.

    Args:
        threads: threads of the filter. With more than one its sums come in changing order, and
            the output changes by some 1e-7 from call to call.
    """

    info = MethodInfo(
        name="bm3d",
        paper_label="CBM3D",
        citation="K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, Color image denoising via sparse "
        "3D collaborative filtering with grouping constraint in luminance-chrominance space, "
        "ICIP 2007",
        tasks=frozenset({"noise"}),
        trainable=False,
        sizes=SizeRequirements(minimum=16),
        tiling=Tiling.DISCOURAGED,
        side_information=frozenset({"sigma"}),
        least_sigma=0.01,
        slow=True,
    )

    def __init__(self, threads: int = 1) -> None:
        super().__init__()
        self.threads = threads

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape; `side.sigma` on the 0..255 scale, above 0.

        Raises:
            ValueError: a noise level that is not above 0.
            RestorationError: the memory does not suffice, or the package is not installed.
        """
        try:
            from bm3d import BM3DProfile  # starting it takes a second
        except ModuleNotFoundError as error:
            raise RestorationError(
                "bm3d: its package, for non-commercial use only, is not installed; the suite's "
                "extra [bm3d] and requirements.lock have it"
            ) from error
        profile = BM3DProfile()
        profile.num_threads = self.threads
        sigmas = side.noise_levels(degraded).tolist()
        if min(sigmas) == 0:
            raise ValueError(f"bm3d: expected noise levels above 0, found {sigmas}")
        images = degraded.detach().cpu().double().permute(0, 2, 3, 1).numpy()
        restored = [
            _filtered(np.ascontiguousarray(image), sigma / 255, profile)
            for image, sigma in zip(images, sigmas, strict=True)
        ]
        return torch.from_numpy(np.stack(restored)).permute(0, 3, 1, 2).to(degraded).contiguous()
