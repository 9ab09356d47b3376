"""Degradations by name, alone or one after the other (paper Tables VI, VIII)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from ndr.degradations.downsampling import downsample_bicubic
from ndr.degradations.exposure import ExposureParameters, draw_exposure_parameters, expose
from ndr.degradations.gaussian_noise import add_gaussian_noise
from ndr.degradations.haze import HazeParameters, add_haze, draw_haze_parameters, transmission
from ndr.degradations.image_check import check_image
from ndr.degradations.rain_streaks import RAIN_RATES, RainParameters, add_rain, draw_rain_parameters
from ndr.degradations.scene_depth import depth_from_disparity, generated_depth
from ndr.nearest_name import check_names
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


Drawn = TypeVar("Drawn", RainParameters, HazeParameters, ExposureParameters)


def _fixed(kind: str, drawn: Drawn, given: Mapping[str, Any], *others: str) -> Drawn:
    """What was drawn, with the fields that are given in its place; lists of YAML become tuples."""
    names: list[str] = [field.name for field in dataclasses.fields(drawn)]
    check_names(f"parameter of {kind}", given, [*names, *others])
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
    }
    return dataclasses.replace(drawn, **values)


def _rain(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Rain streaks; `rates` limits the draw, fields of `RainParameters` fix what is drawn."""
    fixed = dict(given)
    rates = tuple(fixed.pop("rates", RAIN_RATES))
    parameters = _fixed("rain", draw_rain_parameters(generator, rates), fixed, "rates")
    return add_rain(image, parameters, generator), dataclasses.asdict(parameters)


def _haze(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Haze; fields of `HazeParameters` fix what is drawn."""
    parameters = _fixed("haze", draw_haze_parameters(generator), given)
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
    sigma, variant = float(given.get("sigma", drawn)), str(given.get("variant", "float_clip"))
    noisy = add_gaussian_noise(image, sigma, variant, generator)
    return noisy, {"sigma": sigma, "variant": variant}


def _exposure(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Wrong exposure; fields of `ExposureParameters` fix what is drawn."""
    parameters = _fixed("exposure", draw_exposure_parameters(generator), given)
    return expose(image, parameters), dataclasses.asdict(parameters)


def _down(
    image: np.ndarray, scene: Scene, generator: np.random.Generator, given: Mapping[str, Any]
) -> tuple[np.ndarray, Parameters]:
    """Bicubic reduction by 2."""
    check_names("parameter of down", given, ("factor", "round_8_bits"))
    factor, rounded = int(given.get("factor", 2)), bool(given.get("round_8_bits", True))
    small = downsample_bicubic(image, factor, round_8_bits=rounded)
    return small, {"factor": factor, "round_8_bits": rounded}


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


def x2_steps(degradations: Sequence[str], order: str = "degrade_then_down") -> tuple[str, ...]:
    """Put the reduction by 2 after or before the other degradations.

    The paper does not say which (Table VI). After is the default: noise of full level on the
    small image would put the printed PSNR out of reach (docs/protocols.md).

    >>> x2_steps(["noise"])
    ('noise', 'down')
    >>> x2_steps(["noise"], "down_then_degrade")
    ('down', 'noise')
    """
    check_names("order of x2", [order], X2_ORDERS)
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

    >>> grey = np.full((48, 64, 3), 0.5, dtype=np.float32)
    >>> hazy, record = synthesise("haze", grey, np.random.default_rng(0), beta=0.2)
    >>> record["beta"], record["depth"], hazy.dtype.name
    (0.2, 'generated', 'float32')
    """
    check_names("degradation", [kind], KINDS)
    check_image(image, "image to degrade")
    if disparity is not None and disparity.shape != image.shape[:2]:
        raise ValueError(
            f"synthesis: the image is {image.shape[:2]}, its disparity {disparity.shape}; "
            "equal sizes needed"
        )
    steps = KINDS[kind]
    if kind == "down_x2":
        order = parameters.pop("order", X2_ORDERS[0])
        steps = x2_steps(parameters.pop("degradations", ()), order)
    if kind in STEPS:
        parameters = {kind: parameters}
    check_names(f"parameter of {kind}", parameters, steps)
    degraded, record = apply_sequence(
        image,
        steps,
        generator,
        disparity=disparity,
        disparity_offset=disparity_offset,
        parameters=parameters,
    )
    return degraded, record[kind] if kind in STEPS else record
