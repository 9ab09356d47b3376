"""The table of what D represents: one row per measurement, one column per run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ndr.records.representation import (
    LEVELS,
    PLAIN,
    TRAINED,
    UNTRAINED,
    Number,
    RepresentationFile,
)
from reports.number_format import MINUS, MISSING


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of one run, in words, with what stands beside it."""

    text: str
    interval: str
    """Ends in the same unit; empty where there is no interval."""
    controls: tuple[str, ...]
    n: int
    reason: str
    """Why there is no number; empty where there is one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    label: str
    note: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Measurements that answer one question."""

    title: str
    rows: tuple[Row, ...]


def percent(value: float) -> str:
    """A share in per cent.

    >>> percent(0.734)
    '73 %'
    """
    return f"{100 * value:.0f} %"


def decibel(value: float) -> str:
    """A PSNR.

    >>> decibel(22.134)
    '22.13 dB'
    """
    return f"{value:.2f} dB"


def plain(value: float) -> str:
    """A number with two decimals and a real minus sign.

    >>> plain(-0.128)
    '−0.13'
    """
    text = f"{value:.2f}"
    return (MINUS + text[1:] if text.startswith("-") else text).replace(f"{MINUS}0.00", "0.00")


def vectors(value: float) -> str:
    """A number of vectors.

    >>> vectors(17.04)
    '17.0'
    """
    return f"{value:.1f}"


def shown(number: Number, form: Callable[[float], str]) -> str:
    """A number, or a dash."""
    return MISSING if number.value is None else form(number.value)


def interval_text(number: Number, form: Callable[[float], str]) -> str:
    """The ends of the 95 % interval; empty where there is none."""
    interval = number.interval
    return "" if interval is None else f"{form(interval.low)} to {form(interval.high)}"


Controls = Mapping[str, Number | float]


def _cell(number: Number, form: Callable[[float], str], controls: Controls | None = None) -> Cell:
    texts = tuple(
        f"{label} {form(each) if isinstance(each, float) else shown(each, form)}"
        for label, each in (controls or {}).items()
    )
    if number.value is None:
        return Cell(MISSING, "", texts, 0, number.reason)
    return Cell(shown(number, form), interval_text(number, form), texts, number.n, "")


def _absent(reason: str) -> Cell:
    return Cell(MISSING, "", (), 0, reason)


def _levels(
    numbers: Sequence[Number], form: Callable[[float], str], controls: tuple[str, ...]
) -> Cell:
    """One cell for the three levels."""
    reason = next((number.reason for number in numbers if number.value is None), "")
    text = " / ".join(shown(number, form) for number in numbers)
    return Cell(text, "", controls, numbers[0].n, reason)


def _separability(file: RepresentationFile, task: str) -> Cell:
    return _cell(
        file.accuracy[task, TRAINED, "all"],
        percent,
        {
            "untrained": file.accuracy[task, UNTRAINED, "all"],
            "image statistics": file.accuracy[task, PLAIN, "none"],
            "chance": file.chance[task],
        },
    )


def _explained(file: RepresentationFile, factor: str) -> Cell:
    return _cell(
        file.explained[TRAINED, "all", factor],
        percent,
        {
            "untrained": file.explained[UNTRAINED, "all", factor],
            "image statistics": file.explained[PLAIN, "none", factor],
        },
    )


def _recreated(file: RepresentationFile, feed: str) -> Cell:
    if file.no_recreation:
        return _absent(file.no_recreation)
    return _cell(file.psnr[feed], decibel, {file.control: file.psnr[file.control]})


def _swap(file: RepresentationFile) -> Cell:
    if file.no_recreation:
        return _absent(file.no_recreation)
    own, other = "own U", "U of another picture"
    real = "really degraded views"
    return _cell(
        file.swap[other],
        percent,
        {
            own: file.swap[own],
            real: file.swap[real],
            "untrained": file.swap[f"{other}, untrained"],
            "chance": file.swap_chance,
        },
    )


def _usage(file: RepresentationFile) -> Cell:
    before = " / ".join(shown(file.usage[UNTRAINED, level], vectors) for level in LEVELS)
    return _levels(
        [file.usage[TRAINED, level] for level in LEVELS],
        vectors,
        (f"untrained {before}", f"of {file.vectors}"),
    )


def _similarity(file: RepresentationFile) -> Cell:
    return _cell(
        file.similarity[TRAINED],
        lambda value: f"{value:.3f}",
        {"untrained": file.similarity[UNTRAINED], "random matrices": file.similarity["random"]},
    )


def _settling(file: RepresentationFile) -> Cell:
    if len(file.settling) < 2:
        return _absent("fewer than three snapshots of D were kept")
    first, last = file.settling[0], file.settling[-1]
    if not (first.change_per_step and first.scaled and first.walk):
        return _absent("D did not change at the start of the training")
    return Cell(
        f"{plain(last.change_per_step / first.change_per_step)} times",
        "",
        (
            f"over the learning rate {plain(last.scaled / first.scaled)}",
            f"against a random walk {plain(last.walk / first.walk)}",
        ),
        len(file.settling),
        "",
    )


def _correlation(file: RepresentationFile, name: str) -> Cell:
    controls = {
        "norm of F": file.correlation[TRAINED, "1", "F"],
        "untrained": file.correlation[UNTRAINED, "1", name],
    }
    return _cell(file.correlation[TRAINED, "1", name], plain, controls)


def row_groups(files: Sequence[RepresentationFile]) -> tuple[RowGroup, ...]:
    """All rows, in the order of the questions; the files are the columns."""
    first = files[0]
    feeds = next((file.feeds for file in files if file.feeds), ())

    def row(label: str, note: str, make: Callable[[RepresentationFile], Cell]) -> Row:
        return Row(label, note, tuple(make(file) for file in files))

    groups = [
        RowGroup(
            "Does S tell degradations apart?",
            (
                *(
                    row(
                        f"Named from S: {task}",
                        "views that a linear classifier names rightly, learned on other pictures",
                        lambda file, task=task: _separability(file, task),
                    )
                    for task in first.tasks
                ),
                row(
                    "Variance of S due to the degradation",
                    "eta squared; noise, rain, haze",
                    lambda file: _explained(file, "degradation"),
                ),
                row(
                    "Variance of S due to the picture",
                    "eta squared; the same clean views under each degradation",
                    lambda file: _explained(file, "picture"),
                ),
            ),
        ),
        RowGroup(
            "Does U carry the degradation or the picture?",
            (
                *(
                    row(
                        f"NDR-Degrad with {feed}",
                        "PSNR to the degraded view",
                        lambda file, feed=feed: _recreated(file, feed),
                    )
                    for feed in feeds
                ),
                row(
                    "Swap test",
                    "degradation named from what NDR-Degrad adds with U of another picture",
                    _swap,
                ),
            ),
        ),
        RowGroup(
            "How is D used?",
            (
                row(
                    "Vectors in use, levels 1 / 2 / 3",
                    "exponential of the entropy of S",
                    _usage,
                ),
                row("Likeness of the vectors", "mean absolute cosine of all pairs", _similarity),
                row(
                    "Change of D per step, last to first interval", "while it is trained", _settling
                ),
            ),
        ),
        RowGroup(
            "Do the maps show where the degradation is?",
            (
                row(
                    "Norm of U with |x - y|",
                    "correlation over the pixels, level 1",
                    lambda file: _correlation(file, "U"),
                ),
                row(
                    "Change of F by injection with |x - y|",
                    "correlation over the pixels, level 1",
                    lambda file: _correlation(file, "change"),
                ),
            ),
        ),
    ]
    return tuple(groups)
