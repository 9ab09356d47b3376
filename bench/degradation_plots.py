"""Plots of docs/degradations.md: synthesised rain and haze beside the published sets.

Frames have a row per picture. Published sets are blue, the synthesis is orange and dashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.style import BLUE, GREEN, ORANGE

SIZE = (9.0, 5.2)
BAND = ("pi", 80)
"""Shown around means and medians: from the 10th to the 90th percentile."""


def _histograms(
    axes: Axes, frames: Sequence[pd.DataFrame], name: str, edges: np.ndarray, label: str
) -> None:
    """Both samples as shares per bin: the published one filled, the synthesis as a line."""
    filled: dict[str, Any] = {"element": "bars", "color": BLUE, "alpha": 0.45, "edgecolor": "white"}
    dashed = {"element": "step", "fill": False, "color": ORANGE, "linestyle": "--"}
    for frame, look in zip(frames, (filled, dashed), strict=True):
        sns.histplot(frame, x=name, bins=list(edges), stat="proportion", ax=axes, **look)
    axes.set(xlabel=label, ylabel="share of the pictures")


def _long(frame: pd.DataFrame, name: str, places: str, at: np.ndarray) -> pd.DataFrame:
    """A row per number of a column that holds arrays, with the place in them."""
    rows = frame[["set", "picture", name]].explode(name, ignore_index=True)
    rows[places] = np.tile(at, len(frame))
    return rows.astype({name: float})


def plot_rain(real: pd.DataFrame, ours: pd.DataFrame, levels: np.ndarray) -> Figure:
    """Input PSNR, coverage, angle, width, length, and how strongly pixels are brightened.

    Args:
        real: `RainLook` of the published pairs; the column `set` names them in the legend.
        ours: of the synthesis.
        levels: of 255, to which `exceeding` belongs.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots(2, 3)
    for place, (name, edges, label) in zip(
        axes.flat,
        (
            ("psnr", np.arange(15, 38, 2), "PSNR of the input, dB"),
            ("coverage", np.arange(0, 0.36, 0.03), "pixels brighter by more than 10 levels"),
            ("angle", np.arange(-35, 36, 10), "direction, degrees from vertical"),
            ("width", np.arange(0.75, 5.5, 0.5), "width of the streaks, px"),
            ("length", np.arange(10, 81, 10), "length of the streaks, px"),
        ),
        strict=False,
    ):
        _histograms(place, (real, ours), name, edges, label)
    last = axes.flat[-1]
    sns.lineplot(
        _long(pd.concat((real, ours)), "exceeding", "level", levels),
        x="level",
        y="exceeding",
        hue="set",
        style="set",
        palette=[BLUE, ORANGE],
        errorbar=BAND,
        err_kws={"linewidth": 0},
        ax=last,
    )
    last.set(
        yscale="log",
        ylim=(1e-5, 1),
        xlabel="brightened by more than, levels of 255",
        ylabel="share of the pixels",
    )
    last.legend(title=None)
    return figure


