"""UMRL: its scales, its uncertainty loss and its authors' checkpoints."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.deraining.umrl import NEVER_USED, UMRL
from ndr.method import Batch, TrainingContext, parameter_count
from ndr.registry import create


def narrow() -> UMRL:
    torch.manual_seed(0)
    return create("umrl", "smoke", identity_init=False)


def rain_batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    degraded = torch.rand(2, 3, 32, 32, generator=generator)
    clean = torch.rand(2, 3, 32, 32, generator=generator)
    return Batch(degraded, clean, ("rain",) * 2, torch.zeros(2))


def test_published_size_counts_what_never_runs() -> None:
    with torch.device("meta"):
        assert parameter_count(create("umrl")) + NEVER_USED == 984_356
    method = create("umrl", "smoke")
    assert method.counted_parameters() == parameter_count(method)


def test_three_scales_with_confidence() -> None:
    method = narrow()
    scales = method.scales(2 * torch.rand(1, 3, 32, 48) - 1)
    assert [restored.shape[-2:] for restored, _ in scales] == [(32, 48), (16, 24), (8, 12)]
    for restored, confidence in scales:
        assert confidence.shape == restored.shape
        assert 0 < confidence.min() < confidence.max() < 1


def literal_losses(scales: list[tuple[Tensor, Tensor]], target: Tensor) -> tuple[float, float]:
    """The authors' weights written out: 1, 1/2, 1/4 for images, 1, 2, 4 for confidence."""
    restore, penalty = 0.0, 0.0
    _, _, height, width = target.shape
    for (image, confidence), step in zip(scales, (1, 2, 4), strict=True):
        wanted = target[:, :, ::step, ::step]
        mixed = confidence * image + (1 - confidence) * wanted
        error = (mixed - wanted).abs()
        smooth = torch.where(error < 1, 0.5 * error**2, error - 0.5)
        restore += smooth.mean().item() / step
        penalty -= step * confidence.log().sum().item() / (height * width) / len(target)
    weight = 0.1 if penalty >= 0.25 else 0.09 * 0.1 * (math.exp(5.4 * penalty) - 0.98)
    return restore, weight * penalty


@pytest.mark.parametrize("certainty", [0.0, 4.0])
def test_uncertainty_loss(certainty: float) -> None:
    """Both with the full weight of the penalty and, for a confident network, with the reduced."""
    method = narrow()
    with torch.no_grad():
        method.confidence.output.weight.mul_(0.1)
        method.confidence.output.bias.fill_(certainty)
    batch = rain_batch()
    losses = method.training_losses(batch, TrainingContext(0, 1, F.l1_loss))
    restore, confidence = literal_losses(method.scales(2 * batch.degraded - 1), 2 * batch.clean - 1)
    assert losses["restore"].item() == pytest.approx(restore, rel=1e-4)
    assert losses["confidence"].item() == pytest.approx(confidence, rel=1e-4)
    total = confidence / 0.1
    assert (total < 0.25) is (certainty > 0)


def test_doubt_makes_an_error_cheap() -> None:
    method, batch = narrow(), rain_batch()
    losses = []
    for bias in (-4.0, 4.0):
        with torch.no_grad():
            method.confidence.output.weight.zero_()
            method.confidence.output.bias.fill_(bias)
        losses.append(method.training_losses(batch, TrainingContext(0, 1, F.l1_loss)))
    assert losses[0]["restore"] < 0.01 * losses[1]["restore"]
    assert losses[0]["confidence"] > losses[1]["confidence"]


def test_perceptual_term_says_what_it_needs(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    method = create("umrl", "smoke", perceptual=True)
    with pytest.raises(FileNotFoundError, match=r"vgg16.*perceptual=False"):
        method.training_losses(rain_batch(), TrainingContext(0, 1, F.l1_loss))


def test_refuses_odd_widths() -> None:
    with pytest.raises(ValueError, match="expected an even width of at least 4, found 5"):
        create("umrl", width=5)
