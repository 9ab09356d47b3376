"""EPDN: adversarial terms against closed cases, who learns when, the enhancer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.dehazing.epdn import (
    FEATURE_WEIGHT,
    Enhancer,
    TwoScaleDiscriminator,
    feature_distance,
    least_squares,
)
from baselines.loss_terms import PerceptualDistance, weights_path
from ndr.method import Batch, Method, TrainingContext, parameter_count
from ndr.registry import create, load_official


def batch() -> Batch:
    clean = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return Batch(0.5 * clean + 0.4, clean, ("haze", "haze"), torch.zeros(2))


def losses(method: Method, optimiser: str) -> dict[str, Tensor]:
    return method.training_losses(batch(), TrainingContext(0, 10, F.mse_loss, optimiser))


def test_least_squares_of_two_scales() -> None:
    judged = [[torch.ones(1), torch.full((2, 1, 2, 2), 0.5)], [torch.zeros(1, 1, 1, 1)]]
    assert least_squares(judged, 1.0).item() == pytest.approx(0.25 + 1)
    assert least_squares(judged, 0.0).item() == pytest.approx(0.25)


def test_feature_distance_leaves_the_judgement_out() -> None:
    ours = [[torch.zeros(2), torch.ones(2), torch.zeros(1)], [torch.zeros(3), torch.zeros(1)]]
    theirs = [[torch.ones(2), torch.zeros(2), torch.ones(1)], [torch.ones(3), torch.ones(1)]]
    assert feature_distance(ours, theirs).item() == pytest.approx((2 + 1) / 2)


def test_each_group_learns_on_its_own_terms() -> None:
    method = create("epdn", "smoke", start_at_input=False).train()
    groups = method.optimiser_groups()
    assert list(groups) == ["discriminator", "generator"]
    terms = losses(method, "discriminator")
    assert set(terms) == {"real", "generated"}
    sum(terms.values()).backward()
    assert all(p.grad is None for p in groups["generator"])
    assert any(p.grad.any() for p in groups["discriminator"])
    terms = losses(method, "generator")
    assert set(terms) == {"adversarial", "feature_matching", "restore"}
    sum(terms.values()).backward()
    assert sum(p.grad is not None and bool(p.grad.any()) for p in groups["generator"]) > 10


def test_generator_terms() -> None:
    """Judged is the generator's output; compared with the truth is the enhancers'."""
    method = create("epdn", "smoke", start_at_input=False).eval()
    terms = losses(method, "generator")
    hazy, clean = 2 * batch().degraded - 1, 2 * batch().clean - 1
    generated, enhanced = method.generated_and_enhanced(hazy)
    judged, truth = method.discriminator(hazy, generated), method.discriminator(hazy, clean)
    expected = {
        "adversarial": sum(((scale[-1] - 1) ** 2).mean() for scale in judged),
        "feature_matching": FEATURE_WEIGHT
        * sum(
            (a - b).abs().mean()
            for ours, theirs in zip(judged, truth, strict=True)
            for a, b in zip(ours[:-1], theirs[:-1], strict=True)
        )
        / 2,
        "restore": ((enhanced - clean) ** 2).mean(),
    }
    assert {k: v.item() for k, v in terms.items()} == pytest.approx(
        {k: v.item() for k, v in expected.items()}, rel=1e-5
    )
    torch.testing.assert_close(method.restore(batch().degraded)[..., 9, 9].shape, (2, 3))


def test_discriminator_layers() -> None:
    outputs = TwoScaleDiscriminator(4)(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))
    assert [tuple(layer.shape[1:]) for layer in outputs[0]] == [
        (4, 33, 33),
        (8, 17, 17),
        (16, 9, 9),
        (32, 10, 10),
        (1, 11, 11),
    ]
    assert outputs[1][-1].shape == (1, 1, 7, 7)


def test_enhancer_sees_means_of_squares() -> None:
    """Only the 32 x 32 mean open: every pixel of a square gets the same addition."""
    enhancer = Enhancer(4, bounded=True)
    with torch.no_grad():
        enhancer.last.weight.zero_()
        enhancer.last.weight[:, 0, 1, 1] = 1
        enhancer.last.bias.zero_()
    image = torch.rand(1, 3, 64, 32)
    refined = enhancer(image, image)
    features = F.leaky_relu(enhancer.first(torch.cat([image, image], dim=1)), 0.2)
    features = F.leaky_relu(enhancer.second(features), 0.2)
    for rows in (slice(0, 32), slice(32, 64)):
        mean = features[..., rows, :].mean((2, 3), keepdim=True)
        expected = torch.tanh(F.leaky_relu(enhancer.pooled[0](mean), 0.2))
        torch.testing.assert_close(refined[..., rows, :], expected.expand(1, 3, 32, 32))


def test_size_and_official_names(tmp_path: Path) -> None:
    method = create("epdn").eval()
    parts = parameter_count(method.generator) + parameter_count(method.enhancers)
    assert (method.counted_parameters(), parts) == (17_379_249, 17_378_849)
    method = create("epdn", "smoke", start_at_input=False).eval()
    replaced = {
        "generator.deep.": "model.",
        "generator.shallow_entry.": "model1_1.",
        "generator.shallow_exit.": "model1_2.",
        "enhancers.0.": "dehaze.",
        "enhancers.1.": "dehaze2.",
        ".body.": ".conv_block.",
        ".first.": ".refine1.",
        ".second.": ".refine2.",
        ".last.": ".refine3.",
        **{f".pooled.{n}.": f".conv10{n + 1}0." for n in range(4)},
    }
    state = {}
    for key, value in method.state_dict().items():
        if not key.startswith("discriminator."):
            name = key
            for ours, theirs in replaced.items():
                name = name.replace(ours, theirs)
            state[name] = value
    state["dehaze2.batch1.weight"] = torch.ones(100)
    torch.save(state, tmp_path / "latest_net_G.pth")
    torch.manual_seed(7)  # the discriminator, which the file lacks, starts anew
    loaded = load_official("epdn", tmp_path / "latest_net_G.pth", "smoke", start_at_input=False)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded.restore(image), method.restore(image))


def test_perceptual_term_says_what_it_needs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert weights_path("vgg19") == tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    method = create("epdn", "smoke", perceptual=True)
    with pytest.raises(FileNotFoundError, match=r"vgg19-dcbb9e9d\.pth.*or train with perceptual="):
        losses(method, "generator")
    assert not any("perceptual" in key for key in method.state_dict())


def test_perceptual_distance_weighs_the_layers(monkeypatch) -> None:
    distance = PerceptualDistance("vgg16", (0, 2), (0.5, 2.0))
    scale, cut = torch.nn.Conv2d(3, 3, 1, bias=False), torch.nn.ReLU()
    with torch.no_grad():
        scale.weight.copy_(2 * torch.eye(3)[..., None, None])
    monkeypatch.setattr(
        distance, "_read", lambda: torch.nn.Sequential(scale, cut, torch.nn.AvgPool2d(2))
    )
    one, other = torch.full((1, 3, 4, 4), 0.75), torch.full((1, 3, 4, 4), 0.5)
    assert distance(one, other).item() == pytest.approx(0.5 * 0.5 + 2.0 * 0.5)
