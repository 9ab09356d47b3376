"""Additive white Gaussian noise in the four forms that the field's code uses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ndr.degradations.image_check import check_image
from ndr.nearest_name import check_names

Image = np.ndarray

VARIANTS: dict[str, Callable[[Image], Image]] = {
    "float_clip": lambda noisy: np.clip(noisy, 0, 255),
    "uint8_trunc": lambda noisy: np.floor(np.clip(noisy, 0, 255)),
    "uint8_round": lambda noisy: np.rint(np.clip(noisy, 0, 255)),
    "float_noclip": lambda noisy: noisy,
}
"""What becomes of grey levels 0..255 with noise added.

`float_clip` is NDR-Restore's released code, `uint8_trunc` AirNet's, PromptIR's and AdaIR's (a cast
to unsigned byte, which truncates and so darkens by half a level), `uint8_round` what a saved PNG
holds, `float_noclip` Restormer's and KAIR's. Train and test with the same one: input PSNR cannot
tell the 8-bit forms apart, a trained network can.
"""


def add_gaussian_noise(
    image: Image,
    sigma: float,
    variant: str = "float_clip",
    generator: np.random.Generator | np.random.RandomState | None = None,
) -> Image:
    """Add white Gaussian noise, independent per pixel and channel.

    Args:
        image: float32 (H, W, 3), RGB in [0, 1].
        sigma: standard deviation in grey levels of the 0..255 scale, at least 0.
        variant: name in `VARIANTS`.
        generator: where the draws come from. `RandomState(0)` gives the noise of the benchmarks
            that restart seed 0 for each image, `RandomState(0).randn(H, W, 3) * sigma / 255`.

    Returns:
        float32 (H, W, 3), in [0, 1] except for `float_noclip`.

    >>> grey = np.full((256, 256, 3), 128 / 255, dtype=np.float32)
    >>> noisy = add_gaussian_noise(grey, 15, "float_clip", np.random.default_rng(0))
    >>> round(float(-10 * np.log10(np.mean((noisy - grey) ** 2))), 1)  # 20 log10(255 / 15)
    24.6
    """
    check_names("noise variant", [variant], VARIANTS)
    if not np.isfinite(sigma) or sigma < 0:
        raise ValueError(f"noise: expected sigma >= 0 on the 0..255 scale, found {sigma!r}")
    if generator is None:
        raise ValueError("noise: pass a generator, e.g. from ndr.seeds.numpy_generator(...)")
    check_image(image, "image to add noise to")
    draws: Image
    if isinstance(generator, np.random.RandomState):
        draws = generator.standard_normal(image.shape)
    else:
        draws = generator.standard_normal(image.shape, dtype=np.float32)
    # In double precision, k / 255 in float32 times 255 is never below k: truncation is safe.
    levels = image.astype(np.float64) * 255
    return (VARIANTS[variant](levels + draws * float(sigma)) / 255).astype(np.float32)
