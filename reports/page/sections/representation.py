"""The section on what D represents, with its figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from ndr.records.record import ResultFileError
from ndr.records.representation import (
    LEVELS,
    PLAIN,
    TRAINED,
    UNTRAINED,
    RepresentationFile,
)
from reports.analysis import representation_words
from reports.analysis.representation_answers import answers
from reports.analysis.representation_intervals import interval_of
from reports.analysis.representation_words import Answer
from reports.figures import style
from reports.figures.dark import darken
from reports.page.assets import FIGURES, Assets

SOURCES = ((TRAINED, style.OURS, ""), (UNTRAINED, style.BLUE, "//"), (PLAIN, style.YELLOW, ".."))
"""Bars differ in hatching too, so that colour is never alone."""
BAR: dict[str, Any] = {"edgecolor": style.BLACK, "linewidth": 0.4}
BOUND: dict[str, Any] = {"color": style.BLACK, "linestyle": "--", "linewidth": 1}
"""Looks of bars, and of lines that numbers are compared with."""
SIZE = (style.TEXT_WIDTH, 4.6)


def _separability(axes: Axes, file: RepresentationFile) -> None:
    width = 0.26
    for place, (source, colour, hatch) in enumerate(SOURCES):
        level = "none" if source == PLAIN else "all"
        for position, task in enumerate(file.chance):
            number = file.accuracy[task, source, level]
            if number.value is None:
                continue
            interval = interval_of(number)
            error = None
            if interval is not None:
                ends = (number.value - interval.low, interval.high - number.value)
                error = [[max(0.0, end)] for end in ends]
            axes.bar(
                position + (place - 1) * width,
                number.value,
                width,
                yerr=error,
                color=colour,
                hatch=hatch,
                **BAR,
                error_kw={"elinewidth": 0.8, "capsize": 2},
                label=source if position == 0 else None,
            )
    for position, task in enumerate(file.chance):
        axes.plot(
            [position - 0.45, position + 0.45],
            [file.chance[task]] * 2,
            **BOUND,
            label="chance" if position == 0 else None,
        )
    axes.set_xticks(
        range(len(file.chance)), [task.replace(" of ", "\nof ") for task in file.chance]
    )
    axes.set_ylim(0, 1.35)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("accuracy from S")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper center", ncols=2)


def _recreation(axes: Axes, file: RepresentationFile) -> None:
    if file.recreation.reason:
        axes.text(0.5, 0.5, "no NDR-Degrad", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    for position, feed in enumerate(reversed(file.recreation.feeds)):
        number = file.recreation.psnr[feed]
        if number.value is None:
            continue
        interval = interval_of(number)
        if interval is not None:
            axes.plot([interval.low, interval.high], [position] * 2, color=style.OURS)
        axes.plot(number.value, position, "o", color=style.OURS)
    control = file.recreation.psnr[file.recreation.control].value
    if control is not None:
        axes.axvline(control, **BOUND)
        axes.text(
            control,
            len(file.recreation.feeds) - 0.4,
            f"{file.recreation.control} ",
            ha="center",
            va="bottom",
            fontsize=style.TINY,
        )
    names = [feed.replace(", ", ",\n") for feed in reversed(file.recreation.feeds)]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.set_xlabel("PSNR of NDR-Degrad to the degraded view (dB)")


def _usage(axes: Axes, file: RepresentationFile) -> None:
    for place, (source, colour, hatch) in enumerate(SOURCES[:2]):
        values = [file.usage[source, level].value or 0.0 for level in LEVELS]
        positions = [index + (place - 0.5) * 0.36 for index in range(len(LEVELS))]
        axes.bar(positions, values, 0.36, color=colour, hatch=hatch, **BAR, label=source)
    axes.axhline(file.likeness.vectors, **BOUND, label="all vectors")
    axes.set_xticks(range(len(LEVELS)), [f"level {level}" for level in LEVELS])
    axes.set_ylim(0, 1.5 * file.likeness.vectors)
    axes.set_ylabel("vectors in use")
    axes.legend(loc="upper center", ncols=3)


def _settling(axes: Axes, file: RepresentationFile) -> None:
    rows = [row for row in file.settling if row.change_per_step > 0]
    if len(rows) < 2:
        axes.text(0.5, 0.5, "too few snapshots of D", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    kinds = (
        ("change_per_step", "per step", style.BLUE, "o", "-"),
        ("scaled", "over the learning rate", style.OURS, "s", "--"),
        ("walk", "against a random walk", style.GREEN, "^", ":"),
    )
    steps = [row.last_step for row in rows]
    for name, label, colour, marker, line in kinds:
        first = getattr(rows[0], name)
        values = [getattr(row, name) / first for row in rows]
        axes.plot(steps, values, color=colour, marker=marker, linestyle=line, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("step")
    axes.set_ylabel("change of D, first = 1")
    axes.legend(loc="best")


def draw(file: RepresentationFile) -> Figure:
    """Draw the four panels of one run."""
    with style.house_style():
        figure = Figure(figsize=SIZE, layout="constrained")
        panels = figure.subplots(2, 2)
        drawings = (_separability, _recreation, _usage, _settling)
        for letter, axes, drawing in zip("abcd", panels.flat, drawings, strict=True):
            drawing(axes, file)
            axes.set_title(f"({letter})", loc="left")
    return figure


def _alt(file: RepresentationFile, said: Sequence[Answer]) -> str:
    """The figure in words: the verdicts that its panels show."""
    verdicts = ". ".join(f"{each.question} {each.verdict}" for each in said)
    return f"Four panels on D of {file.run}. {verdicts}."


def _renderings(file: RepresentationFile) -> tuple[bytes, bytes]:
    """The figure as SVG, for light and for dark ground."""
    figure = draw(file)
    light = style.svg_bytes(figure)
    darken(figure)
    return light, style.svg_bytes(figure)


def representation_section(paths: Sequence[Path] | None, assets: Assets) -> dict[str, Any]:
    """Read the files of `python -m ndr.represent`.

    Args:
        paths: one JSON file per run, the main run first; None or empty where none was asked for.
            Runs that differ in their seed alone are one network, and answer together.
        assets: what lies beside the page.

    Returns:
        The networks with their answers, the figure of the first in both renderings, files that
        could not be read, and how numbers are printed.
    """
    files: list[RepresentationFile] = []
    problems: list[str] = []
    for path in paths or ():
        try:
            files.append(RepresentationFile.read(path))
        except (ResultFileError, OSError) as error:
            problems.append(str(error))
    groups: dict[str, list[RepresentationFile]] = {}
    for file in files:
        groups.setdefault(file.label, []).append(file)
    runs = [(each[0], list(answers(each))) for each in groups.values()]
    light, dark = _renderings(files[0]) if files else (b"", b"")
    return {
        "runs": runs,
        "trainings": max((len(each) for each in groups.values()), default=0),
        "problems": problems,
        "feeds": next((file.recreation.feeds for file in files if file.recreation.feeds), ()),
        "figure": assets.shown(FIGURES, "representation.svg", light) if files else "",
        "dark_figure": assets.shown(FIGURES, "representation_dark.svg", dark) if files else "",
        "figure_alt": _alt(*runs[0]) if files else "",
        "forms": representation_words,
    }
