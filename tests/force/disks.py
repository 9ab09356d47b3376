"""Run each stage onto a full, nearly full and read-only disk: `python -m tests.force.disks FOLDER`.

FOLDER is a finished copy of the suite, as `python -m tests.force.kills --keep` leaves one. The
command of one job of each rule is given again, with its outputs on a small disk of its own (Linux,
as root: a tmpfs in a mount namespace that ends with the command). It must fail in a few lines
without a traceback, and leave nothing under a final name but whole files. The exit status is 1
where one does not.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DISKS = {
    "full": "mount -t tmpfs -o size=64k none {0}; dd if=/dev/zero of={0}/.fill 2>/dev/null || true",
    "nearly full": "mount -t tmpfs -o size=16k none {0}",
    "read-only": "mount -t tmpfs -o size=64k,ro none {0}",
}
"""How each is made; `{0}` is its folder."""
MOST_LINES = 12
"""Of a clear message, warnings of libraries included."""


@dataclass(frozen=True)
class Stage:
    """One job."""

    rule: str
    command: str
    outputs: tuple[str, ...]


def stages(folder: Path) -> list[Stage]:
    """A job of each rule, from what Snakemake keeps of finished ones."""
    found: dict[str, tuple[str, list[str]]] = {}
    outputs: defaultdict[str, list[str]] = defaultdict(list)
    metadata = folder / ".snakemake" / "metadata"
    for path in sorted(metadata.rglob("*")):
        if path.is_file():
            record = json.loads(path.read_text(encoding="utf-8"))
            encoded = "".join(part.removeprefix("@") for part in path.relative_to(metadata).parts)
            output = base64.urlsafe_b64decode(encoded).decode()
            outputs[record["shellcmd"]].append(output)
            found.setdefault(record["rule"], (record["shellcmd"], outputs[record["shellcmd"]]))
    return [Stage(rule, command, tuple(files)) for rule, (command, files) in found.items()]


def _moved(stage: Stage, disk: Path) -> tuple[str, Mapping[str, str]]:
    """The command with its outputs on the disk and its words on the screen."""
    command = re.sub(r" > \S+ 2>&1$", "", stage.command.rstrip())
    places = {}
    for output in sorted(stage.outputs, key=len, reverse=True):
        place = f"{disk}/{Path(output).name}"
        places[place] = output
        command = command.replace(f" {output}", f" {place}")
    return command, places


def problems(folder: Path, stage: Stage, kind: str) -> list[str]:
    """Run a stage onto a disk; what is wrong with how it ended."""
    with tempfile.TemporaryDirectory(prefix="disk-") as temporary:
        disk, after = Path(temporary, "disk"), Path(temporary, "after")
        if not any(f" {output}" in stage.command for output in stage.outputs):
            disk = (folder / stage.outputs[0]).parents[1]  # named by its folder alone
        disk.mkdir(exist_ok=True)
        command, places = _moved(stage, disk)
        script = (
            f"set -e; {DISKS[kind].format(shlex.quote(str(disk)))}; status=0; "
            f"({command}) || status=$?; rm -f {disk}/.fill 2>/dev/null || true; "
            f"cp -r {disk} {after}; exit $status"
        )
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        result = subprocess.run(
            ["unshare", "--mount", "bash", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return [*_of_message(result), *_of_files(folder, places, disk, after)]


def _of_message(result: subprocess.CompletedProcess[str]) -> list[str]:
    said = (result.stdout + result.stderr).strip()
    found = []
    if result.returncode == 0:
        found.append("it ended well")
    if "Traceback" in said or len(said.splitlines()) > MOST_LINES:
        found.append(f"{len(said.splitlines())} lines: ... {said[-600:]}")
    if not re.search("No space left|Read-only|no room|disk", said):
        found.append(f"no word of the disk: {said[-300:]}")
    return found


def _of_files(folder: Path, places: Mapping[str, str], disk: Path, after: Path) -> list[str]:
    found = []
    for path in after.rglob("*"):
        if not path.is_file():
            continue
        name = path.relative_to(after)
        output = places.get(str(disk / name.parts[0]))
        original = folder / output / Path(*name.parts[1:]) if output else disk / name
        if not original.is_file():
            found.append(f"left {name}")
        elif original.suffix != ".json" and original.read_bytes() != path.read_bytes():
            found.append(f"half-written: {name}, {path.stat().st_size} bytes")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.force.disks", description=__doc__)
    parser.add_argument("folder", type=Path, help="a finished copy of the suite")
    parser.add_argument("--rule", action="append", help="only these")
    options = parser.parse_args(argv)
    total = 0
    for stage in stages(options.folder.resolve()):
        if options.rule and stage.rule not in options.rule:
            continue
        for kind in DISKS:
            found = problems(options.folder.resolve(), stage, kind)
            total += len(found)
            print(f"{stage.rule}, {kind}: {'; '.join(found) or 'clear'}", flush=True)
    print(f"{total} findings")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
