"""Metrics of a single image, for photographs that have no ground truth (Table VII).

- `PIQE`: from visibly impaired blocks, needs no weights, lower is better, at any size.
- `DBCNN` (shown as 100 times the network's value, as in Table VII) and `MUSIQ`: networks, higher
  is better; their weights are published files that have to be there. The paper does not say which
  of the published weights it uses: these are the default of package pyiqa, trained on KonIQ-10k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ndr.metrics.piqe import piqe
from ndr.nearest_name import check_names


@dataclass(frozen=True, slots=True)
class NoReferenceMetric:
    """What a table needs to know of a metric."""

    name: str
    higher_is_better: bool
    factor: float = 1.0
    """What the computed value is multiplied with to be shown."""
    needs_weights: bool = True


METRICS: Mapping[str, NoReferenceMetric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            NoReferenceMetric("DBCNN", higher_is_better=True, factor=100.0),
            NoReferenceMetric("MUSIQ", higher_is_better=True),
            NoReferenceMetric("PIQE", higher_is_better=False, needs_weights=False),
        )
    }
)


def unavailable(names: Sequence[str], weights_folder: Path) -> dict[str, str]:
    """Metrics that cannot be computed, with the reason and what to do.

    Checks the files themselves, not only that they are there. Metrics without weights are never
    among them.

    Args:
        names: keys of `METRICS`.
        weights_folder: the configuration's `metric_weights`, e.g. `data/weights/metrics`.

    Raises:
        UnknownNameError: no such metric, with the nearest names.

    >>> unavailable(["PIQE"], Path("nowhere"))
    {}
    """
    check_names("metric without reference", names, METRICS)
    needing = [name for name in names if METRICS[name].needs_weights]
    if not needing:
        return {}
    from ndr.metrics.quality_networks import WEIGHTS, MetricWeightsError

    reasons = {}
    for name in needing:
        try:
            WEIGHTS[name].verified(Path(weights_folder))
        except MetricWeightsError as error:
            reasons[name] = str(error)
    return reasons


def score(
    restored: NDArray[np.floating],
    names: Sequence[str],
    weights_folder: Path,
    device: str = "cpu",
) -> dict[str, float]:
    """Rate one image; values outside [0, 1] are clipped first.

    Args:
        restored: (H, W, 3), RGB, nominally in [0, 1].
        names: keys of `METRICS`; ask `unavailable` before.
        weights_folder: see `unavailable`.
        device: where the networks compute.

    Returns:
        The values as shown in tables, by name.

    Raises:
        UnknownNameError: no such metric, with the nearest names.
        ValueError: no finite (H, W, 3) image, or one smaller than 16 x 16.
        MetricWeightsError: weights are missing or not the published ones.

    >>> score(np.full((32, 32, 3), 0.5), ["PIQE"], Path("nowhere"))
    {'PIQE': 100.0}
    """
    check_names("metric without reference", names, METRICS)
    if restored.ndim != 3 or restored.shape[2] != 3 or not np.isfinite(restored).all():
        raise ValueError(
            f"expected a finite (H, W, 3) image, found shape {restored.shape} with "
            f"{int((~np.isfinite(restored)).sum())} values that are not finite"
        )
    image = np.clip(restored, 0.0, 1.0)
    values = {}
    for name in names:
        if METRICS[name].needs_weights:
            # Slow to import, and unused where only PIQE is asked for.
            from ndr.metrics.quality_networks import rate

            value = rate(image, name, Path(weights_folder), device)
        else:
            value = piqe(image)
        values[name] = METRICS[name].factor * value
    return values
