"""Seconds and sizes of networks that the paper's text compares: `python -m ndr.time_networks`.

The networks of a tier, with random weights, restore one image of 64x64 pixels in turns: each round
calls all of them one after the other, so that a machine with other work slows all alike, and a
difference of two is paired by round. Parameters are counted at the paper's size.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ndr.device import DEVICES, DeviceError, chosen_device
from ndr.evaluation.running import fixed_arithmetic
from ndr.method import TIERS
from ndr.records.network_costs import NetworkCost, NetworkCosts
from ndr.records.provenance import hardware
from ndr.registry import create

SIDE = 64
WARM_UP = 3
NETWORKS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "N = 32": ("ndr_restore", {}),
    "N = 8": ("ndr_restore", {"N": 8}),
    "AirNet": ("airnet", {}),
}
"""Method and changes of the timed networks; M is 128 in the first two."""


def parameters_at_the_papers_size(method: str, changes: Mapping[str, Any]) -> int:
    """Learned numbers of a network, counted on one that holds none."""
    with torch.device("meta"):
        return create(method, "paper", **changes).counted_parameters()


def timed_rounds(
    calls: Mapping[str, Callable[[], object]], rounds: int, wait: Callable[[], object]
) -> dict[str, list[float]]:
    """Seconds of each call in each round, after some that do not count.

    Args:
        calls: what is timed, by name.
        rounds: how often each is called.
        wait: returns when the device has finished.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(WARM_UP + rounds):
        for name, call in calls.items():
            wait()
            started = time.perf_counter()
            call()
            wait()
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def network_costs(tier: str, rounds: int, device: torch.device, cpu_threads: int) -> NetworkCosts:
    """Time the networks of a tier and count their parameters."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, SIDE, SIDE, device=device)
    methods = {
        name: create(method, tier, **changes).eval().to(device)
        for name, (method, changes) in NETWORKS.items()
    }
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    with fixed_arithmetic("fp32", cpu_threads, device):
        calls = {name: lambda each=each: each.restore(image) for name, each in methods.items()}
        seconds = timed_rounds(calls, rounds, wait)
    machine = hardware()
    return NetworkCosts(
        tier=tier,
        side=SIDE,
        device=device.type,
        hardware=", ".join(machine.gpus) if device.type == "cuda" else machine.processor,
        networks={
            name: NetworkCost(
                method,
                dict(changes),
                tuple(seconds[name]),
                parameters_at_the_papers_size(method, changes),
            )
            for name, (method, changes) in NETWORKS.items()
        },
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Command-line entry point."""
    parser = argparse.ArgumentParser(prog="python -m ndr.time_networks", description=__doc__)
    parser.add_argument("--tier", required=True, choices=TIERS, help="whose sizes are timed")
    parser.add_argument("--rounds", type=int, default=40, help="default: %(default)s")
    parser.add_argument("--cpu-threads", type=int, default=1)
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument("--out", required=True, type=Path, help="JSON file to write")
    arguments = parser.parse_args(argv)
    try:
        device = chosen_device(arguments.device)
        costs = network_costs(arguments.tier, arguments.rounds, device, arguments.cpu_threads)
        costs.write(arguments.out)
    except (DeviceError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
