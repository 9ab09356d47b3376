"""Seconds per training step and per image of all methods, before and after (`make bench`).

`python -m bench.method_speed` takes the runs that a tier plans, those with equal networks once.
Two processes of one thread take turns: "before" is the straightforward formulation
(`bench.straightforward_methods`), or the tree of a git revision (`--against`); "after" is this
tree. Given are medians of processor time over some turns, which other programs on the machine
lengthen less than the clock's. Steps are those of the tier: batch, patch, precision; images have
256 x 256 pixels when they are restored, in single precision. Below the table stands what one step
of each planned run costs together.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndr.atomic_file import write_json
from ndr.data.catalogue import load_catalogue
from ndr.records.provenance import Stopwatch
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import plain, read_yaml
from workflows.configuration import CONFIG, suite_config
from workflows.planning import make_plan

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("step", "image")


@dataclass(frozen=True, slots=True)
class Timing:
    """One network of the plan: how many runs train it, and seconds by kind, before and after."""

    name: str
    runs: int
    before: Mapping[str, float]
    after: Mapping[str, float]


class Worker:
    """A process of one thread that times methods of one tree.

    Args:
        tree: root of a checkout.
        straightforward: whether it uses the straightforward formulations.
    """

    def __init__(self, tree: Path, *, straightforward: bool = False) -> None:
        command = [sys.executable, str(ROOT / "bench" / "method_worker.py")]
        self._process = subprocess.Popen(
            [*command, *(["straightforward"] if straightforward else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        )

    def ask(self, question: Any) -> Any:
        """Ask `bench.method_worker`; what goes wrong there is printed by it.

        Raises:
            RuntimeError: the process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a timed process ended, exit code {self._process.wait()}")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def networks(tier: str, methods: list[str]) -> dict[str, list[RunSpec]]:
    """Runs of a tier by method and changes: those that train the same network."""
    config = suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": tier})
    plan = make_plan(config, load_catalogue(CONFIG / "datasets.yaml"))
    found: dict[str, list[RunSpec]] = {}
    for spec in plan.runs.values():
        if not methods or spec.method in methods:
            changes = ", ".join(f"{key}={value}" for key, value in spec.changes.items())
            found.setdefault(" ".join(filter(None, [spec.method, changes])), []).append(spec)
    return found


@contextlib.contextmanager
def tree_of(revision: str) -> Iterator[Path]:
    """The files of a git revision, in a folder that goes afterwards."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", "--end-of-options"]
    archive = subprocess.run([*command, revision], capture_output=True, check=False)
    if archive.returncode:
        raise SystemExit(f"git has no revision {revision!r} here: {archive.stderr.decode()}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def timed(name: str, specs: list[RunSpec], before: Worker, after: Worker, rounds: int) -> Timing:
    """Medians of one network; the first turn of each kind only warms up."""
    sides = {"before": before, "after": after}
    for worker in sides.values():
        worker.ask({"spec": json.loads(specs[0].canonical_json())})
    medians: dict[str, dict[str, float]] = {side: {} for side in sides}
    for kind in KINDS:
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for turn in range(rounds + 1):
            for side, worker in sides.items():
                value = worker.ask(kind)
                if turn:
                    seconds[side].append(value)
        for side, values in seconds.items():
            medians[side][kind] = statistics.median(values)
    return Timing(name, len(specs), medians["before"], medians["after"])


def row(timing: Timing) -> str:
    """Name, runs, and for steps and images: before, after, and how many times faster."""
    cells = [f"{timing.name:<44} {timing.runs:>4}"]
    for kind in KINDS:
        before, after = timing.before[kind], timing.after[kind]
        cells.append(f"{before:>9.3f} {after:>7.3f} {before / after:>5.2f}")
    return "  ".join(cells)


def heading() -> str:
    """The line above the rows."""
    return f"{'network':<44} {'runs':>4}" + "".join(
        f"  {kind + ', s':>9} {'after':>7} {'ratio':>5}" for kind in KINDS
    )


def total(timings: list[Timing]) -> str:
    """What one step of each run costs together."""
    before, after = (
        sum(timing.runs * seconds["step"] for timing, seconds in pairs)
        for pairs in (
            [(timing, timing.before) for timing in timings],
            [(timing, timing.after) for timing in timings],
        )
    )
    runs = sum(timing.runs for timing in timings)
    return f"one step of each of {runs} runs: {before:.1f} s before, {after:.1f} s after"


def main() -> int:
    """Measure, and print a row as soon as it is known."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.method_speed", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--tier", default="small", help="whose runs (default small)")
    parser.add_argument("--methods", nargs="*", default=[], help="only these")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (default 5)")
    parser.add_argument("--against", metavar="REVISION", help="a git revision as the side before")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    arguments = parser.parse_args()
    stopwatch, timings = Stopwatch(), []
    with contextlib.ExitStack() as stack:
        if arguments.against:
            before = Worker(stack.enter_context(tree_of(arguments.against)))
        else:
            before = Worker(ROOT, straightforward=True)
        stack.callback(before.close)
        after = Worker(ROOT)
        stack.callback(after.close)
        print(heading(), flush=True)
        for name, specs in networks(arguments.tier, arguments.methods).items():
            timings.append(timed(name, specs, before, after, arguments.rounds))
            print(row(timings[-1]), flush=True)
    print(total(timings))
    if arguments.out is not None:
        write_json(arguments.out, plain({**stopwatch.facts(), "timings": timings}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
