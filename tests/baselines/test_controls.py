"""The control methods bound what a table can show."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ndr.layers.bicubic import mirrored_indices
from ndr.method import SideInformation
from ndr.registry import create


def test_identity_returns_a_copy() -> None:
    image = torch.rand(2, 3, 7, 9)
    restored = create("identity").restore(image)
    assert torch.equal(restored, image)
    assert restored.data_ptr() != image.data_ptr()


def test_oracle_returns_the_truth() -> None:
    clean = torch.rand(1, 3, 7, 9)
    assert torch.equal(
        create("oracle").restore(torch.rand(1, 3, 7, 9), SideInformation(clean=clean)), clean
    )


def keys_kernel(distance: float) -> float:
    """Cubic convolution kernel with a = -1/2 (Keys 1981, Eq. 15)."""
    s = abs(distance)
    if s < 1:
        return 1.5 * s**3 - 2.5 * s**2 + 1
    if s < 2:
        return -0.5 * s**3 + 2.5 * s**2 - 4 * s + 2
    return 0.0


def literal_enlargement(image: Tensor, scale: int) -> Tensor:
    """One sum for each output pixel; borders continued by a mirror on the outer edge."""

    def mirrored(index: int, length: int) -> int:
        while not 0 <= index < length:
            index = -1 - index if index < 0 else 2 * length - 1 - index
        return index

    _, height, width = image.shape
    enlarged = torch.zeros(3, scale * height, scale * width, dtype=torch.float64)
    for row in range(scale * height):
        y = (row + 0.5) / scale - 0.5
        for column in range(scale * width):
            x = (column + 0.5) / scale - 0.5
            for j in range(math.floor(y) - 1, math.floor(y) + 3):
                for i in range(math.floor(x) - 1, math.floor(x) + 3):
                    weight = keys_kernel(y - j) * keys_kernel(x - i)
                    pixel = image[:, mirrored(j, height), mirrored(i, width)]
                    enlarged[:, row, column] += weight * pixel
    return enlarged


@pytest.mark.parametrize(("scale", "height", "width"), [(2, 7, 10), (3, 5, 4), (2, 1, 3)])
def test_bicubic_is_cubic_convolution(scale: int, height: int, width: int) -> None:
    image = torch.rand(1, 3, height, width, dtype=torch.float64)
    restored = create("bicubic", scale=scale).restore(image)
    torch.testing.assert_close(
        restored[0], literal_enlargement(image[0], scale), atol=1e-12, rtol=0
    )


def test_bicubic_refuses_to_be_the_identity() -> None:
    for scale in (1, 0, 1.5):
        with pytest.raises(ValueError, match="at scale 1 use the method 'identity'"):
            create("bicubic", scale=scale)


def test_mirror_repeats_on_short_axes() -> None:
    assert mirrored_indices(1, 2).tolist() == [0, 0, 0, 0, 0]
    assert mirrored_indices(2, 3).tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
