"""AirNet: published sizes, deformable convolution, contrast and queue, stages, resuming, keys."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from baselines.all_in_one.airnet import (
    MOMENTUM,
    TEMPERATURE,
    DegradationEncoder,
    GuidedConvolution,
    MomentumContrast,
    deformable_convolution,
)
from ndr.method import Batch, CheckpointError, TrainingContext, load_strictly, parameter_count
from ndr.registry import create, method_class
from tests.baselines.official_shapes import official_state


def batch_of(seed: int, width: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    clean = torch.rand(4, 3, 16, width, generator=generator)
    noise = 0.1 * torch.randn(clean.shape, generator=generator)
    return Batch(clean + noise, clean, ("noise",) * 4, torch.full((4,), 25.0))


def context(step: int, total: int = 100) -> TrainingContext:
    return TrainingContext(step, total, F.l1_loss)


def test_published_sizes() -> None:
    with torch.device("meta"):
        method = create("airnet", "paper")
    assert method.counted_parameters() == 8_930_313
    assert parameter_count(method) == 7_610_377
    assert parameter_count(method.encoder) == 1_319_936
    assert parameter_count(method.network) == 6_290_441
    assert method.contrast.queue.shape == (256, 1280)


def test_deformable_convolution_against_loops() -> None:
    """Each tap samples bilinearly at its place plus offset (down, right); outside is zero."""
    torch.manual_seed(0)
    layer = GuidedConvolution(2)
    torch.nn.init.normal_(layer.taps.weight, std=0.5)
    features, degradation = torch.randn(1, 2, 4, 5), torch.randn(1, 2, 4, 5)
    with torch.no_grad():
        found = layer(features, degradation)[0]
        taps = layer.taps(torch.cat([features, degradation], dim=1))[0]
        expected = torch.zeros(2, 4, 5)
        for row in range(4):
            for column in range(5):
                for tap in range(9):
                    y = row + tap // 3 - 1 + taps[2 * tap, row, column].item()
                    x = column + tap % 3 - 1 + taps[2 * tap + 1, row, column].item()
                    mask = torch.sigmoid(taps[18 + tap, row, column])
                    sample = mask * bilinear(features[0], y, x)
                    expected[:, row, column] += layer.weight[:, :, tap // 3, tap % 3] @ sample
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def bilinear(features: torch.Tensor, y: float, x: float) -> torch.Tensor:
    top, left = int(y // 1), int(x // 1)
    value = torch.zeros(len(features))
    for i in (0, 1):
        for j in (0, 1):
            row, column = top + i, left + j
            if 0 <= row < features.shape[1] and 0 <= column < features.shape[2]:
                weight = (1 - abs(y - row)) * (1 - abs(x - column))
                value += weight * features[:, row, column]
    return value


@pytest.mark.parametrize("kind", ["zero", "whole", "bfloat16", "any"])
@pytest.mark.parametrize(("height", "width"), [(32, 64), (24, 40), (17, 31), (1, 1)])
def test_deformable_convolution_against_torchvision(height: int, width: int, kind: str) -> None:
    """Outputs and all gradients, also at whole offsets, where a sample has two derivatives."""
    from torchvision.ops import deform_conv2d

    torch.manual_seed(0)
    features = torch.randn(2, 4, height, width, requires_grad=True)
    offsets = {
        "zero": torch.zeros(2, 18, height, width),
        "whole": torch.randint(-3, 4, (2, 18, height, width)).float(),
        "bfloat16": torch.randn(2, 18, height, width).bfloat16().float(),
        "any": 3 * torch.randn(2, 18, height, width),
    }[kind].requires_grad_()
    mask = torch.rand(2, 9, height, width, requires_grad=True)
    weight = torch.randn(5, 4, 3, 3, requires_grad=True)
    inputs = (features, offsets, mask, weight)
    expected = deform_conv2d(features, offsets, weight, padding=1, mask=mask)
    found = deformable_convolution(*inputs)
    with torch.no_grad():
        unpadded = deformable_convolution(*inputs)
    above = torch.randn(expected.shape)
    # Offsets whose bits end in single precision's last may round to a whole pixel on the way.
    bound = 2e-5 if kind == "any" else 2e-6
    pairs = [
        (found, expected),
        (unpadded, expected),
        *zip(
            torch.autograd.grad(found, inputs, above),
            torch.autograd.grad(expected, inputs, above),
            strict=True,
        ),
    ]
    for one, other in pairs:
        assert (one - other).abs().max() <= bound * other.abs().max()


def test_no_torchvision_on_a_cpu() -> None:
    """Importing it costs each evaluation more than a second."""
    code = (
        "import sys, torch; from ndr.registry import create; "
        "create('airnet', 'smoke').restore(torch.rand(1, 3, 8, 8)); "
        "sys.exit('torchvision' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_contrast_against_its_formula() -> None:
    torch.manual_seed(0)
    contrast = MomentumContrast(DegradationEncoder(2), 8, 5)
    queries, keys, queue = torch.randn(3, 8), torch.randn(3, 8), contrast.queue.clone()
    torch.testing.assert_close(queue.norm(dim=0), torch.ones(5))
    expected = torch.tensor(0.0)
    for query, key in zip(F.normalize(queries), F.normalize(keys), strict=True):
        right = torch.exp(query @ key / TEMPERATURE)
        wrong = torch.exp(query @ queue / TEMPERATURE).sum()
        expected -= torch.log(right / (right + wrong)) / 3
    torch.testing.assert_close(contrast.loss(queries, keys), expected)
    assert torch.equal(contrast.queue[:, :3], F.normalize(keys).T)
    assert torch.equal(contrast.queue[:, 3:], queue[:, 3:])


def test_queue_goes_round() -> None:
    contrast = MomentumContrast(DegradationEncoder(2), 8, 5)
    kept = contrast.queue.clone()
    first, second = torch.eye(8)[:3], torch.eye(8)[3:6]
    contrast.enqueue(first)
    contrast.enqueue(second)
    assert contrast.position.item() == 1
    assert torch.equal(contrast.queue[:, [3, 4, 0]], second.T)
    assert torch.equal(contrast.queue[:, 1:3], first[1:].T)
    assert not torch.equal(kept, contrast.queue)


def test_follower_is_slow_and_never_optimised() -> None:
    torch.manual_seed(0)
    encoder = DegradationEncoder(2)
    contrast = MomentumContrast(encoder, 8, 4)
    assert not list(contrast.parameters())
    before = {name: value.clone() for name, value in contrast.encoder.named_buffers()}
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(1)
    contrast.follow(encoder)
    for name, parameter in encoder.named_parameters():
        expected = MOMENTUM * before[name] + (1 - MOMENTUM) * parameter
        torch.testing.assert_close(contrast.encoder.get_buffer(name), expected)


def test_first_tenth_trains_the_encoder_alone() -> None:
    method = create("airnet", "smoke").train()
    assert set(method.training_losses(batch_of(0), context(9))) == {"contrast"}
    later = method.training_losses(batch_of(0), context(10))
    assert set(later) == {"restore", "contrast"}
    # A training of one step has its encoder's stage; one of 15 rounds up.
    assert "restore" not in method.training_losses(batch_of(0), context(1, 15))
    assert "restore" in method.training_losses(batch_of(0), context(2, 15))


def test_later_contrast_weighs_a_tenth() -> None:
    torch.manual_seed(0)
    method = create("airnet", "smoke").train()
    other = copy.deepcopy(method)
    alone = method.training_losses(batch_of(0), context(0))["contrast"]
    joint = other.training_losses(batch_of(0), context(50))["contrast"]
    assert joint.item() == pytest.approx(0.1 * alone.item(), rel=1e-6)


def test_keys_see_the_right_half_only() -> None:
    """What differs in the left half changes queries, not keys."""
    torch.manual_seed(0)
    first = create("airnet", "smoke").train()
    second = copy.deepcopy(first)
    batch = batch_of(0)
    changed = batch.degraded.clone()
    changed[..., :8] = torch.rand(4, 3, 16, 8)
    losses = [
        method.training_losses(each, context(0))["contrast"].item()
        for method, each in (
            (first, batch),
            (second, Batch(changed, batch.clean, batch.task, batch.sigma)),
        )
    ]
    assert torch.equal(first.contrast.queue, second.contrast.queue)
    assert losses[0] != losses[1]


def test_resumes_bit_for_bit() -> None:
    """Queue, pointer, following encoder and batch norm all live in the state."""

    def go(method, optimiser, steps: range) -> None:
        for step in steps:
            optimiser.zero_grad()
            sum(method.training_losses(batch_of(step), context(step, 10)).values()).backward()
            optimiser.step()

    torch.manual_seed(0)
    method = create("airnet", "smoke").train()
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-3)
    go(method, optimiser, range(3))
    torch.manual_seed(1)
    resumed = create("airnet", "smoke").train()
    load_strictly(resumed, copy.deepcopy(method.state_dict()), "state")
    other = torch.optim.Adam(resumed.parameters(), lr=1e-3)
    other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    go(method, optimiser, range(3, 6))
    go(resumed, other, range(3, 6))
    for key, value in method.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_learns_to_restore() -> None:
    torch.manual_seed(0)
    method = create("airnet", "smoke").train()
    optimiser = torch.optim.Adam(method.parameters(), lr=5e-3)
    batch, losses = batch_of(0), []
    for step in range(2, 14):
        terms = method.training_losses(batch, context(step, 15))
        losses.append(terms["restore"].item())
        optimiser.zero_grad()
        sum(terms.values()).backward()
        optimiser.step()
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize("upscale", ["pixel_shuffle", "pre_upsample"])
def test_trains_at_twice_the_size(upscale: str) -> None:
    torch.manual_seed(0)
    method = create("airnet", "smoke", upscale=upscale).train()
    batch = batch_of(0)
    halved = Batch(F.avg_pool2d(batch.degraded, 2), batch.clean, batch.task, batch.sigma)
    losses = method.training_losses(halved, context(50))
    sum(losses.values()).backward()
    assert method.network.last.weight.grad.any()
    assert method.eval().restore(torch.rand(1, 3, 5, 9)).shape == (1, 3, 10, 18)


def test_network_of_the_authors_does_not_add_its_input() -> None:
    method = create("airnet", "smoke", add_input=False).eval()
    with torch.no_grad():
        torch.nn.init.zeros_(method.network.last.weight)
        torch.nn.init.zeros_(method.network.last.bias)
        assert not method.restore(torch.rand(1, 3, 8, 8)).any()


def test_authors_keys_fit() -> None:
    state = official_state("airnet", "airnet_all")
    assert len(state) > 300
    with torch.device("meta"):
        method = create("airnet", "paper")
    method.load_official_state(state, "All.pth")
    for changed, message in (
        (
            {k: v for k, v in state.items() if k != "E.E.queue_ptr"},
            r"1 missing: contrast\.position",
        ),
        ({**state, "R.body.6.bias": torch.empty(64)}, r"1 unknown: R\.body\.6\.bias"),
        (
            {**state, "E.E.encoder_q.mlp.4.bias": torch.empty(1)},
            r"1 unknown: encoder\.head\.4\.bias",
        ),
        ({**state, "R.tail.0.bias": torch.empty(4)}, r"1 of other shape: network\.last\.bias"),
    ):
        with pytest.raises(CheckpointError, match=message):
            method.load_official_state(changed, "All.pth")


def test_queue_length_follows_the_checkpoint() -> None:
    state = {"E.E.queue": torch.empty(256, 768)}
    assert method_class("airnet").official_changes(state) == {"queue_length": 768}
