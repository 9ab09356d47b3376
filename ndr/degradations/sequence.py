"""Degradations of one image by name, alone or one after the other (paper Tables VI, VIII)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ndr.degradations.downsampling import downsample_bicubic
from ndr.degradations.exposure import ExposureParameters, draw_exposure_parameters, expose
from ndr.degradations.gaussian_noise import add_gaussian_noise
from ndr.degradations.haze import HazeParameters, add_haze, draw_haze_parameters, transmission
from ndr.degradations.rain_streaks import RainParameters, add_rain, draw_rain_parameters
from ndr.degradations.scene_depth import depth_from_disparity, generated_depth
from ndr.nearest_name import check_names, unknown_name
from ndr.seeds import numpy_generator

Parameters = dict[str, Any]
NOISE_SIGMAS = (15.0, 25.0, 50.0)
X2_ORDERS = ("degrade_then_down", "down_then_degrade")


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What a degradation may know of the picture beside its pixels."""

    clean: np.ndarray
    """The undegraded picture at full size, float32 (H, W, 3)."""
    disparity: np.ndarray | None = None
    """Measured disparity (H, W) of the picture at full size; None: depth is invented."""
    disparity_offset: float = 0.0
    """Pixels to add to the disparity, see `scene_depth.depth_from_disparity`."""


def _rain(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Rain streaks; `rates` limits the draw, fields of `RainParameters` fix what is drawn."""
    names = [field.name for field in dataclasses.fields(RainParameters)]
    check_names("parameter of rain", given, [*names, "rates"])
    fixed = {key: value for key, value in given.items() if key != "rates"}
    if "layer_edges" in fixed:
        fixed["layer_edges"] = tuple(fixed["layer_edges"])
    rates = {"rates": tuple(given["rates"])} if "rates" in given else {}
    parameters = dataclasses.replace(draw_rain_parameters(generator, **rates), **fixed)
    return add_rain(image, parameters, generator), dataclasses.asdict(parameters)


def _haze(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Haze; fields of `HazeParameters` fix what is drawn."""
    names = [field.name for field in dataclasses.fields(HazeParameters)]
    check_names("parameter of haze", given, names)
    fixed = dict(given)
    if "optical_depth_limits" in fixed:
        fixed["optical_depth_limits"] = tuple(fixed["optical_depth_limits"])
    parameters = dataclasses.replace(draw_haze_parameters(generator), **fixed)
    height, width = scene.clean.shape[:2]
    if scene.disparity is None:
        depth = generated_depth(height, width, generator, guide=scene.clean)
    else:
        depth = depth_from_disparity(scene.disparity, scene.disparity_offset)
    if image.shape[:2] != depth.shape:
        # After a reduction the depth of a pixel is that of the middle of what it covers.
        step = height // image.shape[0]
        depth = depth[step // 2 :: step, step // 2 :: step]
    record = {
        **dataclasses.asdict(parameters),
        "depth": "generated" if scene.disparity is None else "disparity",
        "mean_transmission": float(transmission(depth, parameters).mean()),
    }
    return add_haze(image, depth, parameters), record


def _noise(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Gaussian noise; `sigma` is drawn from 15, 25, 50 where it is not given."""
    check_names("parameter of noise", given, ("sigma", "variant"))
    drawn = float(generator.choice(NOISE_SIGMAS))
    record = {
        "sigma": float(given.get("sigma", drawn)),
        "variant": given.get("variant", "float_clip"),
    }
    return add_gaussian_noise(image, record["sigma"], record["variant"], generator), record


def _exposure(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Wrong exposure; fields of `ExposureParameters` fix what is drawn."""
    names = [field.name for field in dataclasses.fields(ExposureParameters)]
    check_names("parameter of exposure", given, names)
    parameters = dataclasses.replace(draw_exposure_parameters(generator), **given)
    return expose(image, parameters), dataclasses.asdict(parameters)


def _down(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Bicubic reduction by 2."""
    check_names("parameter of down", given, ("factor", "round_8_bits"))
    record = {
        "factor": int(given.get("factor", 2)),
        "round_8_bits": bool(given.get("round_8_bits", True)),
    }
    return downsample_bicubic(image, record["factor"], round_8_bits=record["round_8_bits"]), record


Step = Callable[
    [np.ndarray, Scene, np.random.Generator, Mapping[str, Any]], tuple[np.ndarray, Parameters]
]
STEPS: dict[str, Step] = {
    "rain": _rain,
    "haze": _haze,
    "noise": _noise,
    "exposure": _exposure,
    "down": _down,
}


def x2_steps(degradations: Sequence[str], order: str = "degrade_then_down") -> tuple[str, ...]:
    """Put the reduction by 2 after or before the other degradations.

    The paper does not say which (Table VI). After is the default: noise of full level on the
    small image would put the printed PSNR out of reach (docs/protocols.md).

    >>> x2_steps(["noise"])
    ('noise', 'down')
    >>> x2_steps(["noise"], "down_then_degrade")
    ('down', 'noise')
    """
    if order not in X2_ORDERS:
        raise unknown_name("order of x2", order, X2_ORDERS)
    return (*degradations, "down") if order == "degrade_then_down" else ("down", *degradations)


def apply_sequence(
    image: np.ndarray,
    steps: Sequence[str],
    generator: np.random.Generator,
    *,
    disparity: np.ndarray | None = None,
    disparity_offset: float = 0.0,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[np.ndarray, dict[str, Parameters]]:
    """Apply degradations in order, each with its own generator.

    One number is drawn from `generator`; the generator of each step is derived from it and the
    step's name. So the noise of a sequence is the same with and without rain before it.

    Args:
        image: clean, or degraded already (haze then needs the depth of what it shows), float32
            (H, W, 3), RGB in [0, 1].
        steps: names in `STEPS`, each once.
        generator: source of all draws.
        disparity: measured disparity (H, W) for haze; None: depth is invented.
        disparity_offset: pixels to add to it, see `scene_depth.depth_from_disparity`.
        parameters: per step, what is not to be drawn, e.g. `{"noise": {"sigma": 25}}`.

    Returns:
        The degraded image, float32, half as large after "down", and what each step was made with
        (plain numbers and texts, in the steps' order).

    Raises:
        UnknownNameError: unknown step, or parameter of a step, with the nearest names.
        ValueError: a step twice, or parameters for a step that is not applied.

    >>> grey = np.full((32, 32, 3), 0.5, dtype=np.float32)
    >>> small, record = apply_sequence(grey, ("noise", "down"), np.random.default_rng(0),
    ...                                parameters={"noise": {"sigma": 25}})
    >>> small.shape, record["noise"]["sigma"]
    ((16, 16, 3), 25.0)
    """
    check_names("degradation", steps, STEPS)
    parameters = parameters or {}
    check_names("degradation with parameters", parameters, steps)
    if len(set(steps)) != len(steps):
        raise ValueError(f"sequence: expected each degradation once, found {list(steps)}")
    base = int(generator.integers(2**63))
    scene = Scene(image, disparity, disparity_offset)
    record: dict[str, Parameters] = {}
    for name in steps:
        image, record[name] = STEPS[name](
            image, scene, numpy_generator(base, name), parameters.get(name, {})
        )
    return image, record
