"""Rows whose numbers come from the weights that a method's authors publish."""

from __future__ import annotations

from ndr.method import MethodInfo, OfficialWeights
from ndr.run_spec import OFFICIAL, NoiseSpec, run_id
from workflows.configuration import TableRow


def weights_of(info: MethodInfo, row: TableRow) -> OfficialWeights | None:
    """The published checkpoint that may stand in a row; none for a changed network."""
    if row.changes:
        return None
    return next((w for w in info.official_weights if row.setting in w.settings), None)


def official_run(row: TableRow, weights: OfficialWeights) -> str:
    """Id of the run that evaluates a published checkpoint."""
    changes: dict[str, object] = {"weights": weights.name}
    if row.self_ensemble:
        changes["self_ensemble"] = True
    return run_id(row.method, OFFICIAL, changes, 0)


def why_none(info: MethodInfo, row: TableRow) -> str:
    """Why a row has no published checkpoint."""
    if not info.official_weights:
        return f"the authors of {info.paper_label} publish no weights that this suite can read"
    if row.changes:
        return "its authors publish no weights of this changed network"
    names = ", ".join(weights.name for weights in info.official_weights)
    return f"its authors publish no weights for this training mix (known: {names})"


def noise_of(weights: OfficialWeights | None, sigma: float, variant: str) -> NoiseSpec:
    """Noise of a test set: the suite's, or that which the authors test their weights with."""
    if weights is None or weights.noise_variant is None:
        return NoiseSpec((sigma,), variant)
    return NoiseSpec((sigma,), weights.noise_variant, weights.noise_seeding)
