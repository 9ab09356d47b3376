"""Wide features in bands of rows: the same numbers, and less memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ndr.layers import row_bands
from ndr.layers.row_bands import in_row_bands
from ndr.layers.transformer_block import TransformerBlock


def layer(channels: int, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    wide = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=bias)
    return nn.Sequential(nn.Conv2d(4, channels, 1, bias=bias), wide).double()


def features(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def heights(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bands of eight rows; filled with how many rows each call sees."""
    monkeypatch.setattr(row_bands, "BAND_BYTES", 1)
    return []


@pytest.mark.parametrize("height", [9, 16, 17, 40])
@pytest.mark.parametrize("batch", [1, 3])
def test_bands_equal_the_whole_at_every_border(batch: int, height: int, heights: list[int]) -> None:
    widen, image = layer(6), features(batch, 4, height, 5)

    def counted(part: Tensor) -> Tensor:
        heights.append(part.shape[2])
        return widen(part)

    with torch.inference_mode():
        result = in_row_bands(image, 6, counted, torch.tanh)
        assert len(heights) == -(-height // 8)
        assert max(heights) <= 10
        torch.testing.assert_close(result, torch.tanh(widen(image)), rtol=0, atol=1e-12)
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_gradients_need_the_whole(heights: list[int]) -> None:
    def counted(part: Tensor) -> Tensor:
        heights.append(part.shape[2])
        return part

    in_row_bands(features(1, 4, 40, 5), 4, counted)
    assert heights == [40]


def test_small_images_are_one_band(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_bands, "BAND_BYTES", 40 * 5 * 4 * 8)
    seen: list[int] = []

    def counted(part: Tensor) -> Tensor:
        seen.append(part.shape[2])
        return part

    with torch.inference_mode():
        in_row_bands(features(1, 4, 40, 5), 4, counted)
        assert seen == [40]
        in_row_bands(features(1, 4, 41, 5), 4, counted)
    assert seen == [40, 41, 2]


@pytest.mark.parametrize("bias", [False, True])
def test_a_transformer_block_restores_as_it_was_trained(bias: bool, heights: list[int]) -> None:
    assert not heights
    torch.manual_seed(0)
    block = TransformerBlock(8, 2, bias=bias).double()
    image = features(2, 8, 29, 12)
    whole = block(image).detach()
    with torch.inference_mode():
        torch.testing.assert_close(block(image), whole, rtol=0, atol=1e-12)