def plot_haze(haze: dict[str, pd.DataFrame], percentiles: np.ndarray) -> Figure:
    """Transmission, depth from top to bottom, input PSNR, airlight and dark channel.

    Args:
        haze: `HazeLook` of pictures by what they are: `outdoor` and `drawn`, the synthesis on their
            clean pictures, with the pair as `picture`; `indoor`; `photographs`, degraded by the
            synthesis. `clear`, `outdoor clear` and `real` have the dark channel alone.
        percentiles: to which `transmission` belongs.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots(2, 3)
    _transmissions(axes[0, 0], haze, percentiles)
    _depth_of_rows(axes[0, 1], haze)
    _input_psnr(axes[0, 2], haze)
    published = pd.concat((haze["outdoor"], haze["indoor"]))
    edges = np.arange(7, 30, 2)
    label = "PSNR of the input, dB"
    _histograms(axes[1, 0], (published, haze["photographs"]), "psnr", edges, label)
    _points(
        axes[1, 1],
        (
            ("SOTS\noutdoor", haze["outdoor"], BLUE),
            ("SOTS\nindoor", haze["indoor"], BLUE),
            ("synthesis", haze["photographs"], ORANGE),
        ),
        "airlight",
    )
    axes[1, 1].set(xlabel="airlight A, estimated from each pair", xlim=(0.65, 1.05))
    _points(
        axes[1, 2],
        (
            ("BSDS500,\nclear", haze["clear"], GREEN),
            ("SOTS outdoor,\nclear", haze["outdoor clear"], GREEN),
            ("BSDS500,\nsynthesis", haze["photographs"], ORANGE),
            ("SOTS outdoor,\nhazy", haze["outdoor"], BLUE),
            ("real haze", haze["real"], BLUE),
        ),
        "dark_channel",
    )
    axes[1, 2].set(xlabel="mean of the dark channel", xlim=(0, 0.9))
    return figure


def _transmissions(axes: Axes, haze: dict[str, pd.DataFrame], percentiles: np.ndarray) -> None:
    """Of each pair, and of the mean over what the synthesis draws for it."""
    for name, label, colour, dashes in (
        ("outdoor", "SOTS outdoor, each pair", BLUE, "-"),
        ("drawn", "synthesis, same A and beta", ORANGE, "--"),
    ):
        long = _long(haze[name], "transmission", "percent", percentiles)
        means = long.groupby(["picture", "percent"], as_index=False)["transmission"].mean()
        sns.lineplot(
            means,
            x="transmission",
            y="percent",
            units="picture",
            estimator=None,
            orient="y",
            color=colour,
            linestyle=dashes,
            ax=axes,
        )
        axes.lines[-1].set_label(label)
    axes.set(
        xlabel="transmission t", ylabel="percent of the pixels below", xlim=(0.3, 1), ylim=(0, 140)
    )
    axes.legend(loc="upper left")


def _depth_of_rows(axes: Axes, haze: dict[str, pd.DataFrame]) -> None:
    strips = len(haze["outdoor"]["depth_of_rows"].iloc[0])
    height = (np.arange(strips) + 0.5) / strips
    synthesis, pairs = (
        _long(haze[name], "depth_of_rows", "height", height) for name in ("photographs", "outdoor")
    )
    place: dict[str, Any] = {"x": "depth_of_rows", "y": "height", "orient": "y", "ax": axes}
    sns.lineplot(
        synthesis,
        estimator="median",
        errorbar=BAND,
        err_kws={"linewidth": 0},
        color=ORANGE,
        linestyle="--",
        label="synthesis, median and 10-90 %",
        **place,
    )
    sns.lineplot(pairs, units="picture", estimator=None, color=BLUE, **place)
    axes.lines[-1].set_label("SOTS outdoor pairs")
    axes.set(xlabel="depth over the picture's median", ylabel="row, from top to bottom")
    axes.set(xlim=(0.5, 1.8), ylim=(1.3, 0))
    axes.legend(loc="lower right")


def _input_psnr(axes: Axes, haze: dict[str, pd.DataFrame]) -> None:
    place: dict[str, Any] = {"x": "picture", "y": "psnr", "ax": axes}
    drawn: dict[str, Any] = {"marker": "_", "color": ORANGE, "s": 60, "linewidth": 1}
    pairs: dict[str, Any] = {"marker": "D", "color": BLUE, "s": 28}
    sns.scatterplot(haze["drawn"], label="synthesis, same A and beta", **drawn, **place)
    sns.scatterplot(haze["outdoor"], label="SOTS outdoor", **pairs, **place)
    low, high = axes.get_ylim()
    axes.set(xlabel="pair", ylabel="PSNR of the input, dB", xticks=haze["outdoor"]["picture"])
    axes.set(ylim=(low, high + 0.3 * (high - low)))  # room for the legend
    axes.legend(loc="upper left")


def _points(axes: Axes, groups: Sequence[tuple[str, pd.DataFrame, str]], name: str) -> None:
    """One row of points per group, spread within the row so that none hides another."""
    for row, (_, frame, colour) in enumerate(groups):
        places = row + 0.2 * np.sin(2.4 * np.arange(len(frame)))
        sns.scatterplot(x=frame[name], y=places, color=colour, s=16, alpha=0.6, ax=axes)
    axes.set_yticks(range(len(groups)), [label for label, _, _ in groups])
    axes.invert_yaxis()
