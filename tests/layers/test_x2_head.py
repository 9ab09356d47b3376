"""The x2 head, and what it adds to the networks of scale 1."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.bicubic import enlarge_bicubic, reduce_bicubic
from ndr.layers.x2_head import HalvingHead, X2Head
from ndr.method import Batch, ImageError, Method, TrainingContext, parameter_count
from ndr.nearest_name import UnknownNameError
from ndr.registry import create, method_arguments, method_names

WAYS = ("pixel_shuffle", "pre_upsample")
ENLARGING = [name for name in method_names() if "upscale" in method_arguments(name, "paper", {})]
every_enlarging_method = pytest.mark.parametrize("name", ENLARGING)
every_way = pytest.mark.parametrize("upscale", WAYS)


def images(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def x2_batch() -> Batch:
    clean = images(2, 64, 64)
    degraded = reduce_bicubic(clean) + 0.05 * torch.randn(2, 3, 32, 32)
    return Batch(degraded, clean, ("down_x2", "down_x2"), torch.zeros(2))


def total_loss(method: Method, batch: Batch) -> Tensor:
    # The last step: methods that train in stages have all their losses there.
    context = TrainingContext(9, 10, F.l1_loss)
    return torch.stack(list(method.training_losses(batch, context).values())).sum()


def test_none_changes_nothing() -> None:
    image, output = images(1, 4, 6), images(1, 4, 6, seed=1)
    for head in (X2Head(), HalvingHead()):
        assert head.enter(image) is image
        assert torch.equal(head.leave(output, image), output + image)
        assert head.leave(output, image, residual=False) is output
        assert (head.first_channels, head.last_channels) == (3, 3)
    assert X2Head().scale == 1


def test_pixel_shuffle_adds_the_enlarged_input() -> None:
    head = X2Head("pixel_shuffle")
    image = images(1, 4, 6)
    output = torch.rand(1, head.last_channels, 4, 6)
    assert head.enter(image) is image
    left = head.leave(output, image)
    skip = enlarge_bicubic(image)
    for row in range(8):
        for column in range(12):
            cell = output[0, :, row // 2, column // 2].reshape(3, 2, 2)
            expected = cell[:, row % 2, column % 2] + skip[0, :, row, column]
            torch.testing.assert_close(left[0, :, row, column], expected)
    assert torch.equal(head.leave(output, image, residual=False), F.pixel_shuffle(output, 2))


def test_pre_upsample_enlarges_first() -> None:
    head = X2Head("pre_upsample")
    image, output = images(1, 4, 6), images(1, 8, 12, seed=1)
    assert torch.equal(head.enter(image), enlarge_bicubic(image))
    assert torch.equal(head.leave(output, image), output + enlarge_bicubic(image))
    assert head.last_channels == 3


def test_halving_reverses_the_sizes() -> None:
    clean = images(1, 8, 12)
    small, large = images(1, 4, 6, seed=1), images(1, 8, 12, seed=1)
    shuffled = HalvingHead("pixel_shuffle")
    assert shuffled.enter(clean).shape == (1, shuffled.first_channels, 4, 6)
    assert torch.equal(shuffled.leave(small, clean), small + reduce_bicubic(clean))
    late = HalvingHead("pre_upsample")
    assert late.enter(clean) is clean
    torch.testing.assert_close(late.leave(large, clean), reduce_bicubic(large + clean))


@pytest.mark.parametrize("head", [X2Head, HalvingHead])
def test_unknown_way_names_the_nearest(head) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'pixel_shuffle'"):
        head("pixel_shufle")


@pytest.mark.parametrize(
    ("name", "added"),
    [("restormer", 7_776), ("nafnet", 5_193), ("ndr_restore", 7_785 + 3_888)],
)
def test_added_parameters(name: str, added: int) -> None:
    def size(upscale: str) -> int:
        return parameter_count(create(name, "paper", upscale=upscale))

    with torch.device("meta"):
        assert size("pixel_shuffle") - size("none") == added
        assert size("pre_upsample") == size("none")


@every_way
@every_enlarging_method
def test_starts_at_bicubic(name: str, upscale: str) -> None:
    torch.manual_seed(0)
    method = create(name, "smoke", upscale=upscale).eval()
    degraded = images(1, 21, 18)
    with torch.no_grad():
        restored = method.restore(degraded)
    expected = enlarge_bicubic(method.info.sizes.pad(degraded))[..., :42, :36]
    torch.testing.assert_close(restored, expected, atol=1e-6, rtol=0)


@every_way
@every_enlarging_method
def test_trains_at_twice_the_size(name: str, upscale: str) -> None:
    torch.manual_seed(0)
    method = create(name, "smoke", upscale=upscale)
    batch = x2_batch()
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-4)

    def distance() -> float:
        with torch.no_grad():
            return F.l1_loss(method.eval().restore(batch.degraded), batch.clean).item()

    before = distance()
    for _ in range(5):
        optimiser.zero_grad()
        total_loss(method.train(), batch).backward()
        optimiser.step()
    assert distance() < before


@every_way
@pytest.mark.parametrize("size", [(16, 16), (13, 22)])
def test_ndr_degrad_returns_the_degraded_size(upscale: str, size: tuple[int, int]) -> None:
    """From zero: the clean image, reduced."""
    torch.manual_seed(0)
    method = create("ndr_restore", "smoke", upscale=upscale).eval()
    clean, degraded = images(1, 2 * size[0], 2 * size[1]), images(1, *size, seed=1)
    with torch.no_grad():
        recreated = method.degrade(clean, degraded)
    assert recreated.shape == degraded.shape
    inner = (..., slice(0, -3), slice(0, -3))
    torch.testing.assert_close(recreated[inner], reduce_bicubic(clean)[inner])
    with pytest.raises(ImageError, match="clean images: expected shape"):
        method.degrade(degraded, degraded)


@every_way
def test_degradation_loss_reaches_the_representation(upscale: str) -> None:
    torch.manual_seed(0)
    method = create("ndr_restore", "smoke", upscale=upscale)
    for module in method.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.1)
    losses = method.training_losses(x2_batch(), TrainingContext(0, 10, F.l1_loss))
    losses["degrade"].backward()
    assert method.restoration.representation.vectors.grad.abs().sum() > 0


@every_way
def test_figures_have_the_size_of_the_features(upscale: str) -> None:
    method = create("ndr_restore", "smoke", upscale=upscale)
    tensors = method.figure_tensors(images(1, 13, 18))
    factor = 2 if upscale == "pre_upsample" else 1
    assert tensors["affinity_1"].shape[-2:] == (13 * factor, 18 * factor)
    assert tensors["degradation_2"].shape[-2:] == (-(-13 * factor // 2), 9 * factor)
