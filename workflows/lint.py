"""`python -m workflows.lint`: every check of style and types, over the files that git tracks.

Products lie inside the checkout (reports/all_tables.html, results/, data/), so each tool gets the
names of its files from here and looks for none itself. `--mend` formats them instead.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from workflows import ROOT

PRODUCT = ("ndr", "baselines", "workflows", "reports")
"""Packages of the suite."""
TYPED = (*PRODUCT, "bench")
"""Packages whose types are checked: those of `[tool.mypy]`."""
SNAKEMAKE_LINT = ("snakemake", "--lint")

EXPLAINED = {
    "Specify a conda environment or container for each rule.": (
        "all rules share the one environment that requirements.lock pins"
    ),
}
OUTSIDE = "Shell command directly uses variable suite from outside of the rule"
EXPLAINED_IN = {
    ("fetch_set", OUTSIDE): (
        "mirrors and accepted terms must not be parameters: a change would re-run all trainings"
    ),
    ("prepare_set", OUTSIDE): "mirrors must not be parameters: a change would re-run all trainings",
    **{
        (rule, OUTSIDE): "how a module is started, on which cards, changes no result"
        for rule in ("train_run", "evaluate_run", "represent_run")
    },
}
"""Warnings of single rules, with the reason."""


class NoCheckoutError(RuntimeError):
    """Git does not say which files belong to the project."""


def _listed(root: Path, *options: str) -> list[str]:
    """Names that `git ls-files` gives, without those of deleted files."""
    command = ["git", "-c", "core.quotePath=off", "ls-files", "-z", *options]
    try:
        result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise NoCheckoutError("git is not installed, but says which files are checked") from error
    except subprocess.CalledProcessError as error:
        raise NoCheckoutError(
            f"{root}: expected a clone of the repository; git says: {error.stderr.strip()}"
        ) from error
    return sorted(name for name in set(result.stdout.split("\0")) if (root / name).is_file())


def tracked_files(root: Path = ROOT) -> list[str]:
    """Files that git tracks, relative to `root`."""
    return _listed(root)


def new_files(root: Path = ROOT) -> list[str]:
    """Files that git neither tracks nor ignores: they are to be added, or not of the project."""
    return _listed(root, "--others", "--exclude-standard")


def commands(files: Sequence[str], mend: bool = False) -> list[list[str]]:
    """The tools with the files that each of them looks at."""
    python = [name for name in files if name.endswith(".py")]
    rules = [n for n in files if n.endswith(".smk") or PurePosixPath(n).name == "Snakefile"]
    typed = [name for name in python if PurePosixPath(name).parts[0] in TYPED]
    if mend:
        tools = [
            (["ruff", "check", "--fix"], python),
            (["ruff", "format"], python),
            (["snakefmt"], rules),
        ]
    else:
        tools = [
            (["ruff", "check"], python),
            (["ruff", "format", "--check"], python),
            (["snakefmt", "--check"], rules),
            (["codespell_lib", "--check-hidden"], list(files)),
            (["mypy"], typed),
        ]
    return [[*tool, *chosen] for tool, chosen in tools if chosen]


def open_warnings(output: str) -> list[str]:
    """Warnings in the text of `snakemake --lint` that nothing here explains."""
    place = ""
    found = []
    for line in output.splitlines():
        if heading := re.match(r"Lints for (.+):$", line):
            place = heading[1]
        elif warning := re.match(r" {4}\* (.+):$", line):
            rule = re.match(r"rule (\w+)", place)
            explained = rule is not None and (rule[1], warning[1]) in EXPLAINED_IN
            if warning[1] not in EXPLAINED and not explained:
                found.append(f"{place}: {warning[1]}")
    return found


def _workflow_is_clean(root: Path) -> bool:
    """Run Snakemake's own lint; prints what is wrong."""
    result = subprocess.run(
        [sys.executable, "-m", *SNAKEMAKE_LINT],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    output = result.stdout + result.stderr
    if "Lints for" not in output and result.returncode != 0:
        print(output, end="")
        return False
    warnings = open_warnings(output)
    print("\n".join(warnings) or "no warning that is not explained")
    return not warnings


def check(root: Path = ROOT, mend: bool = False) -> int:
    """Run all tools, also after one found something; 1 where one did."""
    failed = []
    for command in commands(tracked_files(root), mend):
        tool = shlex.join(part for part in command if not (root / part).is_file())
        print(f"{tool}:", flush=True)
        result = subprocess.run([sys.executable, "-m", *command], cwd=root, check=False)
        if result.returncode:
            failed.append(tool)
    if not mend:
        print(f"{shlex.join(SNAKEMAKE_LINT)}:", flush=True)
        if not _workflow_is_clean(root):
            failed.append(shlex.join(SNAKEMAKE_LINT))
    if new := new_files(root):
        print(f"not looked at: {len(new)} files that git does not track, first {new[0]} (git add)")
    if failed:
        print(f"not clean: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.lint", description="Check style and types of the tracked files."
    )
    parser.add_argument("--mend", action="store_true", help="format and mend what can be mended")
    try:
        return check(mend=parser.parse_args(argv).mend)
    except NoCheckoutError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
