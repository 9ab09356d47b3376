"""Wrong exposure of a finished sRGB picture, for machines without the MSEC set.

MSEC (Afifi et al., CVPR 2021) renders raw photographs at five exposure values; its ground truth is
an expert's retouch. Here the clean picture is taken for a correct rendering of the scene, brought
to linear light, multiplied, clipped and rendered anew. So highlights that the clean picture has
already lost stay lost when it is darkened, which a raw photograph would bring back, and at 0 EV
only the rendering differs from the ground truth. Results on such pairs do not compare with MSEC's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ndr.degradations.downsampling import round_to_8_bits
from ndr.degradations.image_check import check_image

MSEC_EXPOSURE_VALUES = (-1.5, -1.0, 0.0, 1.0, 1.5)
"""In EV; the first two count as under-exposed, the others as over-exposed (paper, Table XIV)."""
CONTRASTS = (0.8, 1.25)
"""Range of the tone curve's exponent, log-uniform: flat to contrasty renderings of a camera. An
assumption; MSEC's pairs were not at hand to measure it."""
LARGEST_EXPOSURE_VALUE = 8.0


@dataclass(frozen=True, slots=True)
class ExposureParameters:
    """What one wrongly exposed image is made with."""

    ev: float
    """Exposure value: linear light is multiplied by 2 to this power."""
    contrast: float = 1.0
    """Exponent of the tone curve, above 0; 1: the neutral rendering, which changes nothing."""
    round_8_bits: bool = True
    """Give the levels of a saved 8-bit picture: an under-exposed one has few of them."""

    def __post_init__(self) -> None:
        if not abs(self.ev) <= LARGEST_EXPOSURE_VALUE:
            raise ValueError(
                f"exposure: expected ev within {LARGEST_EXPOSURE_VALUE:g} of 0, found {self.ev!r}"
            )
        if not 0 < self.contrast < np.inf:
            raise ValueError(f"exposure: expected a contrast above 0, found {self.contrast!r}")


def draw_exposure_parameters(generator: np.random.Generator) -> ExposureParameters:
    """Draw the exposure uniformly from MSEC's five values, the contrast from 0.8..1.25.

    >>> draw_exposure_parameters(np.random.default_rng(0)).ev in MSEC_EXPOSURE_VALUES
    True
    """
    ev = float(generator.choice(MSEC_EXPOSURE_VALUES))
    contrast = float(np.exp(generator.uniform(*np.log(CONTRASTS))))
    return ExposureParameters(ev=ev, contrast=contrast)


def to_linear_light(encoded: np.ndarray) -> np.ndarray:
    """Undo the transfer function of sRGB (IEC 61966-2-1), [0, 1] to [0, 1].

    >>> to_linear_light(np.array([0.0, 0.5, 1.0])).round(4).tolist()
    [0.0, 0.214, 1.0]
    """
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Apply the transfer function of sRGB (IEC 61966-2-1), [0, 1] to [0, 1].

    >>> to_srgb(np.array([0.0, 0.214, 1.0])).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    )


def tone_curve(encoded: np.ndarray, contrast: float) -> np.ndarray:
    """Bend encoded values around middle grey: v^c / (v^c + (1 - v)^c).

    Black, white and 0.5 stay; the slope in the middle is c. Two curves in a row are the curve of
    the product of their exponents.

    >>> tone_curve(np.array([0.0, 0.25, 0.5, 1.0]), 2.0).round(3).tolist()
    [0.0, 0.1, 0.5, 1.0]
    """
    bright, dark = encoded**contrast, (1 - encoded) ** contrast
    return bright / (bright + dark)


def expose(image: np.ndarray, parameters: ExposureParameters) -> np.ndarray:
    """Expose an image (H, W, 3), sRGB in [0, 1], wrongly: linear light times 2^EV, rendered.

    >>> grey = np.full((2, 2, 3), 0.5, dtype=np.float32)
    >>> round(float(expose(grey, ExposureParameters(ev=1.0))[0, 0, 0] * 255))
    175
    """
    check_image(image, "image to expose")
    light = to_linear_light(np.clip(image.astype(np.float64), 0, 1)) * 2.0**parameters.ev
    rendered = tone_curve(to_srgb(np.minimum(light, 1)), parameters.contrast)
    if parameters.round_8_bits:
        return round_to_8_bits(rendered)
    return np.clip(rendered, 0, 1).astype(np.float32)
