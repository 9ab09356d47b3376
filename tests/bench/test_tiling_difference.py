"""What tiles change: nothing for local networks, and for NDR-Restore what docs/restore.md says."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from bench.tiling_difference import noisy_photograph, tiling_difference
from ndr.evaluation.tiling import TileGrid
from ndr.method import Batch, Method, TrainingContext
from ndr.photos.tile_stream import chosen_tiles
from ndr.registry import create
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "restore.md"
ROW = re.compile(
    r"^\| (\w+), (\d+)x(\d+) \| (\d+) \| ([\d.]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) % \|$", re.M
)
BOUND = re.compile(
    r"tiles of (\d+) pixels or more: mean below ([\d.]+) grey levels, no value more than (\d+), "
    r"at most ([\d.]+) % of the change"
)
STEPS = 12


@pytest.fixture(scope="module")
def trained() -> Method:
    """NDR-Restore of the quick tier's size after some steps on noise: it does change photographs.

    Untrained it returns its input, and tiles would change nothing.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create("ndr_restore", "small", lambda_degrad=0.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    clean, noisy = (
        torch.from_numpy(image).permute(2, 0, 1).float() / 255
        for image in noisy_photograph("coffee")
    )
    generator = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        tops = torch.randint(0, 400 - 32, (2, 2), generator=generator).tolist()
        parts = [
            torch.stack([image[:, top : top + 32, left : left + 32] for top, left in tops])
            for image in (noisy, clean)
        ]
        batch = Batch(parts[0], parts[1], ("noise",) * 2, torch.full((2,), 25.0))
        context = TrainingContext(step, STEPS, torch.nn.functional.l1_loss)
        losses = network.training_losses(batch, context)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
    return network.eval().requires_grad_(False)


def page_bound() -> tuple[int, float, int, float]:
    """Tile, mean, largest and share that the page states as a bound."""
    found = BOUND.search(" ".join(PAGE.read_text(encoding="utf-8").split()))
    assert found is not None, "docs/restore.md states no bound"
    return int(found[1]), float(found[2]), int(found[3]), float(found[4]) / 100


def test_the_table_of_the_page_keeps_the_bound_of_the_page() -> None:
    tile, mean, largest, share = page_bound()
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) >= 8
    assert min(int(row[3]) for row in rows) == tile
    assert max(float(row[4]) for row in rows) < mean
    assert max(int(row[5]) for row in rows) <= largest
    assert max(float(row[7]) for row in rows) <= 100 * share


def test_tiles_change_ndr_restore_by_what_the_page_says(trained: Method) -> None:
    tile, mean, largest, share = page_bound()
    _, noisy = noisy_photograph("astronaut")
    noisy = np.ascontiguousarray(noisy[60:188, 160:384])
    grid = chosen_tiles(trained.info, 1, str(tile), None).grid_for(*noisy.shape[:2])
    assert grid is not None
    found = tiling_difference(trained, noisy, grid)
    # Attention and CP vectors are statistics of the tile: the difference is not zero.
    assert 0 < found.mean < mean
    assert found.largest <= largest
    assert found.share <= share


def test_smaller_tiles_change_more(trained: Method) -> None:
    """The bound above is one of the tile's size; without one it could not fail."""
    tile, _, largest, share = page_bound()
    _, noisy = noisy_photograph("astronaut")
    noisy = np.ascontiguousarray(noisy[60:188, 160:384])
    large = tiling_difference(trained, noisy, TileGrid(tile, tile // 8, "discouraged"))
    small = tiling_difference(trained, noisy, TileGrid(16, 0, "discouraged"))
    assert small.mean > large.mean
    assert small.share > share
    assert small.largest > largest


def test_tiles_change_nothing_for_a_network_that_looks_around_a_little() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create("dncnn", "smoke").eval().requires_grad_(False)
    _, noisy = noisy_photograph("astronaut")
    noisy = np.ascontiguousarray(noisy[:100, :300])
    overlap = chosen_tiles(network.info, 1, "auto", None).overlap
    found = tiling_difference(network, noisy, TileGrid(2 * overlap, overlap, "supported"))
    # Single precision may fall on the other side of a half.
    assert found.largest <= 1
    assert found.mean < 1e-3
