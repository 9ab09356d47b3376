"""When photographs are cut up, and into what."""

from __future__ import annotations

import logging

import pytest
import torch

from ndr.evaluation.tiling import TilingError
from ndr.method import PRESETS, MethodInfo, SizeRequirements, Tiling
from ndr.photos.tile_stream import chosen_tiles, measured_need
from ndr.registry import create, method_classes


def info(tiling: Tiling) -> MethodInfo:
    return MethodInfo(
        name="some",
        paper_label="Some",
        citation="none (test)",
        tasks=frozenset({"noise"}),
        presets={tier: {} for tier in PRESETS},
        sizes=SizeRequirements(multiple_of=8),
        tiling=tiling,
    )


@pytest.mark.parametrize("tiling", [Tiling.SUPPORTED, Tiling.DISCOURAGED])
def test_small_photographs_go_through_in_one_pass(tiling: Tiling) -> None:
    choice = chosen_tiles(info(tiling), 1, "auto", None)
    assert choice.grid_for(480, 640) is None
    grid = choice.grid_for(4000, 6000)
    assert grid is not None
    assert grid.tile == 512
    assert choice.grid_for(4000, 6001) is grid
    doubled = chosen_tiles(info(tiling), 2, "auto", None)
    assert doubled.grid_for(300, 400) is not None
    assert doubled.grid_for(4000, 6000).tile == 256


def test_a_network_that_looks_far_gets_what_three_gigabytes_hold() -> None:
    wide = info(Tiling.DISCOURAGED)
    narrow = chosen_tiles(wide, 1, "auto", None, need=lambda: 2000.0)
    assert narrow.grid_for(1000, 1500) is None
    grid = narrow.grid_for(1001, 1500)
    assert grid is not None
    assert grid.tile == 1216  # 1224 in steps of 64
    hungry = chosen_tiles(wide, 1, "auto", None, need=lambda: 20_000.0)
    assert hungry.grid_for(512, 640) is None
    grid = hungry.grid_for(512, 641)
    assert grid is not None
    assert grid.tile == 512


def test_a_network_that_needs_more_is_measured_to_need_more() -> None:
    def need(method: str, **arguments: int) -> float | None:
        created = create(method, "small", **arguments).eval()
        measure = measured_need(created, torch.device("cpu"))
        return None if measure is None else measure()

    narrow, wide = need("restormer"), need("restormer", width=16)
    assert narrow is not None
    assert wide is not None
    # It holds the gate's two halves and their product at full size at once, single precision.
    assert narrow > 4 * 3 * 2.66 * 8
    assert 1.7 * narrow < wide < 2.1 * narrow
    assert need("ffdnet") is None  # tiles of a local network change nothing


def test_memory_is_measured_once_and_only_for_a_photograph_that_needs_tiles() -> None:
    asked: list[str] = []

    def need() -> float:
        asked.append("asked")
        return 2000.0

    wide = info(Tiling.DISCOURAGED)
    choice = chosen_tiles(wide, 1, "auto", None, need)
    assert choice.grid_for(512, 640) is None
    assert not asked
    assert choice.grid_for(1000, 1500) is None
    assert choice.grid_for(4000, 6000) is not None
    assert asked == ["asked"]
    for tile in ("512", "whole"):
        chosen_tiles(wide, 1, tile, None, need).grid_for(4000, 6000)
    assert asked == ["asked"]


def test_the_warning_comes_once_and_only_with_tiles(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        choice = chosen_tiles(info(Tiling.DISCOURAGED), 1, "auto", None)
        choice.grid_for(100, 100)
        assert not caplog.records
        choice.grid_for(4000, 6000)
        choice.grid_for(4000, 6000)
    assert len(caplog.records) == 1


def test_a_method_that_needs_the_whole_image() -> None:
    choice = chosen_tiles(info(Tiling.FORBIDDEN), 1, "auto", None)
    assert choice.grid_for(1000, 1500) is None
    with pytest.raises(TilingError, match=r"6000x4000 is more than the 1\.6 megapixels"):
        choice.grid_for(4000, 6000)
    assert chosen_tiles(info(Tiling.FORBIDDEN), 1, "whole", None).grid_for(4000, 6000) is None
    with pytest.raises(TilingError, match="needs the whole image"):
        chosen_tiles(info(Tiling.FORBIDDEN), 1, "512", None)


def test_tiles_of_a_given_size() -> None:
    choice = chosen_tiles(info(Tiling.SUPPORTED), 1, "100", None)
    assert choice.grid_for(104, 104) is None
    grid = choice.grid_for(104, 105)
    assert grid is not None
    assert (grid.tile, grid.overlap) == (104, 16)
    assert chosen_tiles(info(Tiling.SUPPORTED), 1, "100", 0).grid_for(200, 200).overlap == 0
    with pytest.raises(TilingError, match="expected auto, whole, or a number"):
        chosen_tiles(info(Tiling.SUPPORTED), 1, "some", None)


def test_every_registered_method_has_usable_tiles() -> None:
    for cls in method_classes():
        choice = chosen_tiles(cls.info, cls.info.scale, "auto", None)
        if cls.info.tiling is not Tiling.FORBIDDEN:
            assert choice.grid_for(4000, 6000) is not None, cls.info.name
