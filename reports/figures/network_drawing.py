"""Drawings of the method from the networks as they are built (Fig. 2, 3 and 6).

`system` is NDR-Restore as a whole, `modules` are query, injection and CP convolution, `training`
is what is trained together. Every number is read from `results/<tier>/network_layout.json`
(`ndr.layout_record`): another network gives another drawing.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from ndr.layout_record import NetworkLayout
from ndr.nearest_name import check_names
from ndr.run_spec import SpecError
from reports.figures.diagram import NETWORK_NAMES, count_text
from reports.figures.drawing_modules import draw_modules
from reports.figures.drawing_system import draw_system
from reports.figures.drawing_training import draw_training
from reports.figures.figure_plan import FigurePlan, MissingFigureInput

DRAWINGS = {"system": draw_system, "modules": draw_modules, "training": draw_training}
FILE_NAME = "network_layout.json"


def read_layout(results: Path) -> NetworkLayout:
    """Read the layout of a tier.

    Raises:
        MissingFigureInput: there is none, or it was written by another version.
    """
    path = results / FILE_NAME
    try:
        return NetworkLayout.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFigureInput(
            path, "no such file; `snakemake --cores all` writes it (python -m ndr.network_layout)"
        ) from error
    except (SpecError, UnicodeDecodeError) as error:
        raise MissingFigureInput(path, f"{error}; delete it and run again") from error


def draw(plan: FigurePlan, results: Path) -> Figure:
    """Draw Fig. 2, 3 or 6; see `FigureKind.draw`."""
    check_names("content of a drawing", [plan.content], DRAWINGS)
    return DRAWINGS[plan.content](read_layout(results))


def alt_text(plan: FigurePlan, results: Path) -> str:
    """The networks' kinds and sizes."""
    layout = read_layout(results)
    networks = [n for n in (layout.restoration, layout.degradation) if n is not None]
    named = [f"{NETWORK_NAMES[n.kind]} with {count_text(n.parameters)}" for n in networks]
    blocks = sum(s.blocks for s in layout.restoration.stages if s.block == "TransformerBlock")
    text = f"Diagram of {layout.label}: {' and '.join(named)}; {blocks} transformer blocks"
    if layout.representation is not None:
        d = layout.representation
        text += f"; D holds {d.count} vectors of {d.dimension} numbers"
    return f"{text}."
