"""The recorded shapes of the dehazing methods' checkpoints are those of the published networks."""

from __future__ import annotations

import pytest
import torch

from ndr.registry import method_class
from tests.baselines.official_shapes import official_shapes

NO_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked", "relative_positions")


@pytest.mark.parametrize("name", ["aodnet", "dehazeformer", "dehazenet", "epdn", "fdgan", "mscnn"])
def test_published_size_adds_up(name: str) -> None:
    info = method_class(name).info
    shapes = official_shapes(name)[info.official_weights[0].name]
    sizes = [
        torch.Size(shape).numel()
        for key, shape in shapes.items()
        if not key.endswith(NO_PARAMETERS)
    ]
    assert sum(sizes) == info.published_parameters
