"""`python -m workflows.lint`: Snakemake's own lint, less the warnings that are explained here."""

from __future__ import annotations

import re
import subprocess
import sys

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
}
"""Warnings of single rules, with the reason."""


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


def main() -> int:
    """Print the open warnings; exit code 1 if there are any, or if the workflow has errors."""
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"], capture_output=True, text=True, check=False
    )
    output = result.stdout + result.stderr
    if "Lints for" not in output and result.returncode != 0:
        sys.stderr.write(output)
        return result.returncode
    warnings = open_warnings(output)
    sys.stdout.writelines(f"{warning}\n" for warning in warnings)
    return int(bool(warnings))


if __name__ == "__main__":
    sys.exit(main())
