"""Bicubic resampling inside networks equals that of the data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ndr.degradations.downsampling import cubic_kernel, resize_bicubic
from ndr.layers.bicubic import CUBIC, enlarge_bicubic, reduce_bicubic


def images(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def pixels(image: Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).numpy()


def test_weights_are_the_kernel() -> None:
    assert list(CUBIC.values()) == cubic_kernel(np.array(list(CUBIC))).tolist()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (16, 23)])
def test_enlarging_equals_that_of_the_data(size: tuple[int, int]) -> None:
    batch = images(*size)
    enlarged = enlarge_bicubic(batch)
    assert enlarged.shape == (2, 3, 2 * size[0], 2 * size[1])
    for image, result in zip(batch, enlarged, strict=True):
        expected = resize_bicubic(pixels(image), 2.0)
        np.testing.assert_allclose(pixels(result.clamp(0, 1)), expected.clip(0, 1), atol=1e-6)
        np.testing.assert_allclose(pixels(result), expected, atol=1e-6)


@pytest.mark.parametrize("size", [(2, 2), (4, 6), (16, 22)])
def test_reducing_equals_that_of_the_data(size: tuple[int, int]) -> None:
    batch = images(*size)
    for image, result in zip(batch, reduce_bicubic(batch), strict=True):
        np.testing.assert_allclose(pixels(result), resize_bicubic(pixels(image), 0.5), atol=1e-6)


def test_reducing_refuses_odd_sides() -> None:
    with pytest.raises(ValueError, match=r"expected even sides, found \(4, 5\)"):
        reduce_bicubic(images(4, 5))


@pytest.mark.parametrize("resample", [enlarge_bicubic, reduce_bicubic])
def test_differentiable(resample) -> None:
    image = images(2, 4)[:1, :1].double().requires_grad_()
    assert torch.autograd.gradcheck(resample, image)


def test_precision_survives_autocast() -> None:
    batch = images(6, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(enlarge_bicubic(batch), enlarge_bicubic(batch.clone()))
        enlarged = enlarge_bicubic(batch)
    assert enlarged.dtype == torch.float32
    assert torch.equal(enlarged, enlarge_bicubic(batch))
