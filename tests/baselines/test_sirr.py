"""SIRR: its normalisation, its mixture and its losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from baselines.deraining.sirr import NormalisedConvolution, RainMixture, total_variation
from baselines.guided_filter import guided_filter
from ndr.method import Batch, TrainingContext, parameter_count
from ndr.registry import create


def test_size_is_about_58_thousand() -> None:
    with torch.device("meta"):
        assert parameter_count(create("sirr")) == 57_369


def test_normalises_by_the_batch_and_by_the_image() -> None:
    torch.manual_seed(0)
    layer = NormalisedConvolution(3, 4)
    layer.weight.data.normal_()
    layer.bias.data.normal_()
    images = torch.rand(3, 3, 8, 9)
    response = F.conv2d(images, layer.convolution.weight, layer.convolution.bias, padding=1)
    for training, dims in ((True, (0, 2, 3)), (False, (2, 3))):
        mean = response.mean(dim=dims, keepdim=True)
        variance = response.var(dim=dims, unbiased=False, keepdim=True)
        normalised = (response - mean) / (variance + 1e-5).sqrt()
        expected = normalised * layer.weight[:, None, None] + layer.bias[:, None, None]
        torch.testing.assert_close(layer.train(training)(images), expected, atol=1e-5, rtol=1e-5)


def test_network_sees_the_detail_layer() -> None:
    torch.manual_seed(0)
    method = create("sirr", "smoke", zero_init_output=False).eval()
    image = torch.rand(1, 3, 40, 40)
    with torch.no_grad():
        rain = method.restore(image) - image
        detail = image - guided_filter(image, image, 15, 1.0)
        features = F.relu(method.embedding(detail))
        (first, second), *_ = method.blocks
        features = features + F.relu(second(F.relu(first(features))))
        torch.testing.assert_close(rain, method.output(features), atol=1e-5, rtol=1e-5)


def literal_posterior(values: np.ndarray, variances: list[float], shares: list[float]):
    posterior = np.zeros((len(values), len(variances)))
    for i, value in enumerate(values):
        for k, (variance, share) in enumerate(zip(variances, shares, strict=True)):
            density = math.exp(-(value**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
            posterior[i, k] = share * density
        posterior[i] /= posterior[i].sum()
    return posterior


def test_mixture_is_expectation_maximisation() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(0, generator.choice([0.03, 0.3], 50))
    mixture = RainMixture().double()
    variances, shares = mixture.variances.tolist(), mixture.shares.tolist()
    rain, labelled = torch.from_numpy(values), torch.full((7,), 0.2, dtype=torch.float64)
    posterior = literal_posterior(values, variances, shares)
    np.testing.assert_allclose(mixture.responsibilities(rain).numpy(), posterior, atol=1e-6)
    mixture.follow(rain, labelled)
    energy = 0.04 + 1e-6
    expected = (posterior * values[:, None] ** 2).sum(0) / posterior.sum(0)
    expected = np.maximum(expected, 0.25 * energy)
    divergences = [
        0.5 * (math.log(v / energy) + energy / v - 1) for v in expected
    ]  # of two Gaussians of zero mean
    expected[int(np.argmin(divergences))] = energy
    np.testing.assert_allclose(mixture.variances.numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(mixture.shares.numpy(), posterior.mean(0), rtol=1e-5)
    posterior = literal_posterior(values, mixture.variances.tolist(), mixture.shares.tolist())
    likelihood = (posterior * values[:, None] ** 2 / (2 * mixture.variances.numpy())).sum(1).mean()
    assert mixture.negative_log_likelihood(rain).item() == pytest.approx(likelihood, rel=1e-5)


def test_mixture_survives_no_rain() -> None:
    mixture = RainMixture()
    for _ in range(20):
        mixture.follow(torch.zeros(30), torch.zeros(30))
    assert torch.isfinite(mixture.variances).all()
    assert torch.isfinite(mixture.negative_log_likelihood(torch.full((4,), 0.5)))


def test_unlabelled_images_teach_without_their_clean_ones() -> None:
    """Other clean images in the last quarter change no loss; in the first three they do."""

    def losses(changed: int | None) -> dict[str, float]:
        torch.manual_seed(0)
        method = create("sirr", "smoke", zero_init_output=False)
        degraded, clean = torch.rand(8, 3, 16, 16), torch.rand(8, 3, 16, 16)
        if changed is not None:
            clean[changed] += 1
        batch = Batch(degraded, clean, ("rain",) * 8, torch.zeros(8))
        found = method.training_losses(batch, TrainingContext(0, 1, F.l1_loss))
        return {name: loss.item() for name, loss in found.items()}

    assert set(losses(None)) == {"restore", "mixture", "variation"}
    assert losses(7) == losses(6) == losses(None)
    assert losses(5)["restore"] != losses(None)["restore"]


def test_a_single_image_is_labelled() -> None:
    image = torch.rand(1, 3, 16, 16)
    batch = Batch(image, image, ("rain",), torch.zeros(1))
    losses = create("sirr", "smoke").training_losses(batch, TrainingContext(0, 1, F.l1_loss))
    assert set(losses) == {"restore"}


def test_total_variation_of_a_ramp() -> None:
    """64 x 63 steps of 0.1 in each of three channels, on a patch of the authors' size."""
    ramp = (0.1 * torch.arange(64.0)).expand(2, 3, 64, 64)
    assert total_variation(ramp).item() == pytest.approx(3 * 64 * 63 * 0.1, rel=1e-5)
    assert total_variation(ramp[..., :32, :]).item() == pytest.approx(3 * 64 * 63 * 0.1, rel=1e-5)


def test_resuming_keeps_the_mixture() -> None:
    state = create("sirr", "smoke").state_dict()
    assert {"mixture.variances", "mixture.shares"} <= state.keys()
