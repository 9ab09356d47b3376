"""A copy of the project in which tests run commands as a user does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from workflows.lint import new_files, tracked_files

PROGRAM = ("ndr", "baselines", "workflows", "reports", "config", "profiles", "Snakefile")
"""What a run needs."""
STORAGE = (".dvc", ".dvcignore", ".gitignore", "dvc.yaml")
"""What storing it needs too."""
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
"""Nothing listens on the discard port: downloads fail at once, wherever the tests run."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `path` is the file that its first line names."""

    language: str
    path: str
    text: str


def blocks(page: Path, heading: str) -> list[Block]:
    """The blocks of a page's section, sub-sections included."""
    sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = (section for section in sections if section.startswith(f"{heading}\n"))
    found = []
    for language, content in re.findall(r"```(\w+)\n(.*?)```", text, flags=re.DOTALL):
        first, _, rest = content.partition("\n")
        named = first.startswith("# ")
        found.append(Block(language, first[2:] if named else "", rest if named else content))
    return found


def own_files() -> list[str]:
    """Files that git tracks or would add, relative to the checkout: no products."""
    return sorted({*tracked_files(REPOSITORY), *new_files(REPOSITORY)})


def copy_project(folder: Path, parts: Sequence[str] = PROGRAM) -> Path:
    """Copy the project's own files of some folders; returns the copy's folder."""
    for name in own_files():
        if name.split("/")[0] in parts:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, target)
    return folder


def environment_in(
    folder: Path, *packages: Path, base: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Variables of a command that has the copy, and further packages, for the installed suite."""
    # The rules call `python`, and blocks of a page `snakemake`: those that run the tests.
    path = f"{Path(sys.executable).parent}{os.pathsep}{base['PATH']}"
    paths = os.pathsep.join(map(str, (folder, *packages)))
    environment = {**base, **NO_NETWORK, "PYTHONPATH": paths, "PATH": path}
    environment.pop("SNAKEMAKE_PROFILE", None)
    return environment


def run_in(
    folder: Path, command: Sequence[str], *packages: Path, base: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """Run a command with the copy, and further packages, in place of the installed suite."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment_in(folder, *packages, base=base),
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,  # a guard against hanging; the cores are shared with other tests
    )


def succeeded(folder: Path, result: subprocess.CompletedProcess[str]) -> str:
    """What a command printed; where it failed the test does, with the ends of the jobs' logs."""
    output = result.stdout + result.stderr
    if result.returncode != 0:
        named = re.findall(r"(?:log:|its log is) (\S+)", output)
        logs = (folder / name for name in dict.fromkeys(named))
        tails = [
            f"--- {path}\n" + "\n".join(path.read_text(encoding="utf-8").splitlines()[-15:])
            for path in logs
            if path.is_file()
        ]
        pytest.fail("\n".join([str(result.args), output[-6000:], *tails]))
    return output


def jobs(output: str) -> Counter[str]:
    """Jobs per rule, from the line or (of a dry run) the table that stands before them."""
    line = re.search(r"^\d+ jobs?: (.*?); the whole log", output, re.MULTILINE)
    if line:
        return Counter({rule: int(count) for count, rule in re.findall(r"(\d+) (\w+)", line[1])})
    table = re.search(r"Job stats:\n(.*?)\n\n", output, re.DOTALL)
    lines = table[1].splitlines()[2:] if table else []
    found = Counter({line.split()[0]: int(line.split()[1]) for line in lines})
    found.pop("total", None)
    return found
