"""One call per degraded image: what the preparation of data sets uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ndr.degradations.image_check import check_image
from ndr.degradations.sequence import STEPS, X2_ORDERS, apply_sequence, x2_steps
from ndr.nearest_name import check_names, unknown_name

KINDS: Mapping[str, tuple[str, ...]] = {
    "rain": ("rain",),
    "haze": ("haze",),
    "noise": ("noise",),
    "exposure": ("exposure",),
    "rain_noise": ("rain", "noise"),
    "haze_rain_noise": ("haze", "rain", "noise"),
    "down_x2": ("down",),
}
"""The steps of each kind of synthesis, in order; `down_x2` puts further steps around its own.

`rain_noise` on a hazy picture makes the mixed degradation of the paper's Table VIII, `down_x2`
without further steps reduces a picture that is degraded already (Tables IV and VI).
"""


def _planned_steps(
    kind: str, parameters: Mapping[str, Any]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The steps of a kind in order, and the parameters of each."""
    if kind in STEPS:
        return KINDS[kind], {kind: parameters}
    steps, per_step = KINDS[kind], dict(parameters)
    if kind == "down_x2":
        steps = x2_steps(per_step.pop("degradations", ()), per_step.pop("order", X2_ORDERS[0]))
    check_names(f"parameter of {kind}", per_step, steps)
    return steps, per_step


def synthesise(
    kind: str,
    image: np.ndarray,
    generator: np.random.Generator,
    disparity: np.ndarray | None = None,
    *,
    disparity_offset: float = 0.0,
    **parameters: Any,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Degrade one image, clean or degraded already.

    Args:
        kind: name in `KINDS`.
        image: float32 (H, W, 3), RGB in [0, 1]. `down_x2` needs even sides, see
            `downsampling.crop_to_multiple`.
        generator: source of every draw, from `ndr.seeds.numpy_generator`.
        disparity: measured disparity (H, W) in pixels, for haze; None: depth is invented.
        disparity_offset: pixels to add to it, see `scene_depth.depth_from_disparity`.
        parameters: what is not to be drawn.
            rain: fields of `RainParameters`, and `rates` to draw from;
            haze: fields of `HazeParameters`;
            noise: `sigma`, `variant`;
            exposure: fields of `ExposureParameters`, drawn `ev` is one of MSEC's five;
            haze_rain_noise, rain_noise: a mapping for each step, e.g. `noise={"sigma": 25}`;
            down_x2: `degradations` (names of further steps, none of them needed), `order`
            (`X2_ORDERS`), and a mapping for each step.

    Returns:
        The degraded image, float32 in [0, 1], not rounded to 8 bits (half as large for
        `down_x2`), and everything it was made with, which `json.dumps` takes: flat for kinds of
        one step, one entry per step for the others.

    Raises:
        UnknownNameError: unknown kind or parameter, with the nearest names.
        ValueError: an image, disparity or value that does not fit.

    >>> grey = np.full((48, 64, 3), 0.5, dtype=np.float32)
    >>> hazy, record = synthesise("haze", grey, np.random.default_rng(0), beta=0.2)
    >>> record["beta"], record["depth"], hazy.dtype.name
    (0.2, 'generated', 'float32')
    """
    if kind not in KINDS:
        raise unknown_name("degradation", kind, KINDS)
    check_image(image, "image to degrade")
    if disparity is not None and disparity.shape != image.shape[:2]:
        raise ValueError(
            f"synthesis: the image is {image.shape[:2]}, its disparity {disparity.shape}; "
            "equal sizes needed"
        )
    steps, per_step = _planned_steps(kind, parameters)
    degraded, record = apply_sequence(
        image,
        steps,
        generator,
        disparity=disparity,
        disparity_offset=disparity_offset,
        parameters=per_step,
    )
    return degraded, record[kind] if kind in STEPS else record
