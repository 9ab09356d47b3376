"""Both formulations of the networks compute the same function."""

from __future__ import annotations

import pytest
import torch

from bench.straightforward_ndr import COUNTERPARTS, straightforward
from ndr.network.method import NDRRestoreMethod


@pytest.mark.parametrize("variant", ["first_release", "current_release", "equations"])
def test_outputs_and_gradients_agree(variant: str) -> None:
    torch.manual_seed(0)
    lean = NDRRestoreMethod(
        width=8,
        blocks=(1, 1, 1, 1),
        refinement_blocks=1,
        heads=(1, 2, 4, 4),
        degradation_width=12,
        variant=variant,
    )
    plain = straightforward(lean)
    degraded = torch.rand(2, 3, 24, 16, generator=torch.Generator().manual_seed(1))
    clean = torch.rand(2, 3, 24, 16, generator=torch.Generator().manual_seed(2))
    results = []
    for method in (lean, plain):
        restored, degradations = method.restoration(degraded)
        again = method.degradation(clean, degradations)
        ((restored - clean).square().mean() + (again - degraded).square().mean()).backward()
        gradients = {key: value.grad for key, value in method.named_parameters()}
        results.append({"restored": restored, "again": again, **gradients})
    for key, value in results[0].items():
        torch.testing.assert_close(value, results[1][key], rtol=1e-3, atol=1e-5, msg=key)


def test_every_part_has_its_counterpart() -> None:
    plain = straightforward(NDRRestoreMethod(width=4, blocks=(1, 1, 1, 1), heads=(1, 1, 1, 1)))
    kinds = {type(module) for module in plain.modules()}
    assert set(COUNTERPARTS.values()) <= kinds
    assert not kinds & set(COUNTERPARTS)
