"""Half-precision arithmetic, also on processors that have none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

PRODUCTS: frozenset[Callable[..., Any]] = frozenset(
    {
        F.conv1d, F.conv2d, F.conv3d,
        F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d,
        F.linear, torch.einsum, torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.baddbmm,
        Tensor.matmul, Tensor.__matmul__, Tensor.__rmatmul__, Tensor.mm, Tensor.bmm,
        Tensor.addmm, Tensor.baddbmm,
    }
)  # fmt: skip
"""What autocast runs in bfloat16 on a CPU, as far as networks here use it."""


@contextlib.contextmanager
def autocast(precision: str, device: torch.device) -> Iterator[None]:
    """Context of a forward pass: `bf16` runs products in bfloat16, weights stay in 32 bits.

    For a CPU without instructions for bfloat16 (one without AVX-512), PyTorch has code of last
    resort: a training step of NDR-Restore takes 18 times as long as in single precision. There,
    products are computed in single precision from the same rounded numbers, and rounded: what such
    instructions compute, but for the order of the sums. `fp32` changes nothing.
    """
    with (
        _products(precision, device),
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"),
    ):
        yield


@contextlib.contextmanager
def autocast_off(features: Tensor) -> Iterator[None]:
    """Context of a written gradient and its forward pass: numbers stay in the types they have.

    Products of bfloat16 features are computed as in `autocast`, in backward passes too, which run
    after that context.
    """
    precision = "bf16" if features.dtype == torch.bfloat16 else "fp32"
    with (
        _products(precision, features.device),
        torch.autocast(features.device.type, enabled=False),
    ):
        yield


def _products(precision: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    slow = precision == "bf16" and device.type == "cpu" and not multiplies_bfloat16()
    return ProductsInSinglePrecision() if slow else contextlib.nullcontext()


def multiplies_bfloat16() -> bool:
    """Whether this CPU has fast products of bfloat16 numbers, by PyTorch's own measure."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class ProductsInSinglePrecision(TorchFunctionMode):
    """Compute products of bfloat16 numbers from the same numbers in single precision.

    These are the products under autocast, unless a number is in double precision, and elsewhere
    those of tensors in bfloat16. The result is rounded to bfloat16, and so are gradients.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by PyTorch in place of `func`."""
        named = dict(kwargs or {})
        if func not in PRODUCTS:
            return func(*args, **named)
        found = {value.dtype for value in (*args, *named.values()) if isinstance(value, Tensor)}
        half = torch.bfloat16 in found
        if torch.is_autocast_enabled("cpu"):
            half = torch.float64 not in found
        if not half:
            return func(*args, **named)
        place = named.pop("out", None)
        with torch.autocast("cpu", enabled=False):
            product = func(
                *(_rounded(value) for value in args),
                **{name: _rounded(value) for name, value in named.items()},
            )
            return product.bfloat16() if place is None else place.copy_(product)


def _rounded(value: Any) -> Any:
    """In single precision, rounded to bfloat16; what is no tensor of such numbers is itself."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    return value.bfloat16().float()
