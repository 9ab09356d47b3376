"""Metrics of a single image, for photographs that have no ground truth (Table VII).

`PIQE` needs no weights and rates images of any size. `DBCNN` and `MUSIQ` are networks; their
weights are published files that have to be there. The paper does not say which of the published
weights it uses: these are the default of package pyiqa, trained on KonIQ-10k.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ndr.metrics.metric import MEASURES, METRICS, compute, measures
from ndr.metrics.piqe import piqe
from ndr.nearest_name import check_names

Pixels = NDArray[np.floating]
NAMES = tuple(name for name, metric in METRICS.items() if not metric.needs_reference)


@measures("DBCNN", "weights", "device")
def dbcnn(image: Pixels, weights: Path, device: str) -> float:
    """100 times what the network says, as in Table VII."""
    # Slow to import, and unused where only PIQE is asked for.
    from ndr.metrics.quality_networks import rate

    return 100.0 * rate(image, "DBCNN", weights, device)


@measures("MUSIQ", "weights", "device")
def musiq(image: Pixels, weights: Path, device: str) -> float:
    """What the network says, about 0 to 100."""
    from ndr.metrics.quality_networks import rate

    return rate(image, "MUSIQ", weights, device)


measures("PIQE")(piqe)


def unavailable(names: Sequence[str], weights_folder: Path) -> dict[str, str]:
    """Metrics that cannot be computed, with the reason and what to do.

    Checks the files themselves, not only that they are there. Metrics without weights are never
    among them.

    Args:
        names: of `NAMES`.
        weights_folder: the configuration's `metric_weights`, e.g. `data/weights/metrics`.

    Raises:
        UnknownNameError: no such metric, with the nearest names.

    >>> unavailable(["PIQE"], Path("nowhere"))
    {}
    """
    check_names("metric without reference", names, NAMES)
    needing = [name for name in names if "weights" in MEASURES[name].takes]
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
    restored: Pixels, names: Sequence[str], weights_folder: Path, device: str = "cpu"
) -> dict[str, float]:
    """Rate one image; values outside [0, 1] are clipped first.

    Args:
        restored: (H, W, 3), RGB, nominally in [0, 1].
        names: of `NAMES`; ask `unavailable` before.
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
    check_names("metric without reference", names, NAMES)
    if restored.ndim != 3 or restored.shape[2] != 3 or not np.isfinite(restored).all():
        raise ValueError(
            f"expected a finite (H, W, 3) image, found shape {restored.shape} with "
            f"{int((~np.isfinite(restored)).sum())} values that are not finite"
        )
    image = np.clip(restored, 0.0, 1.0)
    options = {"weights": Path(weights_folder), "device": device}
    return {name: compute(name, image, **options) for name in names}
