"""Tiles: what they may change, what they must not, and when they are refused."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.evaluation.tiling import (
    TileGrid,
    TilingError,
    blending_weights,
    restore_in_tiles,
    tile_grid,
    tile_starts,
)
from ndr.method import (
    PRESETS,
    ImageError,
    Method,
    MethodInfo,
    SideInformation,
    SizeRequirements,
    Tiling,
)
from ndr.registry import method_class


def info(**changes: Any) -> MethodInfo:
    content = {
        "name": "local",
        "paper_label": "Local",
        "citation": "none (test)",
        "tasks": frozenset({"noise"}),
        "presets": {tier: {} for tier in PRESETS},
    }
    return MethodInfo(**(content | changes))


class Local(Method):
    """Three 3x3 convolutions: it looks 3 pixels around."""

    info = info()

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1),
        )  # fmt: skip
        self.largest = 0

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        self.largest = max(self.largest, degraded.shape[-1], degraded.shape[-2])
        return self.layers(degraded)


class Strided(Local):
    """At half resolution: the answer depends on where the grid of 2x2 cells starts."""

    info = info(sizes=SizeRequirements(minimum=4, multiple_of=4))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        pooled = F.max_pool2d(self.layers(degraded), 4)
        return F.interpolate(pooled, scale_factor=4, mode="nearest") + degraded


class Enlarging(Local):
    """Scale 2, with a 3x3 view on both sizes."""

    info = info(scale=2, tasks=frozenset({"down_x2"}))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        return self.layers(F.interpolate(degraded, scale_factor=2, mode="nearest"))


def created(cls: type[Local]) -> Local:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return cls().eval()


def image(height: int, width: int) -> Tensor:
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("cls", [Local, Strided, Enlarging])
@pytest.mark.parametrize(("height", "width"), [(75, 97), (40, 130), (33, 20), (64, 64)])
@torch.inference_mode()
def test_tiles_of_a_local_network_join_without_a_trace(
    cls: type[Local], height: int, width: int
) -> None:
    method, degraded = created(cls), image(height, width)
    grid = tile_grid(cls.info, tile=40, overlap=16)
    assert grid is not None
    tiled = restore_in_tiles(method, degraded, SideInformation(), grid)
    assert method.largest <= 2 * grid.tile if cls is Enlarging else method.largest <= grid.tile
    whole = method.restore(degraded)
    assert tiled.shape == whole.shape
    torch.testing.assert_close(tiled, whole, atol=2e-6, rtol=0)


@torch.inference_mode()
def test_too_small_an_overlap_leaves_a_trace() -> None:
    """The comparison above can fail: 2 shared pixels are less than this network looks around."""
    method, degraded = created(Local), image(75, 97)
    grid = tile_grid(Local.info, tile=40, overlap=2)
    assert grid is not None
    difference = restore_in_tiles(method, degraded, SideInformation(), grid) - method.restore(
        degraded
    )
    assert difference.abs().max() > 1e-3


@pytest.mark.parametrize("length", [1, 39, 40, 41, 63, 64, 97, 200, 481])
@pytest.mark.parametrize(("tile", "overlap"), [(40, 0), (40, 1), (40, 13), (40, 20), (7, 3)])
def test_weights_sum_to_one_at_every_pixel(length: int, tile: int, overlap: int) -> None:
    grid = TileGrid(tile, overlap, "supported")
    starts = tile_starts(length, grid)
    weights = blending_weights(length, starts, grid)
    total = torch.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        assert len(weight) == min(tile, length)
        assert (weight >= 0).all()
        total[start : start + len(weight)] += weight
        # No weight where a tile ends inside the image and its context is missing.
        margin = overlap // 4
        if start > 0 and margin:
            assert weight[:margin].eq(0).all()
        if start + tile < length and margin:
            assert weight[-margin:].eq(0).all()
    torch.testing.assert_close(total, torch.ones(length), atol=1e-6, rtol=0)
    assert starts[-1] == max(0, length - tile)


@torch.inference_mode()
def test_side_information_is_cut_with_the_tiles() -> None:
    degraded, clean = image(50, 61), image(50, 61).flip(-1)
    grid = TileGrid(24, 8, "supported")
    restored = restore_in_tiles(
        method_class("oracle")(), degraded, SideInformation(clean=clean), grid
    )
    torch.testing.assert_close(restored, clean, atol=1e-6, rtol=0)


def test_bad_images_are_refused() -> None:
    degraded = image(50, 50)
    degraded[0, 0, 3, 3] = torch.nan
    grid = TileGrid(24, 8, "supported")
    with pytest.raises(ImageError, match="1 values are NaN"):
        restore_in_tiles(created(Local), degraded, SideInformation(), grid)


def test_methods_decide_about_tiles(caplog: pytest.LogCaptureFixture) -> None:
    assert tile_grid(info(tiling=Tiling.FORBIDDEN), None, 32) is None
    with pytest.raises(TilingError, match="local needs the whole image"):
        tile_grid(info(tiling=Tiling.FORBIDDEN), 128, 32)
    with caplog.at_level(logging.WARNING):
        grid = tile_grid(info(), 128, 32)
        assert grid is not None
        assert grid == TileGrid(128, 32, "supported")
        assert not caplog.records
        grid = tile_grid(info(tiling=Tiling.DISCOURAGED), 128, 32)
    assert grid is not None
    assert grid.declared == "discouraged"
    assert "statistics of the whole image" in caplog.text


def test_sizes_are_rounded_up_to_what_the_network_needs() -> None:
    of_eight = info(sizes=SizeRequirements(minimum=48, multiple_of=8))
    assert tile_grid(of_eight, 100, 30) == TileGrid(104, 32, "supported")
    assert tile_grid(of_eight, 10, 9) == TileGrid(48, 16, "supported")


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0), (32, -1), (32, 17)])
def test_contradicting_sizes_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(TilingError, match=r"expected tile|more than half"):
        tile_grid(info(), tile, overlap)


def test_the_grid_does_not_grow_with_the_image() -> None:
    """Memory is bounded: a larger image means more tiles, not larger ones."""
    seen = SimpleNamespace(count=0)
    grid = TileGrid(32, 8, "supported")
    for side in (32, 64, 256):
        count = len(tile_starts(side, grid)) ** 2
        assert count > seen.count
        seen.count = count
    method = created(Local)
    with torch.inference_mode():
        restore_in_tiles(method, image(100, 150), SideInformation(), grid)
    assert method.largest == 32
