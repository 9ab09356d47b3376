"""Rows of tables that show the weights which a method's authors publish."""

from __future__ import annotations

from ndr.method import OfficialWeights
from ndr.specs.run_spec import OFFICIAL, run_id
from workflows.configuration import TableRow
from workflows.rows import method_info


def weights_of(row: TableRow) -> OfficialWeights | None:
    """The published checkpoint that may stand in a row; none for a changed network."""
    published = () if row.changes or row.recipe else method_info(row).official_weights
    return next((weights for weights in published if row.setting in weights.settings), None)


def official_run(row: TableRow, weights: OfficialWeights) -> str:
    """Id of the run that evaluates a published checkpoint."""
    changes: dict[str, object] = {"weights": weights.name}
    if row.self_ensemble:
        changes["self_ensemble"] = True
    return run_id(row.method, OFFICIAL, changes, 0)


def why_no_weights(row: TableRow) -> str:
    """Why a row has no published checkpoint."""
    info = method_info(row)
    if not info.official_weights:
        return f"the authors of {info.paper_label} publish no weights that this suite can read"
    if row.changes:
        return "its authors publish no weights of this changed network"
    if row.recipe:
        return "its authors publish no weights of this changed training"
    names = ", ".join(weights.name for weights in info.official_weights)
    return f"its authors publish no weights for this training mix (known: {names})"
