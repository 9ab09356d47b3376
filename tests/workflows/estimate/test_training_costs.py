"""Counted operations of training steps, against counts by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from ndr import method, registry
from ndr.method import Method, MethodInfo, SideInformation
from ndr.registry import method_arguments
from ndr.specs.run_spec import Recipe, RunSpec, SettingSpec, TaskSpec
from workflows.estimate.hours import (
    StepCost,
    StepCosts,
    UncountedError,
    cost_key,
    count_all,
    count_step,
)


def info(name: str) -> MethodInfo:
    return MethodInfo(
        name=name,
        paper_label=name,
        citation="none",
        tasks=frozenset({"noise"}),
        presets={tier: {} for tier in method.PRESETS},
    )


class Toy(Method):
    """A convolution, checks of values, and a second group with a loss of its own."""

    info: ClassVar[MethodInfo] = info("toy")

    def __init__(self, *, width: int = 8) -> None:
        super().__init__()
        self.into = nn.Conv2d(3, width, 3, padding=1)
        self.out = nn.Conv2d(width, 3, 1)
        # Draws again while a sample is outside of its bounds.
        nn.init.trunc_normal_(self.into.weight, std=0.02)

    def optimiser_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"one": list(self.into.parameters()), "two": list(self.out.parameters())}

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        side.noise_levels(degraded)  # looks whether all levels are finite
        return self.out(self.into(degraded))


class Looks(Toy):
    """A step that depends on data in a way that cannot be followed."""

    info: ClassVar[MethodInfo] = info("looks")

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        return degraded[degraded > 0.5].reshape(1, -1)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.method_names()
    for cls in (Toy, Looks):
        monkeypatch.setitem(method.REGISTERED, cls.info.name, cls)


def spec(name: str = "toy", steps: int = 10, **changes: object) -> RunSpec:
    return RunSpec(
        tier="paper",
        method=name,
        arguments={"width": 8, **changes},
        changes=dict(changes),
        setting=SettingSpec("denoise", (TaskSpec("noise", ("set",), ("0",)),)),
        recipe=Recipe(steps=steps, batch=4, patch=16, learning_rate=1e-3),
        seed=0,
        suite_seed=9,
    )


def test_all_groups_of_a_step_are_counted() -> None:
    cost = count_step("toy", {"width": 8}, 16)
    once = 2 * 16 * 16 * (3 * 8 * 9 + 8 * 3)
    assert cost.forward_gflop == pytest.approx(2 * once / 1e9, abs=5e-5)
    assert cost.parameters == 3 * 8 * 9 + 8 + 8 * 3 + 3


def test_a_published_network() -> None:
    cost = count_step("dncnn", method_arguments("dncnn", "paper", {}), 128)
    layers = [(3, 64), *[(64, 64)] * 18, (64, 3)]
    expected = sum(2 * 9 * into * out * 128 * 128 for into, out in layers)
    assert cost.forward_gflop == pytest.approx(expected / 1e9, rel=1e-3)


def test_the_method_costs_what_was_counted_for_the_protocol() -> None:
    # 76.7 + 28.1 GFLOP per patch, counted from the released networks' layers.
    cost = count_step("ndr_restore", method_arguments("ndr_restore", "paper", {}), 128)
    assert cost.forward_gflop == pytest.approx(104.8, rel=0.05)


def test_deformable_convolutions_are_counted() -> None:
    from torchvision.ops import deform_conv2d

    class Deforming(Toy):
        info: ClassVar[MethodInfo] = info("deforming")

        def optimiser_groups(self) -> dict[str, list[nn.Parameter]]:
            return {"main": list(self.parameters())}

        def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
            offset = torch.zeros(len(degraded), 18, *degraded.shape[-2:])
            return self.out(deform_conv2d(degraded, offset, self.into.weight, padding=1))

    method.REGISTERED["deforming"] = Deforming
    try:
        cost = count_step("deforming", {"width": 8}, 16)
    finally:
        del method.REGISTERED["deforming"]
    assert cost.forward_gflop == pytest.approx(2 * 256 * (3 * 8 * 9 + 8 * 3) / 1e9, abs=5e-5)


def test_what_cannot_be_followed_is_said() -> None:
    with pytest.raises(UncountedError, match="looks: "):
        count_step("looks", {"width": 8}, 16)
    costs, failures = count_all([spec("looks"), spec(), spec(steps=20), spec(width=9)])
    assert len(costs) == 2  # the number of steps is no matter of a step
    assert len(failures) == 1


def test_known_costs_are_not_counted_again(tmp_path: Path) -> None:
    table = tmp_path / "costs.json"
    known = {"forward_gflop": 7.0, "parameters": 5}
    table.write_text(json.dumps({cost_key(spec()): known}))
    costs = StepCosts(table, seconds=0)
    assert costs.of(spec()) == StepCost(7.0, 5)
    assert costs.of(spec(width=9)) is None  # no time
    assert StepCosts(table).of(spec(width=9)) == count_step("toy", {"width": 9}, 16)
    assert StepCosts(table).of(spec("looks")) is None
