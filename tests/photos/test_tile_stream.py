"""The stream of tiles against the blending in floating point, and what a photograph may be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.evaluation.tiling import TileGrid, restore_in_tiles, tile_starts
from ndr.image_decoding import Samples
from ndr.method import (
    PRESETS,
    Method,
    MethodInfo,
    RestorationError,
    SideInformation,
    SizeRequirements,
)
from ndr.photos.tile_stream import restore_pixels, tiles_of
from ndr.registry import create
from tests.photograph_files import crop, deep

CPU = torch.device("cpu")


def info(**changes: object) -> MethodInfo:
    content = {
        "name": "statistic",
        "paper_label": "Statistic",
        "citation": "none (test)",
        "tasks": frozenset({"noise"}),
        "presets": {tier: {} for tier in PRESETS},
        "sizes": SizeRequirements(minimum=8, multiple_of=8),
    }
    return MethodInfo(**(content | changes))


class Statistic(Method):
    """At an eighth of the size, with the mean over the image: all that tiles can get wrong."""

    info = info()
    enlarge = 1

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 5, padding=2)
        self.shapes: list[tuple[int, int]] = []

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        self.shapes.append((degraded.shape[-2], degraded.shape[-1]))
        pooled = F.interpolate(F.max_pool2d(degraded, 8), scale_factor=8, mode="nearest")
        mixed = self.layer(degraded) + pooled / 2 + degraded.mean(dim=(-2, -1), keepdim=True)
        return F.interpolate(mixed, scale_factor=self.enlarge, mode="nearest")


class Enlarging(Statistic):
    info = info(scale=2)
    enlarge = 2


def created(cls: type[Statistic] = Statistic) -> Statistic:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return cls().eval()


def expected(method: Method, pixels: Samples, grid: TileGrid | None) -> np.ndarray:
    """In double precision, the whole photograph at once."""
    highest = np.iinfo(pixels.dtype).max
    colour = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    images = torch.from_numpy(colour.astype(np.float32) / highest).permute(2, 0, 1)[None]
    if grid is None:
        restored = method.restore(images)
    else:
        restored = restore_in_tiles(method, images, SideInformation(), grid)
    values = restored[0].double().permute(1, 2, 0).numpy() * highest
    values = values if pixels.ndim == 3 else values.mean(axis=2)
    return values.clip(0, highest)


@pytest.mark.parametrize("cls", [Statistic, Enlarging])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("size", [(75, 97), (40, 131), (97, 23), (5, 3), (104, 104)])
@pytest.mark.parametrize(
    "grid", [TileGrid(40, 16, "supported"), TileGrid(32, 0, "supported"), None]
)
@torch.inference_mode()
def test_the_stream_equals_blending_of_the_whole(
    cls: type[Statistic],
    dtype: type,
    grey: bool,
    size: tuple[int, int],
    grid: TileGrid | None,
) -> None:
    pixels = crop(*size) if dtype == np.uint8 else deep(crop(*size))
    pixels = np.ascontiguousarray(pixels[..., 1]) if grey else pixels
    method = created(cls)
    restored = restore_pixels(method, pixels, tiles_of(*size, grid, method), CPU)
    assert restored.dtype == dtype
    scale = method.scale
    assert restored.shape == (scale * size[0], scale * size[1], *pixels.shape[2:])
    # Half a step of rounding, and single precision.
    tolerance = 0.5 + 3e-6 * np.iinfo(dtype).max
    assert np.abs(restored - expected(method, pixels, grid)).max() <= tolerance


@torch.inference_mode()
def test_no_tile_is_larger_than_asked_for_and_all_are_told() -> None:
    method, pixels, grid = created(), crop(150, 100), TileGrid(48, 16, "supported")
    tiles = tiles_of(150, 100, grid, method)
    steps: list[int] = []
    restore_pixels(method, pixels, tiles, CPU, progress=lambda: steps.append(1))
    assert len(steps) == tiles.count == len(tile_starts(152, grid)) * len(tile_starts(104, grid))
    assert max(max(shape) for shape in method.shapes) == 48


def test_owned_pixels_share_out_the_photograph() -> None:
    for length in (23, 40, 41, 97, 131, 500):
        rows = tiles_of(length, 8, TileGrid(40, 16, "supported"), created()).rows
        covered = [
            pixel for index in range(len(rows.starts)) for pixel in range(length)[rows.owned(index)]
        ]
        assert covered == list(range(length))
        for index in range(len(rows.starts)):
            inside, owned = rows.slice_of(index), rows.owned(index)
            assert inside.start <= owned.start < owned.stop <= inside.stop


@torch.inference_mode()
def test_identity_gives_back_every_value() -> None:
    method = create("identity", "smoke")
    grey = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    colour = np.random.default_rng(0).integers(0, 256, (97, 61, 3), dtype=np.uint8)
    for pixels in (grey, colour):
        for grid in (None, TileGrid(40, 16, "supported")):
            tiles = tiles_of(*pixels.shape[:2], grid, method)
            np.testing.assert_array_equal(restore_pixels(method, pixels, tiles, CPU), pixels)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda image: image * torch.nan, "NaN or infinity"),
        (lambda image: image[..., 1:], "expected an output of shape"),
    ],
)
@torch.inference_mode()
def test_bad_output_is_an_error(output: Callable[[Tensor], Tensor], message: str) -> None:
    method = created()
    method.forward = lambda degraded, side: output(degraded)  # type: ignore[method-assign]
    with pytest.raises(RestorationError, match=message):
        restore_pixels(method, crop(), tiles_of(40, 56, None, method), CPU)


def test_a_method_without_weights_is_not_told_to_take_others() -> None:
    method = create("bm3d")
    method.forward = lambda degraded, side: degraded * torch.nan  # type: ignore[method-assign]
    side = SideInformation(sigma=25.0)
    with pytest.raises(RestorationError, match=r"bm3d: .* NaN .* with another method") as caught:
        restore_pixels(method, crop(), tiles_of(40, 56, None, method), CPU, side=side)
    assert "weights" not in str(caught.value)
