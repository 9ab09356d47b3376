"""IRCNN: which network restores an image, and which one learns from it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from baselines.denoising.ircnn import IRCNN, OFFICIAL_LEVELS
from ndr.method import Batch, SideInformation, TrainingContext, parameter_count
from ndr.registry import create, load_official


def distinct(network: IRCNN) -> IRCNN:
    """Networks that differ, and do something."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def test_each_network_has_the_published_size() -> None:
    with torch.device("meta"):
        method = create("ircnn")
    assert method.levels == (15, 25, 50)
    assert [parameter_count(network) for network in method.networks] == 3 * [188_163]


def test_dilations_are_the_published_ones() -> None:
    network = create("ircnn", "smoke").networks[0]
    convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    assert [c.dilation[0] for c in convolutions] == [1, 2, 3, 4, 3, 2, 1]
    assert all(c.padding == c.dilation for c in convolutions)


@pytest.mark.parametrize(
    ("sigma", "level"), [(0, 15), (15, 15), (15.5, 25), (25, 25), (26, 50), (50, 50), (75, 50)]
)
def test_level_picks_the_network(sigma: float, level: int) -> None:
    method = create("ircnn", "smoke", levels=(15.0, 25.0, 50.0))
    index = int(method.network_of(torch.tensor([float(sigma)])))
    assert method.levels[index] == level


def test_official_bank_is_picked_as_the_authors_do() -> None:
    """Their index for a level from 1 to 50: ceil(sigma / 2) - 1, at most 24."""
    method = IRCNN(channels=2, levels=OFFICIAL_LEVELS)
    for sigma in range(1, 80):
        expected = min(24, -(-sigma // 2) - 1)
        assert int(method.network_of(torch.tensor([float(sigma)]))) == expected


def test_images_of_a_batch_go_to_their_networks() -> None:
    method = distinct(create("ircnn", "smoke")).eval()
    images = torch.rand(4, 3, 12, 10)
    sigma = torch.tensor([50.0, 10.0, 50.0, 25.0])
    with torch.no_grad():
        restored = method.restore(images, SideInformation(sigma=sigma))
        for index, network in enumerate((1, 0, 1, 0)):
            image = images[index : index + 1]
            expected = image - method.networks[network](image)
            torch.testing.assert_close(restored[index : index + 1], expected)


def test_networks_learn_from_their_own_level() -> None:
    method = distinct(create("ircnn", "smoke"))
    batch = Batch(
        torch.rand(2, 3, 12, 12), torch.rand(2, 3, 12, 12), ("noise",) * 2, torch.full((2,), 50.0)
    )
    losses = method.training_losses(batch, TrainingContext(0, 1, F.mse_loss))
    sum(losses.values()).backward()
    assert all(p.grad is None for p in method.networks[0].parameters())
    assert all(p.grad is not None and p.grad.any() for p in method.networks[1].parameters())


def test_published_bank_of_25_networks_loads(tmp_path) -> None:
    """The authors' file: a state dict per level, under its number."""
    bank = distinct(IRCNN(channels=6, levels=OFFICIAL_LEVELS)).eval()
    content = {
        str(index): {f"model.{key}": value for key, value in network.state_dict().items()}
        for index, network in enumerate(bank.networks)
    }
    path = tmp_path / "ircnn_color.pth"
    torch.save(content, path)
    loaded = load_official("ircnn", path, "smoke", channels=6)
    images, side = torch.rand(1, 3, 9, 9), SideInformation(sigma=26.0)
    with torch.no_grad():
        expected = images - bank.networks[12](images)
        torch.testing.assert_close(loaded.restore(images, side), expected)


def test_refuses_levels_that_do_not_ascend() -> None:
    for levels in ((), (25.0, 15.0), (15.0, 15.0)):
        with pytest.raises(ValueError, match="expected ascending noise levels"):
            IRCNN(levels=levels)


def test_identity_start_carries_the_image() -> None:
    """Positive values on three channels, negative ones on the next three, up to the last layer."""
    network = create("ircnn", "smoke").networks[0]
    image = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        features = network[:-1](image)[:, :6]
    torch.testing.assert_close(features, torch.cat([image.clamp(min=0), (-image).clamp(min=0)], 1))
    with pytest.raises(ValueError, match="needs at least 6 channels, found 5"):
        create("ircnn", "smoke", channels=5)
