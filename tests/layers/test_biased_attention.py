from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ndr.layers.biased_attention import biased_attention


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_it_is_pytorchs_attention(kind: torch.dtype) -> None:
    """With and without a gradient of the bias, which take different paths."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(5, 2, 49, 12).to(kind).requires_grad_() for _ in range(3))
    bias = torch.randn(1, 2, 49, 49, requires_grad=True)
    inputs = (query, key, value, bias)
    with torch.no_grad():
        without = biased_attention(*inputs)
    exact = [each.detach().double().requires_grad_() for each in inputs]
    expected = F.scaled_dot_product_attention(*exact)
    found = biased_attention(*inputs)
    above = torch.randn(expected.shape).to(kind)
    pairs = [
        (without, expected),
        (found, expected),
        *zip(
            torch.autograd.grad(found, inputs, above),
            torch.autograd.grad(expected, exact, above.double()),
            strict=True,
        ),
    ]
    bound = 1e-6 if kind == torch.float32 else 1e-2
    for one, other in pairs:
        assert (one - other).norm() <= bound * other.norm()
    assert found.dtype == without.dtype == kind
