"""Haze by the atmospheric scattering model, I = J t + A (1 - t), t = exp(-beta d).

Koschmieder 1924; Narasimhan and Nayar, IJCV 2002. A and beta take the values of RESIDE's
outdoor training set OTS (Li et al., TIP 2019). The unit of depth is therefore OTS's: RESIDE's
depth network gives about 1.5 (near) to 4.5 (sky), measured from SOTS outdoor pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ndr.degradations.image_check import check_image

OTS_AIRLIGHTS = (0.8, 0.85, 0.9, 0.95, 1.0)
OTS_BETAS = (0.04, 0.06, 0.08, 0.1, 0.12, 0.16, 0.2)
OPTICAL_DEPTH_LIMITS = (0.05, 2.5)


@dataclass(frozen=True, slots=True)
class HazeParameters:
    """What one hazy image is made with."""

    airlight: float
    """A, the haze's own radiance, the same in the three channels, in (0, 1]."""
    beta: float
    """Scattering coefficient per unit of depth, at least 0."""
    optical_depth_limits: tuple[float, float] = OPTICAL_DEPTH_LIMITS
    """beta * d is clipped to these: haze everywhere, and a scene that stays visible."""

    def __post_init__(self) -> None:
        if not 0 < self.airlight <= 1:
            raise ValueError(f"haze: expected an airlight in (0, 1], found {self.airlight!r}")
        if not self.beta >= 0:
            raise ValueError(f"haze: expected beta >= 0, found {self.beta!r}")


def draw_haze_parameters(generator: np.random.Generator) -> HazeParameters:
    """Draw A and beta uniformly from OTS's five and seven values.

    >>> draw_haze_parameters(np.random.default_rng(0)).airlight in OTS_AIRLIGHTS
    True
    """
    airlight, beta = generator.choice(OTS_AIRLIGHTS), generator.choice(OTS_BETAS)
    return HazeParameters(airlight=float(airlight), beta=float(beta))


def transmission(depth: np.ndarray, parameters: HazeParameters) -> np.ndarray:
    """Share of the scene's light that reaches the camera, exp(-beta d), as float64 (H, W).

    In single precision the last bit of an exponential, which processors round differently, would
    change grey levels of the veiled image.

    >>> clear = HazeParameters(0.9, 0.1, optical_depth_limits=(0.0, 100.0))
    >>> transmission(np.array([[0.0, 10.0]]), clear).round(4)
    array([[1.    , 0.3679]])
    """
    low, high = parameters.optical_depth_limits
    return np.exp(-np.clip(parameters.beta * depth, low, high))


def add_haze(image: np.ndarray, depth: np.ndarray, parameters: HazeParameters) -> np.ndarray:
    """Veil an image: I = J t + A (1 - t).

    Args:
        image: J, float32 (H, W, 3), RGB in [0, 1].
        depth: d, float (H, W), in OTS units (module docstring), above 0, finite.
        parameters: A, beta and the limits of beta * d.

    >>> black = np.zeros((2, 2, 3), dtype=np.float32)
    >>> veil = add_haze(black, np.full((2, 2), 5.0), HazeParameters(airlight=0.8, beta=0.2))
    >>> round(float(veil[0, 0, 0]), 4)  # 0.8 * (1 - exp(-1))
    0.5057
    """
    check_image(image, "image to add haze to")
    if depth.shape != image.shape[:2]:
        raise ValueError(
            f"haze: image is {image.shape[:2]}, its depth {depth.shape}; equal sizes needed"
        )
    if not np.all(np.isfinite(depth) & (depth > 0)):
        raise ValueError("haze: expected finite depths above 0; fill unknown pixels first")
    share = transmission(depth, parameters)[..., None]
    veiled = image * share + parameters.airlight * (1 - share)
    return np.clip(veiled, 0, 1).astype(np.float32)
