"""What is told of the shipped networks: a card for each, and an overview of all, Markdown.

Both are written from the metadata of the files alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from ndr.records.provenance import TrainingProvenance
from ndr.records.shipped_weights import ShippedHeader
from ndr.registry import method_class
from ndr.specs.run_spec import RunSpec

OVERVIEW = "README.md"
"""Beside the cards."""


def core_seconds(training: TrainingProvenance) -> float:
    """Seconds of a core that a step took: less than on the clock where others used it too.

    A training that was resumed knows the clock alone.
    """
    on_the_clock = training.seconds_per_step
    if training.resumed_at:
        return on_the_clock
    return min(on_the_clock, training.processor_seconds / max(1, training.steps_done))


def core_hours(training: TrainingProvenance) -> float:
    """Hours of a core that a training took (`core_seconds`)."""
    return core_seconds(training) * training.steps_done / 3600


def card(header: ShippedHeader, size: int) -> str:
    """The model card of a shipped run, Markdown, written from its metadata alone."""
    spec, training = header.spec, header.training
    recipe = spec.recipe
    info = method_class(spec.method).info
    tasks = ", ".join(task.name for task in spec.setting.tasks)
    facts = [
        ("Method", f"{info.paper_label}, written anew from {info.citation}"),
        ("Tasks", f"{tasks} (mix `{spec.setting.name}`, balance `{spec.setting.balance}`)"),
        ("Changes", _changes(spec) or "none"),
        ("Parameters", f"{training.parameters:,} in training, file {size / 1e6:.2f} MB"),
        (
            "Recipe",
            f"{recipe.last_step} steps of {recipe.batch} patches of {recipe.patch} pixels, "
            f"{recipe.optimiser}, rate {recipe.learning_rate:g} {recipe.schedule}, "
            f"{recipe.pixel_loss} loss, {spec.precision}, seed {spec.seed}",
        ),
        ("Trained on", ", ".join(spec.sets) + f" (hash of the images {training.data_sha256[:16]})"),
        (
            "Time",
            f"{core_hours(training):.2f} core-hours, {training.place}, {training.started[:10]}",
        ),
        ("Code", f"commit {training.commit}{' with changes' if training.modified else ''}"),
        ("Versions", ", ".join(f"{k} {training.versions[k]}" for k in ("python", "torch"))),
    ]
    lines = [f"# {spec.run}", "", "| | |", "|---|---|"]
    lines += [_row(fact) for fact in facts]
    lines += ["", "PSNR on validation images, over the degraded input:", ""]
    lines += ["| validation set | dB | gain |", "|---|---|---|"]
    lines += [
        _row((name, f"{value:.2f}", f"{header.validation_gain[name]:+.2f}"))
        for name, value in header.validation.items()
    ]
    lines += [
        "",
        "A narrow network of the tier `small`: it shows what the method's idea does at this size, "
        "not what the paper's network reaches. Weights in half precision, what is beyond its range "
        "in single; the training images are for research use.",
        "",
    ]
    return "\n".join(lines)


def overview(headers: Iterable[ShippedHeader]) -> str:
    """All shipped runs with their gains on validation images, a table for each mix of tasks.

    Trainings of one network that differ in their seed alone have a line more: the mean gain and
    the standard deviation between the trainings.
    """
    in_order = sorted(headers, key=_place)
    hours = sum(core_hours(header.training) for header in in_order)
    networks = "network" if len(in_order) == 1 else "networks"
    lines = [
        "# Networks that the suite has trained",
        "",
        f"{len(in_order)} {networks}, {hours:.1f} core-hours. Gains are PSNR over the degraded "
        "input in dB, on validation images; how they were trained stands in "
        "[docs/training_small.md](../docs/training_small.md), and of each one its card says more.",
        "",
    ]
    for setting, group in groupby(in_order, key=lambda header: header.spec.setting.name):
        lines += _mix_table(setting, list(group))
    return "\n".join(lines)


def _mix_table(setting: str, headers: Sequence[ShippedHeader]) -> list[str]:
    sets = list(dict.fromkeys(name for header in headers for name in header.validation_gain))
    names = ["network", "seed", "parameters", "steps", "core-hours", *sets]
    lines = [f"## {setting}", "", _row(names), "|---|" + "---:|" * (len(names) - 1)]
    for _, same in groupby(headers, key=lambda header: _but_seed(header.spec)):
        trainings = list(same)
        for header in trainings:
            spec, training = header.spec, header.training
            facts = [
                f"[{_network(spec)}]({spec.run}.md)",
                str(spec.seed),
                f"{training.parameters:,}",
                f"{training.steps_done:,}",
                f"{core_hours(training):.2f}",
            ]
            gains = [header.validation_gain.get(name) for name in sets]
            lines.append(_row([*facts, *("" if g is None else f"{g:+.2f}" for g in gains)]))
        if len(trainings) > 1:
            lines.append(_spread_row(trainings, sets))
    return [*lines, ""]


def _spread_row(trainings: Sequence[ShippedHeader], sets: Sequence[str]) -> str:
    cells = []
    for name in sets:
        gains = [header.validation_gain.get(name, math.nan) for header in trainings]
        cells.append(f"{statistics.fmean(gains):+.2f} ± {statistics.stdev(gains):.2f}")
    return _row([f"mean of {len(trainings)} ± between them", "", "", "", "", *cells])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _place(header: ShippedHeader) -> tuple[str, str, int]:
    """In the overview: by mix, then network, then seed."""
    spec = header.spec
    return spec.setting.name, _but_seed(spec).run, spec.seed


def _but_seed(spec: RunSpec) -> RunSpec:
    return replace(spec, seed=0)


def _network(spec: RunSpec) -> str:
    label = method_class(spec.method).info.paper_label
    return f"{label}, {changes}" if (changes := _changes(spec)) else label


def _changes(spec: RunSpec) -> str:
    """What differs from the tier, in words; empty where nothing does."""
    return ", ".join(f"{name} = {value}" for name, value in spec.changes.items())
