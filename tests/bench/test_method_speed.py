"""The methods' table: equal formulations, what is timed, and the sum below it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.method_speed import Timing, networks, row, total, tree_of

EQUAL = """
import copy, sys, torch
from bench.straightforward_methods import write_straightforwardly
from ndr.registry import create

torch.manual_seed(0)
method = create(sys.argv[1], "smoke").eval()
with torch.no_grad():
    for parameter in method.parameters():
        parameter.add_(0.02 * torch.randn(parameter.shape))
image, above = torch.rand(1, 3, 32, 32), torch.randn(1, 3, 32, 32)

def results(method):
    image.requires_grad_().grad = None
    method.zero_grad()
    restored = method.restore(image)
    (restored * above).sum().backward()
    gradients = [p.grad.flatten() for p in method.parameters() if p.grad is not None]
    return restored.detach(), image.grad.clone(), torch.cat(gradients)

first = results(method)
other = copy.deepcopy(method)
write_straightforwardly(other)
for one, two in zip(first, results(other), strict=True):
    assert (one - two).norm() <= 1e-4 * two.norm(), (one - two).norm() / two.norm()
"""


@pytest.mark.parametrize("name", ["airnet", "drt", "dehazeformer", "nafnet", "restormer"])
def test_straightforward_methods_compute_the_same(name: str) -> None:
    """In a process of its own, whose modules stay changed."""
    subprocess.run([sys.executable, "-c", EQUAL, name], check=True)


def test_runs_that_train_the_same_network_are_timed_once() -> None:
    found = networks("smoke", ["airnet", "dncnn"])
    assert {"airnet", "dncnn", "airnet upscale=pixel_shuffle"} <= found.keys()
    assert all(name.split()[0] == spec.method for name, specs in found.items() for spec in specs)
    assert len(found["airnet"]) > 1


def test_the_sum_is_over_runs() -> None:
    timings = [
        Timing("one", 3, {"step": 2.0, "image": 9.0}, {"step": 1.0, "image": 3.0}),
        Timing("two", 1, {"step": 4.0, "image": 9.0}, {"step": 0.5, "image": 3.0}),
    ]
    assert total(timings) == "one step of each of 4 runs: 10.0 s before, 3.5 s after"
    assert row(timings[0]).split() == [
        "one",
        "3",
        "2.000",
        "1.000",
        "2.00",
        "9.000",
        "3.000",
        "3.00",
    ]


def test_a_revision_is_unpacked_and_an_unknown_one_named() -> None:
    with tree_of("HEAD") as tree:
        assert (tree / "ndr" / "method.py").is_file()
    assert not tree.exists()
    for wrong in ("nowhere", "--output=nowhere"):
        with pytest.raises(SystemExit, match=f"no revision '{wrong}'"), tree_of(wrong):
            pass


def test_the_command_measures_a_method() -> None:
    command = ["-m", "bench.method_speed", "--tier=smoke", "--methods=aodnet", "--rounds=1"]
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines[1].startswith("aodnet")
    assert lines[-1].startswith("one step of each of 1 runs: ")
