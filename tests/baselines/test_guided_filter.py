"""The guided filter, against its definition and against the one of the synthesis."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.guided_filter import box_mean, guided_filter
from ndr.degradations.scene_depth import guided_filter as guided_filter_of_the_synthesis


def literal(values: np.ndarray, guide: np.ndarray, radius: int, smoothness: float) -> np.ndarray:
    """Equations 5, 6 and 8, pixel by pixel, windows cut at the border."""
    height, width = values.shape

    def window(row: int, column: int) -> tuple[slice, slice]:
        return (
            slice(max(row - radius, 0), row + radius + 1),
            slice(max(column - radius, 0), column + radius + 1),
        )

    slope, offset = np.zeros_like(values), np.zeros_like(values)
    for row, column in np.ndindex(height, width):
        i, p = guide[window(row, column)], values[window(row, column)]
        slope[row, column] = ((i * p).mean() - i.mean() * p.mean()) / (i.var() + smoothness)
        offset[row, column] = p.mean() - slope[row, column] * i.mean()
    result = np.zeros_like(values)
    for row, column in np.ndindex(height, width):
        place = window(row, column)
        result[row, column] = slope[place].mean() * guide[row, column] + offset[place].mean()
    return result


@pytest.mark.parametrize(("height", "width", "radius"), [(11, 14, 2), (5, 9, 4), (3, 2, 8)])
def test_is_its_definition(height: int, width: int, radius: int) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64)
    guide = torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64)
    found = guided_filter(values, guide, radius, 0.02)
    for image, channel in np.ndindex(2, 3):
        expected = literal(
            values[image, channel].numpy(), guide[image, channel].numpy(), radius, 0.02
        )
        np.testing.assert_allclose(found[image, channel].numpy(), expected, atol=1e-12)
    shared = guided_filter(values, guide[:, :1], radius, 0.02)
    torch.testing.assert_close(shared[:, 0], found[:, 0])
    expected = literal(values[1, 2].numpy(), guide[1, 0].numpy(), radius, 0.02)
    np.testing.assert_allclose(shared[1, 2].numpy(), expected, atol=1e-12)


def test_equals_the_one_of_the_synthesis_away_from_the_border() -> None:
    """That one repeats the border pixel; two windows reach 2 * radius pixels."""
    generator = np.random.default_rng(0)
    values, guide = generator.random((40, 50)), generator.random((40, 50))
    expected = guided_filter_of_the_synthesis(values, guide, 3, 0.05)
    found = guided_filter(
        torch.from_numpy(values)[None, None], torch.from_numpy(guide)[None, None], 3, 0.05
    )
    inner = (slice(6, -6), slice(6, -6))
    np.testing.assert_allclose(found[0, 0].numpy()[inner], expected[inner], atol=1e-12)
    assert np.abs(found[0, 0].numpy() - expected).max() > 1e-4


def test_keeps_edges_and_flattens_texture() -> None:
    step = torch.zeros(1, 1, 24, 24)
    step[..., 12:] = 1
    texture = 0.02 * torch.randn(step.shape, generator=torch.Generator().manual_seed(0))
    smooth = guided_filter(step + texture, step + texture, 4, 0.01)
    assert (smooth - step).abs().max() < 0.1
    away = smooth[..., :4]  # windows of the windows end before the step
    assert away.std() < 0.4 * texture[..., :4].std()
    torch.testing.assert_close(
        guided_filter(step + 0.25, step, 4, 1e-6), step + 0.25, atol=1e-3, rtol=0
    )


def test_keeps_the_type() -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    single = guided_filter(images, images, 15, 1e-3)
    double = guided_filter(images.double(), images.double(), 15, 1e-3)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, atol=1e-6, rtol=0)


def test_box_mean_of_a_ramp() -> None:
    ramp = torch.arange(5.0).expand(1, 1, 5, 5)
    assert box_mean(ramp, 1)[0, 0, 2].tolist() == [0.5, 1.0, 2.0, 3.0, 3.5]
    assert box_mean(ramp.mT, 1)[0, 0, :, 2].tolist() == [0.5, 1.0, 2.0, 3.0, 3.5]


def test_refuses_what_does_not_fit() -> None:
    images = torch.rand(2, 3, 8, 8)
    with pytest.raises(
        ValueError, match=r"expected a guide of shape \(2, 3, 8, 8\) or \(2, 1, 8, 8\)"
    ):
        guided_filter(images, images[:, :2], 2, 0.1)
    for radius, smoothness in ((0, 0.1), (2, 0.0)):
        with pytest.raises(ValueError, match="expected a radius of at least 1 and a positive"):
            guided_filter(images, images, radius, smoothness)
