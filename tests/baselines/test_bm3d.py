"""BM3D: the wrapper's units, shapes and errors."""

from __future__ import annotations

import sys

import pytest
import torch

from ndr.method import RestorationError, SideInformation
from ndr.registry import create


def smooth_picture(side: int) -> torch.Tensor:
    """Gradients with an edge, three different colours: (1, 3, side, side)."""
    axis = torch.linspace(0.1, 0.9, side)
    edge = (axis > 0.5).float() * 0.3
    colours = torch.stack(
        [
            axis[:, None].expand(side, side),
            axis[None] * 0.5 + edge[:, None],
            0.6 - edge[None] * axis[:, None],
        ]
    )
    return colours[None]


def mean_squared_error(left: torch.Tensor, right: torch.Tensor) -> float:
    return float(((left - right) ** 2).mean())


def test_removes_the_noise_it_is_told_of() -> None:
    clean = smooth_picture(48)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)) * 25 / 255
    bm3d = create("bm3d")
    restored = bm3d.restore(clean + noise, SideInformation(sigma=25.0))
    assert mean_squared_error(restored, clean) < 0.1 * mean_squared_error(clean + noise, clean)
    timid = bm3d.restore(clean + noise, SideInformation(sigma=torch.tensor([2.5])))
    assert mean_squared_error(timid, clean) > 0.5 * mean_squared_error(clean + noise, clean)


def test_colour_is_filtered_as_the_package_does() -> None:
    from bm3d import BM3DProfile, bm3d_rgb

    profile = BM3DProfile()
    profile.num_threads = 1  # as the method has it: sums in one order
    noise = torch.randn((1, 3, 32, 40), generator=torch.Generator().manual_seed(1)) * 25 / 255
    noisy = smooth_picture(40)[..., :32, :] + noise
    pixels = noisy[0].double().permute(1, 2, 0).contiguous().numpy()
    expected = bm3d_rgb(pixels, 25 / 255, profile)
    restored = create("bm3d").restore(noisy, SideInformation(sigma=25.0))
    assert torch.equal(restored[0], torch.from_numpy(expected).permute(2, 0, 1).float())


def test_a_grey_picture_is_filtered_as_one_channel() -> None:
    """Its noise is the same in R, G and B: CBM3D would take two thirds of it for the picture."""
    from bm3d import BM3DProfile, bm3d

    profile = BM3DProfile()
    profile.num_threads = 1
    clean = smooth_picture(48)[:, :1]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2)) * 25 / 255
    noisy = (clean + noise).expand(1, 3, 48, 48)
    restored = create("bm3d").restore(noisy, SideInformation(sigma=25.0))
    alone = torch.from_numpy(bm3d(noisy[0, 0].double().numpy(), 25 / 255, profile)).float()
    assert torch.equal(restored[0], alone.expand(3, 48, 48))
    assert mean_squared_error(restored, clean) < 0.1 * float((noise**2).mean())


@pytest.mark.parametrize("colour", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.9, 0.2, 0.4)])
def test_a_constant_picture_stays_as_it_is(colour: tuple[float, float, float]) -> None:
    picture = torch.tensor(colour)[None, :, None, None].expand(1, 3, 24, 20)
    restored = create("bm3d").restore(picture, SideInformation(sigma=25.0))
    torch.testing.assert_close(restored, picture, atol=1e-6, rtol=0)


def test_where_all_is_taken_for_noise_the_mean_is_left() -> None:
    chance = torch.Generator().manual_seed(4)
    noise = 0.1 * torch.randn((1, 3, 24, 20), generator=chance)
    for picture in (0.5 + noise, 0.5 + noise[:, :1].expand(1, 3, 24, 20)):
        restored = create("bm3d").restore(picture, SideInformation(sigma=200.0))
        means = picture.mean(dim=(2, 3), keepdim=True).expand_as(picture)
        torch.testing.assert_close(restored, means, atol=0.04, rtol=0)


def test_one_constant_channel_of_the_opponent_space() -> None:
    """Red as strong as blue everywhere: their difference has no range to be stretched to."""
    clean = smooth_picture(48)
    clean[:, 2] = clean[:, 0]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3)) * 25 / 255
    noise[:, 2] = noise[:, 0]
    restored = create("bm3d").restore(clean + noise, SideInformation(sigma=25.0))
    torch.testing.assert_close(restored[:, 0], restored[:, 2], atol=1e-6, rtol=0)
    assert mean_squared_error(restored, clean) < 0.3 * mean_squared_error(clean + noise, clean)


def test_each_image_has_its_level() -> None:
    degraded = torch.rand(1, 3, 16, 16).expand(2, 3, 16, 16)
    restored = create("bm3d").restore(degraded, SideInformation(sigma=torch.tensor([5.0, 75.0])))
    # What remains of white noise falls with the level that is removed.
    assert restored[1].std() < 0.7 * restored[0].std()


def test_refuses_no_noise() -> None:
    with pytest.raises(ValueError, match="expected noise levels above 0"):
        create("bm3d").restore(torch.rand(1, 3, 16, 16), SideInformation(sigma=0.0))


def test_without_its_package_it_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `RestorationError` leaves the reason in the cells; the other test sets go on."""
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(RestorationError, match=r"not installed; the suite's extra \[bm3d\]"):
        create("bm3d").restore(smooth_picture(16), SideInformation(sigma=25.0))
