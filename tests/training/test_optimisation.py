from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import pytest
import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler, MultiStepLRScheduler
from torch import nn

from ndr.specs.run_spec import Recipe
from ndr.training.optimisation import (
    build_optimisers,
    clipped_gradient_norm,
    learning_rate,
    pixel_loss,
    set_learning_rate,
)
from tests.training.tiny_training import TinyMethod, TwoPlayers

RECIPE = Recipe(steps=40, batch=1, patch=8, learning_rate=0.1)


def rates(recipe: Recipe) -> list[float]:
    return [learning_rate(recipe, step) for step in range(recipe.steps)]


def rates_of_timm(scheduler: type, **arguments: object) -> list[float]:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule, found = scheduler(optimiser, t_in_epochs=False, **arguments), []
    for step in range(41):
        schedule.step_update(step)
        found.append(optimiser.param_groups[0]["lr"])
    return found


@pytest.mark.parametrize("warmup", [0, 5])
def test_schedules_are_timms(warmup: int) -> None:
    """With timm's conventions: the warm-up counts from 1, a milestone is the step before."""
    multistep = dataclasses.replace(RECIPE, milestones=(10, 25), gamma=0.3, warmup_steps=warmup)
    theirs = rates_of_timm(
        MultiStepLRScheduler, decay_t=[11, 26], decay_rate=0.3, warmup_t=warmup, warmup_prefix=False
    )
    assert rates(multistep) == pytest.approx(theirs[1 : warmup + 1] + theirs[warmup:40], abs=1e-12)
    cosine = dataclasses.replace(
        RECIPE, schedule="cosine", minimum_learning_rate=0.004, warmup_steps=warmup
    )
    theirs = rates_of_timm(
        CosineLRScheduler, t_initial=40 - warmup, lr_min=0.004, warmup_t=warmup, warmup_prefix=True
    )
    assert rates(cosine) == pytest.approx(theirs[1 : warmup + 1] + theirs[warmup:40], abs=1e-12)
    assert set(rates(dataclasses.replace(RECIPE, schedule="constant"))) == {0.1}


@pytest.mark.parametrize(
    ("name", "middle"), [("poly", 0.5**0.5), ("tanh", 0.5 + 0.5 * math.tanh(2))]
)
def test_timms_schedules_are_functions_of_the_step(name: str, middle: float) -> None:
    recipe = dataclasses.replace(
        RECIPE, schedule=name, warmup_steps=10, steps=50, minimum_learning_rate=0.02
    )
    found = rates(recipe)
    assert found[:11] == pytest.approx([*(0.01 * step for step in range(1, 11)), 0.1], rel=1e-5)
    assert found[30] == pytest.approx(0.02 + 0.08 * middle, rel=1e-5)
    assert found[10:] == sorted(found[10:], reverse=True)
    assert 0.02 <= found[-1] < 0.04
    assert [learning_rate(recipe, step) for step in (40, 12, 3)] == [found[s] for s in (40, 12, 3)]


