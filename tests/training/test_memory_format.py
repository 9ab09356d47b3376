"""Methods that train with the channels side by side in memory compute what they did without."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.device import lay_out_channels_last
from ndr.method import Batch, Method
from ndr.registry import create, method_class, method_names
from ndr.training.loop import take_step
from ndr.training.processes import Processes, loss_module
from ndr.training.resume_state import TrainingState
from tests.training.tiny_training import tiny_spec

LAID_OUT = [name for name in method_names() if method_class(name).trains_channels_last]
CPU = Processes(torch.device("cpu"))


def state_of(method: Method) -> TrainingState:
    return TrainingState(tiny_spec(method=method.info.name), method)


def method_with_some_weights(name: str) -> Method:
    """Zero last layers, as of short trainings, would hide the gradients of all others."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        method = create(name, "smoke")
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.02 * torch.randn(parameter.shape))
    return method.train()


def batch_for(method: Method) -> Batch:
    generator = torch.Generator().manual_seed(1)
    clean = torch.rand(2, 3, 32, 32, generator=generator)
    degraded = F.avg_pool2d(clean, method.scale) if method.scale > 1 else 0.9 * clean
    return Batch(degraded, clean, ("noise",) * 2, torch.full((2,), 25.0))


def step(state: TrainingState, number: int) -> dict[str, float]:
    torch.manual_seed(number)
    module = loss_module(state.method, CPU)
    batch = batch_for(state.method)
    values, _ = take_step(
        module, state.optimisers, batch, spec=state.spec, step=number, rate=1e-3, processes=CPU
    )
    return values


def gradients(method: Method) -> list[Tensor]:
    """Of one step, one by one; take_step leaves them."""
    return [p.grad.contiguous() for p in method.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", LAID_OUT)
def test_a_step_is_the_same_but_for_rounding(name: str) -> None:
    laid_out = state_of(method_with_some_weights(name))
    other = copy.deepcopy(laid_out)
    for module in other.method.modules():
        module.to(memory_format=torch.contiguous_format)
    assert any(
        layer.weight.is_contiguous(memory_format=torch.channels_last)
        and not layer.weight.is_contiguous()
        for layer in laid_out.method.modules()
        if isinstance(layer, nn.Conv2d)
    )
    assert all(p.is_contiguous() for p in other.method.parameters())
    assert step(laid_out, 0) == pytest.approx(step(other, 0), rel=1e-5)
    found, expected = gradients(laid_out.method), gradients(other.method)
    scale = max(gradient.abs().max() for gradient in expected)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5 * scale.item())


@pytest.mark.parametrize("name", LAID_OUT)
def test_a_resumed_training_has_the_same_bits(name: str) -> None:
    whole = state_of(method_with_some_weights(name))
    step(whole, 0)
    saved = io.BytesIO()
    torch.save(whole.content(), saved)
    saved.seek(0)
    resumed = state_of(create(name, "smoke").train())
    resumed.load(torch.load(saved, weights_only=True), "a buffer")
    assert step(whole, 1) == step(resumed, 1)
    for one, two in zip(whole.method.parameters(), resumed.method.parameters(), strict=True):
        assert torch.equal(one, two)
        assert one.stride() == two.stride()


def test_only_weights_of_convolutions_are_laid_out() -> None:
    flat, deep = nn.Conv2d(4, 4, 3), nn.Conv3d(4, 4, 3)
    lay_out_channels_last(nn.Sequential(flat, deep, nn.Linear(4, 4)))
    assert flat.weight.is_contiguous(memory_format=torch.channels_last)
    assert deep.weight.is_contiguous()
