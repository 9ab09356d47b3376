"""What is still to do for the tables, before it is done: `python -m workflows.estimate`.

    python -m workflows.estimate --config tier=paper

Per table: trainings, hours, downloads, disk; in all also the hours of this machine's cores.
Finished runs are read from `results/<tier>/`. Nothing is run, no GPU is needed. Scoring is not
counted: it takes minutes per run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ndr.specs.typed_file import read_yaml
from workflows import ROOT
from workflows.configuration import CONFIG
from workflows.estimate.hours import COUNTED, GPU_HOURS, read_assumptions
from workflows.estimate.tables import TableEstimate, estimate, total_of
from workflows.estimate.this_machine import known_speed, measure_speed
from workflows.estimate.volumes import Volume

GB = 1e9
STAGES = (
    ("data sets", ("--until", "prepare_set")),
    ("training", ("--until", "train_run")),
    ("scoring", ("--until", "evaluate_run")),
    ("tables and page", ()),
)


def _volume_text(volume: Volume) -> str:
    text = f"{volume.bytes / GB:.1f} GB"
    return f"{text} + {len(volume.unknown)} unknown" if volume.unknown else text


def _hours_text(hours: float, uncounted: int) -> str:
    text = f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}" if hours else "0"
    return f"{text} + {uncounted} unknown" if uncounted else text


HEADERS = ("table", "runs", "new here", "left", "hours", "scores left", "download", "disk")
NAMED = 6
"""Names of runs or sets without a figure that are listed; of more, their number."""


def as_text(estimates: Sequence[TableEstimate], overrides: Sequence[str]) -> str:
    """The estimates as an aligned table, what they rest on, and a command for each stage."""
    total = total_of(estimates)
    on_gpus = all(basis.startswith(GPU_HOURS) for basis in total.hours)
    rows = [tuple(GPU_HOURS if name == "hours" and on_gpus else name for name in HEADERS)]
    for item in [*estimates, total]:
        rows.append(
            (
                item.label,
                str(item.runs) if item is not total else "",
                str(item.new),
                str(item.left),
                _hours_text(sum(item.hours.values()), len(item.uncounted)),
                str(item.scores_left),
                _volume_text(item.download),
                _volume_text(item.disk),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += ["", *(f"{hours:,.1f} {basis}" for basis, hours in total.hours.items())]
    if total.left:
        lines.append(core_line(total.core_hours, ROOT))
    if any(COUNTED in basis for basis in total.hours):
        lines.append(
            "Counted hours are too low for narrow networks, which wait for launches; a method's "
            "first finished run replaces them."
        )
    if total.uncounted:
        lines.append(
            f"hours unknown: {_named(total.uncounted)}; count them: "
            "python -m workflows.estimate.hours"
        )
    if total.disk.unknown:
        lines.append(f"size unknown: {_named(sorted(total.disk.unknown))}")
    lines += ["", *_commands(overrides)]
    return "\n".join(lines)


def core_line(hours: float, root: Path) -> str:
    """What the trainings cost on this machine without a card."""
    known = known_speed(root)
    basis = known.card.basis if known else "a guess; --time-here measures it"
    return (
        f"about {_hours_text(hours, 0)} core-hours here without a card, on {os.cpu_count()} cores "
        f"{_hours_text(hours / (os.cpu_count() or 1), 0)} hours ({basis})"
    )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _commands(overrides: Sequence[str]) -> list[str]:
    """One command for each stage; each goes on where the last one ended."""
    target = ("snakemake", "--cores", "all", "reports/all_tables.html")
    config = ("--config", *overrides) if overrides else ()
    width = max(len(stage) for stage, _ in STAGES)
    return [
        f"{stage.ljust(width)}  {shlex.join((*target, *options, *config))}"
        for stage, options in STAGES
    ]


def as_json(estimates: Sequence[TableEstimate]) -> str:
    """The estimates and their sum as JSON: bytes, hours by what they are based on."""
    content = {"tables": [*map(asdict, estimates)], "sum": asdict(total_of(estimates))}
    # Sets, of what has no known size, as lists.
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False, default=sorted)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    from snakemake.cli import parse_config

    parser = argparse.ArgumentParser(
        prog="python -m workflows.estimate", description="What is still to do for the tables."
    )
    parser.add_argument(
        "--config", nargs="+", default=[], metavar="KEY=VALUE", help="as snakemake's"
    )
    parser.add_argument("--card", help="a card of config/costs.yaml, for what is not measured")
    parser.add_argument(
        "--time-here", action="store_true", help="time a training step on a core of this machine"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    if options.time_here:
        measure_speed(ROOT, read_assumptions().step_over_forward)
    try:
        content = {**read_yaml(CONFIG / "config.yaml"), **parse_config(options.config)}
        estimates = estimate(content, card=options.card)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(as_json(estimates) if options.json else as_text(estimates, options.config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