def test_warm_up_rises_linearly_and_the_cosine_begins_after_it() -> None:
    recipe = dataclasses.replace(RECIPE, schedule="cosine", warmup_steps=5)
    found = rates(recipe)
    assert found[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert found[5:] == pytest.approx(
        rates(dataclasses.replace(RECIPE, schedule="cosine", steps=35))
    )
    milestones = dataclasses.replace(RECIPE, warmup_steps=5, milestones=(3, 10))
    assert rates(milestones)[4:12] == pytest.approx([0.1] + [0.05] * 5 + [0.025] * 2)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_optimisers_are_timms_bit_by_bit(name: str) -> None:
    torch.manual_seed(1)
    ours, theirs = (TinyMethod(dropout=0.0, norm=False) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    recipe = dataclasses.replace(RECIPE, optimiser=name, betas=(0.8, 0.95), weight_decay=0.05)
    mine = build_optimisers(ours, recipe)["main"]
    plain = create_optimizer_v2(
        [*theirs.parameters()], name, lr=0.1, betas=(0.8, 0.95), weight_decay=0.05, fused=True
    )
    images = torch.rand(2, 3, 8, 8)
    for step in range(6):
        for method, optimiser in ((ours, mine), (theirs, plain)):
            set_learning_rate(optimiser, 0.1 / (step + 1))
            optimiser.zero_grad()
            method(images, None).square().mean().backward()
            if step % 2:  # a part that has no gradient stays, and its steps are not counted
                method.first.bias.grad = None
            optimiser.step()
        mine_again = build_optimisers(ours, recipe)["main"]  # and its state survives a round trip
        mine_again.load_state_dict(mine.state_dict())
        mine = mine_again
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(left, right)


def test_decay_differs_between_adam_and_adamw() -> None:
    moved = {}
    for name in ("adam", "adamw"):
        method = TinyMethod()
        recipe = dataclasses.replace(RECIPE, optimiser=name, weight_decay=0.5)
        optimiser = build_optimisers(method, recipe)["main"]
        method.last.weight.data.fill_(1.0)
        for parameter in method.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        moved[name] = float(method.last.weight.data.mean())
    assert moved["adam"] == pytest.approx(0.9)  # the rate, whatever the size of the L2 term
    assert moved["adamw"] == pytest.approx(1 - 0.1 * 0.5)


def test_groups_become_optimisers_in_their_order() -> None:
    optimisers = build_optimisers(TwoPlayers(), RECIPE)
    assert list(optimisers) == ["critic", "painter"]
    assert [len(o.param_groups[0]["params"]) for o in optimisers.values()] == [3, 2]


class Shared(TwoPlayers):
    def optimiser_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"one": [self.dictionary], "two": [self.dictionary]}


class Empty(TwoPlayers):
    def optimiser_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"one": [self.dictionary], "two": []}


@pytest.mark.parametrize(("cls", "message"), [(Shared, "twice"), (Empty, "no parameter")])
def test_wrong_groups_are_refused(cls: type[TinyMethod], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_optimisers(cls(), RECIPE)


def test_losses_are_means_in_32_bits() -> None:
    left, right = torch.rand(2, 2, 3, 5, 5)
    for name, expected in (
        ("l1", (left - right).abs().mean()),
        ("l2", ((left - right) ** 2).mean()),
    ):
        distance = pixel_loss(dataclasses.replace(RECIPE, pixel_loss=name))
        assert distance(left, right) == pytest.approx(expected.item())
        assert distance(left.bfloat16(), right).dtype == torch.float32


def test_clipping() -> None:
    parameters = [
        nn.Parameter(torch.zeros(2)),
        nn.Parameter(torch.zeros(1)),
        nn.Parameter(torch.ones(1)),
    ]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    assert clipped_gradient_norm(parameters, 10.0) == pytest.approx(5.0)
    assert parameters[1].grad.item() == 4.0
    assert clipped_gradient_norm(parameters, None) == pytest.approx(5.0)
    assert clipped_gradient_norm(parameters, 1.0) == pytest.approx(5.0)
    assert parameters[0].grad.tolist() == pytest.approx([0.6, 0.0])
    assert parameters[1].grad.item() == pytest.approx(0.8)


def test_a_training_of_the_tiers_needs_neither_timm_nor_the_compiler() -> None:
    """Importing either takes longer than a smoke training."""
    program = (
        "import sys, torch\n"
        "from ndr.specs.run_spec import Recipe\n"
        "from ndr.training.optimisation import Adam, set_up_numerics\n"
        "set_up_numerics(1)\n"
        "weight = torch.nn.Parameter(torch.ones(2))\n"
        "optimiser = Adam([weight], Recipe(steps=1, batch=1, patch=8, learning_rate=0.1))\n"
        "torch.manual_seed(1)\n"
        "weight.sum().backward()\n"
        "optimiser.step(); optimiser.zero_grad()\n"
        "optimiser.load_state_dict(optimiser.state_dict())\n"
        "assert weight[0] < 1\n"
        "sys.exit(bool({'torch._dynamo', 'timm'} & sys.modules.keys()))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
