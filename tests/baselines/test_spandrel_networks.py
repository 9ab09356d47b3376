"""The adapter to spandrel: quick, and without a trace."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from baselines import spandrel_networks

PROGRAM = """
import sys
from baselines.spandrel_networks import hat, nafnet, swinir
nafnet(4, 1, (1,), (1,))
hat(scale=1, width=4, depths=(1,), heads=(1,), window=4, squeeze_factor=2, tail_width=4,
    drop_path=0.0)
swinir(scale=2, width=4, depths=(1,), heads=(1,), window=4, drop_path=0.0, training_size=8,
       direct_shuffle=True)
prefix = "spandrel.architectures."
names = {name.removeprefix(prefix).split(".")[0] for name in sys.modules if name.startswith(prefix)}
print(sorted(name for name in names if not name.startswith("__")))
assert "spandrel" not in sys.modules
import spandrel
assert spandrel.ModelLoader and len(spandrel.MAIN_REGISTRY) > 30
nafnet(4, 1, (1,), (1,))
"""


def test_imports_only_what_it_builds_and_leaves_the_package_usable() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "['HAT', 'NAFNet', 'SwinIR']"
    assert result.stderr == ""


def test_constructors_take_no_memory_on_meta() -> None:
    with torch.device("meta"):
        network = spandrel_networks.hat(
            scale=2,
            width=180,
            depths=(6, 6),
            heads=(6, 6),
            window=16,
            squeeze_factor=30,
            tail_width=64,
            drop_path=0.1,
        )
    assert all(parameter.is_meta for parameter in network.parameters())
    assert all(buffer.is_meta for buffer in network.buffers())


def test_stochastic_depth_grows_with_depth() -> None:
    network = spandrel_networks.swinir(
        scale=2,
        width=4,
        depths=(2, 2),
        heads=(1, 1),
        window=4,
        drop_path=0.3,
        training_size=8,
        direct_shuffle=False,
    )
    rates = [
        getattr(block.drop_path, "drop_prob", 0.0)
        for layer in network.layers
        for block in layer.residual_group.blocks
    ]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_missing_package_is_named(monkeypatch) -> None:
    monkeypatch.setattr(spandrel_networks.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"package spandrel, which is not installed"):
        spandrel_networks.nafnet(4, 1, (1,), (1,))
