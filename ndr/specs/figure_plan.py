"""A figure as the suite plans to draw it: plain data, no drawing, no results."""

from __future__ import annotations

from dataclasses import dataclass

from ndr.specs.typed_file import CanonicalSpec

PICTURE_KINDS = (
    "picture_grid",
    "residuals",
    "heatmaps",
    "feature_maps",
    "matrix_change",
    "recreation",
)
"""Kinds that hold pictures or maps with a number per pixel: the page shows them as a PNG."""
PLOT_KINDS = ("scatter", "quality_cost", "network_drawing")
"""Kinds of lines, points and words: the page shows them as an SVG."""
KINDS = PICTURE_KINDS + PLOT_KINDS
REPRESENTATION_KINDS = ("heatmaps", "feature_maps", "matrix_change", "recreation")
"""Kinds that are drawn from `representation/<run>.npz`."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One system of a figure; `run` is None where it is not shown, with the reason."""

    label: str
    run: str | None
    reason: str = ""
    setting: str = ""
    """Label of the training mix, e.g. "Noise + Rain + Haze"; empty where nothing is trained."""
    test_sets: tuple[str, ...] = ()
    """Those of the figure's test sets that the run is evaluated on."""


@dataclass(frozen=True, slots=True)
class FigurePlan(CanonicalSpec):
    """One figure at one tier."""

    name: str
    """E.g. `figure_07`."""
    label: str
    """E.g. "Figure 7"."""
    title: str
    caption: str
    kind: str
    """One of `KINDS`: the module of `reports.figures` that draws it."""
    tier: str
    rows: tuple[FigureRow, ...]
    test_sets: tuple[str, ...]
    """Names of the test sets at this tier, e.g. `photographs_sigma25`."""
    test_set_labels: tuple[str, ...]
    """One per test set, e.g. "Noise, sigma = 25"."""
    input_run: str
    """Run of the control whose pictures are the degraded inputs."""
    truth_run: str
    """Run of the control whose pictures are the ground truths; empty where there is none."""
    paper: bool
    """False: the suite's own figure."""
    protocol: str = "ndr"
    """Protocol of the numbers that the figure shows; the one without reference where there is no
    truth."""
    protocol_description: str = ""
    """What the protocol looks at, in a line."""
    content: str = ""
    """What a kind with several contents shows, e.g. `affinity` of `heatmaps`; see its module."""

    @property
    def has_svg(self) -> bool:
        """Whether the figure is a plot, which is also written as an SVG."""
        return self.kind in PLOT_KINDS
