"""The picture that a link to the page shows elsewhere: the result as a chart."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ndr.metrics.metric import MAIN, METRICS
from reports.figures.style import BLACK, BLUE, GREY, OURS, house_style, png_bytes
from reports.page.sections.answer import Answer, Chart
from reports.paper.printed_values import with_symbols

INCHES, DPI = (12.0, 6.3), 100
NAME = "card.png"


def _draw_chart(figure: Figure, chart: Chart) -> None:
    axes = figure.add_axes((0.2, 0.13, 0.72, 0.4))
    known = [row for row in chart.rows if row.gain is not None]
    frame = pd.DataFrame(
        {
            "system": [with_symbols(row.label) for row in known],
            "gain": [row.gain.value for row in known if row.gain],
            "ours": [row.ours for row in known],
        }
    )
    sns.barplot(
        frame,
        x="gain",
        y="system",
        hue="ours",
        palette={True: OURS, False: BLUE},
        legend=False,
        ax=axes,
    )
    for place, row in enumerate(known):
        if row.gain and row.gain.interval:
            ends = [row.gain.interval.low, row.gain.interval.high]
            axes.plot(ends, [place] * 2, color=BLACK, linewidth=2.5)
        if row.paper is not None:
            axes.plot(row.paper, place, "o", color="white", markeredgecolor=BLACK, markersize=11)
    axes.axvline(0, color=BLACK, linewidth=1.5)
    axes.tick_params(labelsize=17, length=0)
    axes.set_ylabel("")
    label = f"{METRICS[MAIN].label} over the degraded input; circles: the paper's numbers"
    axes.set_xlabel(label, fontsize=15)
    axes.grid(visible=True, axis="x")
    axes.set_axisbelow(True)


def card(answer: Answer, tier: str) -> bytes:
    """The picture as PNG; equal answers give equal bytes.

    Args:
        answer: the first screen.
        tier: of the report.
    """
    with house_style():
        figure = Figure(figsize=INCHES, dpi=DPI)
        look: dict[str, Any] = {"parse_math": False, "ha": "left", "va": "top"}
        figure.text(
            0.05, 0.94, "NDR-Restore: a reproduction", fontsize=34, fontweight="bold", **look
        )
        right = {**look, "ha": "right"}
        figure.text(0.95, 0.925, f"tier {tier}", fontsize=18, color=GREY, **right)
        words = textwrap.wrap(with_symbols(answer.sentence), 86, max_lines=4, placeholder=" ...")
        figure.text(0.05, 0.83, "\n".join(words), fontsize=17, linespacing=1.35, **look)
        if answer.chart is not None and any(row.gain for row in answer.chart.rows):
            _draw_chart(figure, answer.chart)
        return png_bytes(figure, DPI)
