"""Damaged files for every reader of the suite: `python -m tests.force.fuzz --files 5000 --seed 9`.

Each file is read in a child process, which may refuse it by the reader's own error in one line or
take it. Anything else is a finding: a signal, a hang, another exception, a message of several
lines, or a gigabyte of memory for some kilobytes. Prints a line per reader and per finding; the
exit status is 1 where there are findings. Findings come back with `--reader NAME --first NUMBER`.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.force.damage import damaged

SECONDS = 120
"""Of silence after which a child counts as hanging; the machine may be busy."""
MEMORY = 1 << 30
"""Bytes that a child may take beside what it has once all is imported."""


@dataclass
class Outcome:
    """What became of the files of a reader."""

    files: int = 0
    taken: int = 0
    refused: int = 0
    slowest: float = 0.0
    slowest_number: int = -1
    findings: list[str] = field(default_factory=list)


def _child(folder: Path, readers: Sequence[str], files: int, seed: int, first: int) -> None:
    """Read damaged files and print a line before and after each."""
    from tests.force.readers import READERS

    faulthandler.disable()
    for name in readers:
        READERS[name].prepare(folder / name)
    _limit_memory()
    for name in readers:
        reader = READERS[name]
        sources = reader.files(folder / name)
        for number in range(first, files):
            source = sources[number % len(sources)]
            content = damaged(source.read_bytes(), seed, number, reader.text)
            path = reader.place(folder / name, source)
            path.write_bytes(content)
            _say(reader=name, number=number)
            _say(**_read(reader, path))
        first = 0


def _read(reader: Any, path: Path) -> dict[str, Any]:
    started = time.monotonic()
    try:
        reader.read(path)
    except reader.errors as error:
        message = str(error)
        lines = message.count("\n") + 1
        if lines > reader.lines or any(ord(c) < 32 and c != "\n" for c in message):
            return {"finding": f"{lines} lines, or control characters: {message[:300]!r}"}
        return {"outcome": "refused", "seconds": time.monotonic() - started}
    except BaseException as error:
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = "" if where is None else f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}"
        where = None  # a circle that would keep what the reader had in memory
        return {"finding": f"{type(error).__name__} at {place}: {str(error)[:200]!r}"}
    return {"outcome": "taken", "seconds": time.monotonic() - started}


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _say(**content: Any) -> None:
    os.write(_OUT, json.dumps(content).encode() + b"\n")


_OUT = 1


def _start(folder: Path, readers: Sequence[str], files: int, seed: int, first: int) -> Any:
    arguments = ["--child", str(folder), "--files", str(files), "--seed", str(seed)]
    arguments += ["--first", str(first), *(text for name in readers for text in ("--reader", name))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.force.fuzz", *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(folder / "printed.txt").open("ab"),
        start_new_session=True,
    )


def fuzz(readers: Sequence[str], files: int, seed: int, first: int = 0) -> dict[str, Outcome]:
    """Read `files - first` damaged files with each reader; what became of them."""
    outcomes = {name: Outcome() for name in readers}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder, left = Path(temporary), list(readers)
        while left:
            child = _start(folder, left, files, seed, first)
            case: tuple[str, int] | None = None
            for content in _lines(child):
                if "reader" in content:
                    case = (content["reader"], content["number"])
                    outcomes[case[0]].files += 1
                    continue
                assert case is not None
                _count(outcomes[case[0]], case, content)
                case = None
            status = child.wait()
            if status == 0:
                return outcomes
            if case is None:
                tail = (folder / "printed.txt").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"a child ended with {status} between two files:\n{tail}")
            name, number = case
            ended = f"signal {-status}" if status != _HUNG else "hangs"
            outcomes[name].findings.append(f"{name} {number}: {ended}")
            # On with the next file, of the next reader where it was the last.
            left, first = left[left.index(name) :], number + 1
            if first == files:
                left, first = left[1:], 0
    return outcomes


_HUNG = -signal.SIGKILL


def _count(outcome: Outcome, case: tuple[str, int], content: dict[str, Any]) -> None:
    if "finding" in content:
        outcome.findings.append(f"{case[0]} {case[1]}: {content['finding']}")
        return
    outcome.taken += content["outcome"] == "taken"
    outcome.refused += content["outcome"] == "refused"
    if content["seconds"] > outcome.slowest:
        outcome.slowest, outcome.slowest_number = content["seconds"], case[1]


def _lines(child: Any) -> Any:
    """What a child prints; one that is silent for long is killed."""
    waiting = selectors.DefaultSelector()
    waiting.register(child.stdout, selectors.EVENT_READ)
    rest = b""
    while True:
        if not waiting.select(timeout=SECONDS):
            os.killpg(child.pid, signal.SIGKILL)
            return
        read = os.read(child.stdout.fileno(), 1 << 16)
        if not read:
            return
        *lines, rest = (rest + read).split(b"\n")
        yield from (json.loads(line) for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.force.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=5000, help="over all readers")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--reader", action="append", help="only these")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child is not None:
        _child(options.child, options.reader, options.files, options.seed, options.first)
        return 0
    from tests.force.readers import READERS

    names = options.reader or list(READERS)
    each = max(-(-options.files // len(names)), options.first + 1)
    outcomes = fuzz(names, each, options.seed, options.first)
    for name, outcome in outcomes.items():
        print(
            f"{name}: {outcome.files} files, {outcome.refused} refused, {outcome.taken} taken, "
            f"{len(outcome.findings)} findings, slowest {outcome.slowest:.2f} s "
            f"(number {outcome.slowest_number})"
        )
    findings = [finding for outcome in outcomes.values() for finding in outcome.findings]
    kinds = Counter(finding.split(": ", 1)[1].split(":")[0] for finding in findings)
    print(f"{sum(o.files for o in outcomes.values())} files: {dict(kinds) or 'no findings'}")
    print(*findings, sep="\n")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
