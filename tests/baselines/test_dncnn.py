"""DnCNN: both forms, and the way from one to the other."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from baselines.denoising.dncnn import DnCNN, NormalisedConvolution
from ndr.method import parameter_count
from ndr.registry import create


def trained_layers(network: DnCNN) -> DnCNN:
    """A network whose running estimates and biases differ from their start."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        network.train()
        for _ in range(5):
            network.restore(torch.rand(2, 3, 16, 16))
    return network.eval()


def test_layer_is_convolution_then_batch_normalisation() -> None:
    torch.manual_seed(0)
    layer = NormalisedConvolution(3, 5).train()
    layer.bias.data.normal_()
    features = torch.rand(4, 3, 9, 8)
    response = F.conv2d(features, layer.weight, padding=1)
    mean, variance = response.mean(dim=(0, 2, 3)), response.var(dim=(0, 2, 3), unbiased=False)
    expected = (response - mean[:, None, None]) / (variance[:, None, None] + 1e-4).sqrt()
    expected = expected + layer.bias[:, None, None]
    torch.testing.assert_close(layer(features), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(layer.running_mean, 0.1 * mean)
    unbiased = response.var(dim=(0, 2, 3), unbiased=True)
    torch.testing.assert_close(layer.running_variance, 0.9 + 0.1 * unbiased)


def test_layer_equals_torch_with_a_fixed_factor() -> None:
    """PyTorch's batch normalisation with factor one, in both modes."""
    torch.manual_seed(0)
    layer = NormalisedConvolution(3, 5)
    layer.bias.data.normal_()
    reference = torch.nn.BatchNorm2d(5, eps=1e-4)
    reference.bias.data.copy_(layer.bias)
    for training in (True, True, False):
        layer.train(training)
        reference.train(training)
        features = torch.rand(4, 3, 9, 8)
        expected = reference(F.conv2d(features, layer.weight, padding=1))
        torch.testing.assert_close(layer(features), expected, atol=1e-5, rtol=1e-5)


def test_merged_form_is_the_same_function() -> None:
    network = trained_layers(create("dncnn", "smoke"))
    plain = network.merged()
    assert not any(isinstance(layer, NormalisedConvolution) for layer in plain.model)
    assert parameter_count(plain) == parameter_count(network)
    image = torch.rand(1, 3, 21, 17)
    with torch.no_grad():
        restored = network.restore(image)
        assert (restored - image).abs().max() > 0.01
        torch.testing.assert_close(plain.restore(image), restored, atol=1e-6, rtol=0)
    # The merged form has the published key names, and nothing else.
    assert set(plain.state_dict()) == {
        f"model.{2 * index}.{part}" for index in range(4) for part in ("weight", "bias")
    }


def test_training_normalises_by_the_batch() -> None:
    network = trained_layers(create("dncnn", "smoke"))
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        evaluated = network.restore(images)
        trained = network.train().restore(images)
    assert (evaluated - trained).abs().max() > 1e-3


def test_both_forms_have_the_published_size() -> None:
    with torch.device("meta"):
        assert parameter_count(create("dncnn", "paper")) == 668_227
        assert parameter_count(create("dncnn", "paper", batch_norm=False)) == 668_227


def test_refuses_a_depth_without_hidden_layers() -> None:
    with pytest.raises(ValueError, match="expected a depth of at least 3, found 2"):
        create("dncnn", depth=2)
