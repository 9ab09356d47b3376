"""Plots and table of `bench.degradation_statistics`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")

import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from ndr.atomic_file import atomic_path

if TYPE_CHECKING:
    from bench.degradation_statistics import HazeLooks, RainLook

MARKS = ("<!-- measured: begin -->", "<!-- measured: end -->")
DOTS_PER_INCH = 100
REAL, SYNTHESIS, OTHER = sns.color_palette("colorblind")[:3]
"""Blue and orange, told apart by line style too; green for what is neither."""


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    with atomic_path(path) as temporary:
        # No name and version of the library in the file: the same figures give the same bytes.
        figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata={"Software": None})
    plt.close(figure)


def _histograms(
    axes: Axes, real: Sequence[float], ours: Sequence[float], edges: np.ndarray, label: str
) -> None:
    """Both samples as shares per bin: the published one filled, the synthesis as a dashed line."""
    for values, style in (
        (real, {"element": "bars", "color": REAL, "alpha": 0.45, "edgecolor": "white"}),
        (ours, {"element": "step", "fill": False, "color": SYNTHESIS, "linestyle": "--"}),
    ):
        sns.histplot(x=np.asarray(values), bins=edges, stat="proportion", ax=axes, **style)
    axes.set(xlabel=label, ylabel="share of the pictures")


def plot_rain(
    real: Sequence[RainLook], ours: Sequence[RainLook], levels: np.ndarray, path: Path
) -> None:
    """Input PSNR, coverage, angle, width, length, and how strongly pixels are brightened."""
    sns.set_theme(style="whitegrid", context="paper")
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6))
    panels = (
        ("psnr", np.arange(15, 38, 2), "PSNR of the input, dB"),
        ("coverage", np.arange(0, 0.36, 0.03), "pixels brighter by more than 10 levels"),
        ("angle", np.arange(-35, 36, 10), "direction, degrees from vertical"),
        ("width", np.arange(0.75, 5.5, 0.5), "width of the streaks, px"),
        ("length", np.arange(10, 81, 10), "length of the streaks, px"),
    )
    for place, (name, edges, label) in zip(axes.flat, panels, strict=False):
        sample = [[getattr(look, name) for look in looks] for looks in (real, ours)]
        _histograms(place, sample[0], sample[1], edges, label)
    last = axes.flat[-1]
    for looks, colour, style, label in (
        (real, REAL, "-", f"Rain100L, {len(real)} pairs"),
        (ours, SYNTHESIS, "--", f"synthesis, {len(ours)} pictures"),
    ):
        curves = np.array([look.exceeding for look in looks])
        last.plot(levels * 255, curves.mean(axis=0), style, color=colour, label=label)
        low, high = np.percentile(curves, (10, 90), axis=0)
        last.fill_between(levels * 255, low, high, color=colour, alpha=0.15, linewidth=0)
    last.set(
        yscale="log",
        ylim=(1e-5, 1),
        xlabel="brightened by more than, levels of 255",
        ylabel="share of the pixels",
    )
    last.legend()
    _save(figure, path)


def plot_haze(looks: HazeLooks, percentiles: np.ndarray, path: Path) -> None:
    """Transmission, depth from top to bottom, input PSNR, airlight and dark channel."""
    sns.set_theme(style="whitegrid", context="paper")
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6))
    _transmissions(axes[0, 0], looks, percentiles)
    _depth_of_rows(axes[0, 1], looks)
    _input_psnr(axes[0, 2], looks)
    _histograms(
        axes[1, 0],
        [look.psnr for look in (*looks.outdoor, *looks.indoor)],
        [look.psnr for look in looks.photographs],
        np.arange(7, 30, 2),
        "PSNR of the input, dB",
    )
    _airlights(axes[1, 1], looks)
    _dark_channels(axes[1, 2], looks)
    _save(figure, path)


def _transmissions(axes: Axes, looks: HazeLooks, percentiles: np.ndarray) -> None:
    for number, (pair, drawn) in enumerate(zip(looks.outdoor, looks.drawn, strict=True)):
        label = (
            ("SOTS outdoor, each pair", "synthesis, same A and beta") if number == 0 else ("", "")
        )
        axes.plot(pair.transmission, percentiles, color=REAL, label=label[0] or None)
        middle = np.mean([look.transmission for look in drawn], axis=0)
        axes.plot(middle, percentiles, "--", color=SYNTHESIS, label=label[1] or None)
    axes.set(
        xlabel="transmission t", ylabel="percent of the pixels below", xlim=(0.3, 1), ylim=(0, 140)
    )
    axes.legend(loc="upper left")


def _depth_of_rows(axes: Axes, looks: HazeLooks) -> None:
    height = (np.arange(len(looks.outdoor[0].depth_of_rows)) + 0.5) / len(
        looks.outdoor[0].depth_of_rows
    )
    synthesis = np.array([look.depth_of_rows for look in looks.photographs])
    low, middle, high = np.nanpercentile(synthesis, (10, 50, 90), axis=0)
    axes.fill_betweenx(height, low, high, color=SYNTHESIS, alpha=0.2, linewidth=0)
    axes.plot(middle, height, "--", color=SYNTHESIS, label="synthesis, median and 10-90 %")
    for number, pair in enumerate(looks.outdoor):
        axes.plot(
            pair.depth_of_rows, height, color=REAL, label=None if number else "SOTS outdoor pairs"
        )
    axes.set(xlabel="depth over the picture's median", ylabel="row, from top to bottom")
    axes.set(xlim=(0.5, 1.8), ylim=(1.3, 0))
    axes.legend(loc="lower right")


def _input_psnr(axes: Axes, looks: HazeLooks) -> None:
    for number, (pair, drawn) in enumerate(zip(looks.outdoor, looks.drawn, strict=True)):
        values = [look.psnr for look in drawn]
        axes.plot([number] * len(values), values, "_", color=SYNTHESIS, markersize=9)
        axes.plot(number, pair.psnr, "D", color=REAL, markersize=6)
    axes.plot([], [], "D", color=REAL, label="SOTS outdoor")
    axes.plot([], [], "_", color=SYNTHESIS, label="synthesis, same A and beta")
    axes.set(
        xlabel="pair",
        ylabel="PSNR of the input, dB",
        ylim=_room_above(axes),
        xticks=range(len(looks.outdoor)),
    )
    axes.set_xticklabels([str(number + 1) for number in range(len(looks.outdoor))])
    axes.legend(loc="upper left")


def _room_above(axes: Axes) -> tuple[float, float]:
    """Limits of y with room for a legend on top."""
    low, high = axes.get_ylim()
    return low, high + 0.3 * (high - low)


def _strip(axes: Axes, groups: dict[str, Sequence[float]], colours: Sequence[object]) -> None:
    """One row of points per group; points are spread within the row so that none hides another."""
    for row, ((_, values), colour) in enumerate(zip(groups.items(), colours, strict=True)):
        offsets = 0.2 * np.sin(2.4 * np.arange(len(values)))
        axes.plot(values, row + offsets, "o", color=colour, markersize=4, alpha=0.6)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()


def _airlights(axes: Axes, looks: HazeLooks) -> None:
    groups = {
        "SOTS\noutdoor": [look.airlight for look in looks.outdoor],
        "SOTS\nindoor": [look.airlight for look in looks.indoor],
        "synthesis": [look.airlight for look in looks.photographs],
    }
    _strip(axes, groups, (REAL, REAL, SYNTHESIS))
    axes.set(xlabel="airlight A, estimated from each pair", xlim=(0.65, 1.05))


def _dark_channels(axes: Axes, looks: HazeLooks) -> None:
    groups = {
        "BSDS500,\nclear": looks.clear,
        "SOTS outdoor,\nclear": looks.outdoor_clear,
        "BSDS500,\nsynthesis": [look.dark_channel for look in looks.photographs],
        "SOTS outdoor,\nhazy": [look.dark_channel for look in looks.outdoor],
        "real haze": looks.real,
    }
    _strip(axes, groups, (OTHER, OTHER, SYNTHESIS, REAL, REAL))
    axes.set(xlabel="mean of the dark channel", xlim=(0, 0.9))


def _mean_and_deviation(values: Sequence[float], digits: int) -> str:
    return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}"


def measured_block(real: Sequence[RainLook], ours: Sequence[RainLook], looks: HazeLooks) -> str:
    """The tables of the document: mean and deviation over pictures."""
    lines = [
        f"| rain | Rain100L, {len(real)} pairs | synthesis on their clean pictures, {len(ours)} |",
        "|---|---|---|",
    ]
    for name, title, scale, digits in (
        ("psnr", "PSNR of the input, dB", 1, 1),
        ("coverage", "pixels brighter by more than 10 levels, %", 100, 1),
        ("angle", "direction, degrees from vertical", 1, 1),
        ("width", "width of the streaks, px", 1, 1),
        ("length", "length of the streaks, px", 1, 0),
        ("darkened", "pixels that became darker, %", 100, 1),
    ):
        cells = [
            _mean_and_deviation([scale * getattr(look, name) for look in sample], digits)
            for sample in (real, ours)
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    drawn = [look for group in looks.drawn for look in group]
    lines += [
        "",
        f"| haze | SOTS outdoor, {len(looks.outdoor)} pairs | synthesis on their clean pictures, "
        f"same A and beta, {len(drawn)} | synthesis on BSDS500, {len(looks.photographs)} |",
        "|---|---|---|---|",
    ]
    samples = (looks.outdoor, drawn, looks.photographs)
    lines.append(
        "| PSNR of the input, dB | "
        + " | ".join(_mean_and_deviation([look.psnr for look in sample], 1) for sample in samples)
        + " |"
    )
    for title, name, percent in (
        ("median transmission", "transmission", 50),
        ("depth, 5 % of the pixels are nearer", "depth", 5),
        ("depth, median", "depth", 50),
        ("depth, 5 % of the pixels are farther", "depth", 95),
    ):
        cells = [
            _mean_and_deviation([getattr(look, name)[percent - 1] for look in sample], 2)
            for sample in samples
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    cells = [
        _mean_and_deviation([look.depth_of_rows[0] / look.depth_of_rows[-1] for look in sample], 2)
        for sample in samples
    ]
    lines.append(f"| depth of the highest over that of the lowest strip | {' | '.join(cells)} |")
    return "\n".join(lines)
