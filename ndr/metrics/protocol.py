"""Protocols: how a restored image is turned into PSNR, SSIM and the other metrics.

The literature measures the same pictures in several ways, and the ways differ by more than the
methods do: luma instead of RGB is worth 1.3 dB for grey errors and about 2 dB for the residue of
denoising, the window of SSIM up to 0.013. A protocol gives each way a name, so that numbers of
two ways never meet in one table. One forward pass serves all of them.

The noise of a test set is no part of a protocol but of the test set (`NoiseSpec`). The original
evaluations behind two of the names go with a noise of their own:

- `airnet` (AirNet, PromptIR, AdaIR): `uint8_trunc`. They also crop the *input* to multiples of
  16; here the network sees the whole image and its output is cropped, which changes PSNR by less
  than the second decimal for local networks;
- `rgb_uint8` (FFDNet, DnCNN, Restormer's denoising): `float_noclip` with seeding
  `zero_per_image`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ndr.metrics.full_reference import WINDOW_SIDES, comparison
from ndr.metrics.metric import ImageTooSmallError
from ndr.metrics.pixel_values import check_values
from ndr.nearest_name import unknown_name

Image = NDArray[np.floating]
NO_REFERENCE = "no_reference"
"""Name that stands in place of a protocol where photographs have no ground truth."""
NO_REFERENCE_VERSION = 1
"""Raised when the numbers of metrics without reference may change."""

LUMA_WEIGHTS = (65.481, 128.553, 24.966)
LUMA_OFFSET = 16.0


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to compare a restored image with its ground truth."""

    name: str
    description: str
    eight_bit: bool = False
    """Round both images to 8 bits first, as if the output had been saved as PNG."""
    luma: bool = False
    """Compare the luma Y of ITU-R BT.601 (16..235) instead of RGB."""
    eight_bit_luma: bool = False
    """Round the luma to whole levels, as MATLAB's `rgb2ycbcr` does with 8-bit images."""
    crop_multiple: int = 1
    """Centre-crop to a multiple of this many pixels."""
    border: int = 0
    """Pixels left out on each side."""
    window: str = "gaussian"
    """See `ndr.metrics.full_reference.ssim`."""
    version: int = 1
    """Raised when the protocol's numbers may change; results of another version are refused."""

    @property
    def least_side(self) -> int:
        """Shortest side, in pixels, of an image that this protocol can measure.

        >>> PROTOCOLS["sr_y"].least_side
        15
        """
        window = WINDOW_SIDES[self.window] + 2 * self.border
        return -(-window // self.crop_multiple) * self.crop_multiple

    def view(self, image: Image) -> NDArray[np.float64]:
        """What this protocol looks at: clipped to [0, 1], rounded, converted and cropped.

        Args:
            image: (H, W, 3), RGB, nominally in [0, 1].

        Returns:
            (H', W', 3) RGB in [0, 1], or (H', W') luma divided by 255.

        Raises:
            TypeError: values of another type than floating-point, e.g. 8-bit pixels.
            ValueError: NaN or infinity.
        """
        check_values(image)
        pixels = self._crop(image).astype(np.float64)
        np.clip(pixels, 0.0, 1.0, out=pixels)
        if self.eight_bit:
            # In place: large images would be held twice more.
            pixels *= 255.0
            np.rint(pixels, out=pixels)
            pixels /= 255.0
        if not self.luma:
            return pixels
        levels = luma(pixels)
        return (np.rint(levels) if self.eight_bit_luma else levels) / 255.0

    def compare(self, restored: Image, clean: Image) -> dict[str, float]:
        """Measure one image.

        Args:
            restored: (H, W, 3), RGB, nominally in [0, 1].
            clean: as `restored`.

        Returns:
            All metrics with reference by name; the PSNR of identical views is `inf`.

        Raises:
            TypeError: values of another type than floating-point, e.g. 8-bit pixels.
            ValueError: sizes differ, or a value is NaN or infinite.
            ImageTooSmallError: too little is left for the SSIM window, see `least_side`.

        >>> clean = np.random.default_rng(0).random((32, 32, 3))
        >>> PROTOCOLS["ndr"].compare(clean, clean)["PSNR"]
        inf
        >>> error = PROTOCOLS["ndr"].compare(np.full((32, 32, 3), 0.6), np.full((32, 32, 3), 0.5))
        >>> round(error["PSNR"], 6)
        20.0
        """
        seen, truth = self.view(restored), self.view(clean)
        return comparison(seen, truth, window=self.window)

    def _crop(self, image: Image) -> Image:
        axes = []
        for length in image.shape[:2]:
            excess = length % self.crop_multiple
            start = excess // 2
            axes.append(slice(start + self.border, start + length - excess - self.border))
        seen = image[tuple(axes)]
        if seen.size == 0:
            raise ImageTooSmallError(
                f"protocol {self.name}: nothing is left of {image.shape[1]} x {image.shape[0]} "
                f"pixels after the crop to multiples of {self.crop_multiple} and {self.border} "
                "border pixels; use a larger crop"
            )
        return seen


def luma(image: Image) -> NDArray[np.float64]:
    """Luma of ITU-R BT.601 in levels: 16 for black, 235 for white, not rounded.

    Y = 16 + 65.481 R + 128.553 G + 24.966 B with R, G, B in [0, 1]. The weights sum to 219, so
    an error that is the same in all three channels shrinks by 219 / 255 and its PSNR (peak 255)
    grows by 20 log10(255 / 219) = 1.32 dB against RGB.

    Args:
        image: (H, W, 3), RGB in [0, 1].

    Returns:
        (H, W), levels.

    >>> luma(np.array([[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]])).round(9).tolist()
    [[16.0, 235.0]]
    """
    red, green, blue = np.moveaxis(image.astype(np.float64, copy=False), -1, 0)
    weights = LUMA_WEIGHTS
    return LUMA_OFFSET + weights[0] * red + weights[1] * green + weights[2] * blue


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            Protocol(
                "ndr",
                "RGB, clipped, not rounded, SSIM Gaussian 11x11 (the paper's released test)",
            ),
            Protocol(
                "airnet",
                "RGB, centre crop to multiples of 16; SSIM uniform 7x7 (scikit-image defaults)",
                crop_multiple=16,
                window="uniform",
            ),
            Protocol(
                "restormer_y",
                "8-bit output, luma rounded to 8 bits (MATLAB); SSIM Gaussian 11x11 (deraining)",
                eight_bit=True,
                luma=True,
                eight_bit_luma=True,
            ),
            Protocol(
                "sr_y",
                "8-bit output, luma not rounded, 2 border pixels left out (BasicSR family)",
                eight_bit=True,
                luma=True,
                border=2,
            ),
            Protocol(
                "rgb_uint8",
                "RGB, output rounded to 8 bits; SSIM Gaussian 11x11 (FFDNet, DnCNN)",
                eight_bit=True,
            ),
        )
    }
)
"""Every protocol by name; `ndr` is the one that the paper's released code computes."""


def protocol(name: str) -> Protocol:
    """The protocol of that name; raises `UnknownNameError` with the nearest names.

    >>> protocol("sr_y").border
    2
    """
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def protocol_versions(names: Iterable[str]) -> dict[str, int]:
    """Versions of the protocols' arithmetic, and of the metrics without reference, for provenance.

    >>> protocol_versions(["ndr"])
    {'ndr': 1, 'no_reference': 1}
    """
    return {name: protocol(name).version for name in names} | {NO_REFERENCE: NO_REFERENCE_VERSION}


def description(name: str) -> str:
    """What a protocol looks at, in a line; raises `UnknownNameError` with the nearest names."""
    if name == NO_REFERENCE:
        return "the restored photograph alone, clipped"
    return protocol(name).description
