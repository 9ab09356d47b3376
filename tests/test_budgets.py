"""The narrow networks of the tier `small`: one budget, so that size explains no difference."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ndr.method import SideInformation
from ndr.network.degradation_query import DegradationQuery
from ndr.network.method import NDRRestoreMethod
from ndr.registry import create, method_arguments

ALL_IN_ONE = ("airnet", "hat", "mprnet", "nafnet", "ndr_restore", "promptir", "restormer")
BUDGET_GFLOP = 0.33
"""Of one image of 64x64 pixels, multiplications and additions each."""
SIDE = 64


@pytest.fixture(autouse=True)
def as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The query is counted in the paper's order: what folding D saves is no part of the method."""
    monkeypatch.setattr(DegradationQuery, "forward", DegradationQuery.as_written)


def gflop(method: nn.Module) -> float:
    image = torch.zeros(1, 3, SIDE, SIDE)
    # The fused kernels of attention are one operation, which the counter does not know.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        method.eval()(image, SideInformation())
    return float(counter.get_total_flops()) / 1e9


def restoring(method: NDRRestoreMethod) -> int:
    return sum(parameter.numel() for parameter in method.restoration.parameters())


def ndr(**changes: Any) -> NDRRestoreMethod:
    method = create("ndr_restore", "small", **changes)
    assert isinstance(method, NDRRestoreMethod)
    return method


@pytest.mark.parametrize("name", ALL_IN_ONE)
def test_all_in_one_networks_cost_the_same_to_restore_with(name: str) -> None:
    assert gflop(create(name, "small")) == pytest.approx(BUDGET_GFLOP, rel=0.1)


@pytest.mark.parametrize("part", ["use_ndr", "use_dq", "use_di", "use_cp"])
def test_ablations_have_the_parameters_and_the_arithmetic_of_the_whole(part: str) -> None:
    whole, ablated = ndr(), ndr(**{part: False})
    assert restoring(ablated) == pytest.approx(restoring(whole), rel=0.001)
    assert gflop(ablated) == pytest.approx(gflop(whole), rel=0.005)


@pytest.mark.parametrize("part", ["use_ndr", "use_dq", "use_di", "use_cp"])
@pytest.mark.parametrize("variant", ["first_release", "current_release"])
def test_ablations_of_the_published_size_match_too(part: str, variant: str) -> None:
    shallow: dict[str, Any] = {"blocks": (1, 1, 1, 1), "refinement_blocks": 0, "variant": variant}
    sizes = []
    for changes in ({}, {part: False}):
        with torch.device("meta"):
            sizes.append(restoring(NDRRestoreMethod(**shallow, **changes)))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.001)


def test_ndr_degrad_is_the_smaller_network() -> None:
    method = ndr()
    assert method.degradation is not None
    degrading = sum(parameter.numel() for parameter in method.degradation.parameters())
    # The paper's sizes stand at 0.38 (Table VII).
    assert degrading <= 0.4 * restoring(method)


def test_the_rank_is_below_every_width() -> None:
    """As the paper asks (Sec. III-C): K is smaller than C, H and W."""
    arguments = method_arguments("ndr_restore", "small", {})
    widths = (arguments["width"], arguments["degrade_width"], arguments["degradation_width"])
    assert arguments["K"] < min(widths)
    assert arguments["K"] < SIDE // 4
