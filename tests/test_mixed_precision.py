"""bfloat16 on processors without it: the numbers of others, and nothing takes the slow way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ndr import mixed_precision
from ndr.method import Batch, Method
from ndr.mixed_precision import autocast, autocast_off
from ndr.registry import create, method_names
from ndr.training.loop import take_step
from ndr.training.processes import Processes, loss_module
from ndr.training.resume_state import TrainingState
from tests.training.tiny_training import tiny_spec

CPU = torch.device("cpu")
ULP = 2.0**-7
"""Spacing of bfloat16 numbers, as a share of the number, at most."""
TRAINABLE = [name for name in method_names() if list(create(name, "smoke").parameters())]
SLOW = ("mm", "convolution", "conv_", "aten.linear")


@pytest.fixture
def without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor without AVX-512."""
    monkeypatch.setattr(mixed_precision, "multiplies_bfloat16", lambda: False)


class SlowProducts(TorchDispatchMode):
    """Takes down which products of bfloat16 tensors reach PyTorch's kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        tensors = [value for value in args if isinstance(value, Tensor)]
        if any(word in str(func) for word in SLOW) and any(
            tensor.dtype == torch.bfloat16 for tensor in tensors
        ):
            self.found.add(str(func))
        return func(*args, **(kwargs or {}))


def values(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(len(shape) + shape[0])
    return torch.randn(shape, generator=generator).requires_grad_()


PRODUCTS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "convolution": (
        lambda x, w, b: F.conv2d(x, w, b, padding=1),
        (values(2, 8, 9, 9), values(4, 8, 3, 3), values(4)),
    ),
    "depth-wise": (
        lambda x, w: F.conv2d(x, w, padding=1, groups=8),
        (values(2, 8, 9, 9), values(8, 1, 3, 3)),
    ),
    "transposed convolution": (
        lambda x, w: F.conv_transpose2d(x, w, stride=2),
        (values(2, 8, 5, 5), values(8, 4, 2, 2)),
    ),
    "layer": (F.linear, (values(6, 16), values(5, 16), values(5))),
    "operator": (lambda a, b: a @ b, (values(2, 3, 16), values(2, 16, 5))),
    "sums": (lambda a, b: torch.einsum("bik,bkj->bij", a, b), (values(2, 3, 16), values(2, 16, 5))),
}


def gradients_of(product: Callable[..., Tensor], operands: Sequence[Tensor]) -> list[Tensor]:
    with autocast("bf16", CPU):
        result = product(*operands)
    assert result.dtype == torch.bfloat16
    weights = torch.linspace(-1, 1, result.numel()).reshape(result.shape)
    found = torch.autograd.grad((result.float() * weights).sum(), operands)
    return [result.detach().float(), *found]


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_and_gradients_are_those_of_bfloat16(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    product, operands = PRODUCTS[name]
    found = {}
    for has in (True, False):
        monkeypatch.setattr(mixed_precision, "multiplies_bfloat16", lambda has=has: has)
        found[has] = gradients_of(product, operands)
    for native, computed in zip(found[True], found[False], strict=True):
        assert computed.dtype == native.dtype
        # Sums in another order are rounded to the next number now and then.
        assert torch.allclose(computed, native, rtol=2 * ULP, atol=ULP * float(native.abs().max()))
    plain = product(*operands).detach()
    assert not torch.equal(found[False][0], plain)
    assert torch.equal(found[False][0], found[False][0].bfloat16().float())


@pytest.mark.usefixtures("without_bfloat16")
def test_single_and_double_precision_stay_as_they_are() -> None:
    matrix, other = values(4, 6), values(6, 4)
    with autocast("fp32", CPU):
        assert torch.equal(matrix @ other, matrix.detach() @ other.detach())
        assert (matrix @ other).dtype == torch.float32
    with autocast("bf16", CPU):
        with torch.autocast("cpu", enabled=False):
            assert (matrix @ other).dtype == torch.float32
        assert torch.mm(matrix.double(), other.double()).dtype == torch.float64


@pytest.mark.usefixtures("without_bfloat16")
def test_a_product_is_written_to_its_place() -> None:
    one, other = values(2, 4, 6).detach().bfloat16(), values(2, 6, 4).detach().bfloat16()
    place = torch.zeros(2, 4, 8, dtype=torch.bfloat16)
    with autocast_off(one):
        torch.bmm(one, other, out=place[..., :4])
        assert torch.equal(place[..., :4], torch.bmm(one, other))
    assert not place[..., 4:].any()


def test_only_bfloat16_on_a_cpu_without_it_is_computed_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for has in (True, False):
        monkeypatch.setattr(mixed_precision, "multiplies_bfloat16", lambda has=has: has)
        for dtype in (torch.float32, torch.bfloat16):
            number = torch.ones(1, 2, 2, dtype=dtype)
            with SlowProducts() as slow, autocast_off(number):
                torch.bmm(number, number)
            assert bool(slow.found) == (has and dtype == torch.bfloat16)
        with SlowProducts() as slow, autocast("fp32", CPU):
            torch.bmm(number, number)
        assert slow.found


def step(method: Method) -> dict[str, float]:
    """One training step in bfloat16 of the method itself; its gradients stay."""
    clean = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    degraded = F.avg_pool2d(clean, method.scale) if method.scale > 1 else 0.9 * clean
    batch = Batch(degraded, clean, ("noise",) * 2, torch.full((2,), 25.0))
    spec = tiny_spec(method=method.info.name, precision="bf16")
    state = TrainingState(spec, method)
    torch.manual_seed(0)
    module, processes = loss_module(method, Processes(CPU)), Processes(CPU)
    found, _ = take_step(
        module, state.optimisers, batch, spec=spec, step=0, rate=1e-3, processes=processes
    )
    return found


def new_method(name: str) -> Method:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return create(name, "smoke").train()


@pytest.mark.usefixtures("without_bfloat16")
@pytest.mark.parametrize("name", TRAINABLE)
def test_no_training_step_takes_the_slow_way(name: str) -> None:
    method = new_method(name)
    with SlowProducts() as slow:
        step(method)
    assert slow.found == set()


def test_a_training_step_is_that_of_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    method = new_method("ndr_restore")
    totals, directions = {}, {}
    for has in (True, False):
        monkeypatch.setattr(mixed_precision, "multiplies_bfloat16", lambda has=has: has)
        trained = copy.deepcopy(method)
        with SlowProducts() as slow:
            totals[has] = step(trained)["total"]
        assert bool(slow.found) == has
        gradients = [p.grad.flatten() for p in trained.parameters() if p.grad is not None]
        directions[has] = torch.cat(gradients)
    assert totals[False] == pytest.approx(totals[True], rel=1e-3)
    assert F.cosine_similarity(directions[True], directions[False], dim=0) > 0.999
