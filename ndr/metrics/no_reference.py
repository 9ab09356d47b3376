"""Metrics of a single image, for photographs that have no ground truth (Table VII).

`PIQE` needs no weights and rates images of any size. `DBCNN` and `MUSIQ` are networks; their
weights are published files that have to be there. The paper does not say which of the published
weights it uses: these are the default of package pyiqa, trained on KonIQ-10k.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from ndr.metrics.metric import MEASURES, METRICS, ImageTooSmallError, compute, measures
from ndr.metrics.pixel_values import check_values
from ndr.nearest_name import check_names

Pixels = NDArray[np.floating]
NAMES = tuple(name for name, metric in METRICS.items() if not metric.needs_reference)


BLOCK = 16
SEGMENT = 6
ACTIVITY_THRESHOLD = 0.1
ARTEFACT_THRESHOLD = 0.1
WINDOW_SIDE = 7
WINDOW_DEVIATION = 7 / 6
LUMA = np.array([0.299, 0.587, 0.114])

Values = NDArray[np.float64]


def piqe(image: NDArray[np.floating]) -> float:
    """Perception-based image quality evaluator (Venkatanath et al., NCC 2015); lower is better.

    The luma, scaled so that its maximum is 255 and rounded, is normalised by local mean and
    deviation. Blocks of 16 x 16 whose variance exceeds 0.1 are active. An active block that has an
    edge segment of 6 pixels with a deviation below 0.1 costs 1 - variance, one that is noisy (its
    deviation exceeds twice beta) costs its variance:

    PIQE = 100 (sum of costs + 1) / (number of active blocks + 1).

    Two peculiarities of the public implementations are kept, so that values agree with theirs:
    the borders are continued symmetrically by (size modulo 16) pixels, which completes the last
    blocks only where that is at least 8, and what is left over is not looked at; the surround of a
    block's centre leaves out column 8 and, counted after that, column 9, which was column 10.

    Args:
        image: (H, W, 3), RGB in [0, 1], both sides at least 16.

    Returns:
        0 to 100 for most images; 100 where no block is active.

    Raises:
        TypeError: values of another type than floating-point, e.g. 8-bit pixels.
        ValueError: another shape, or a value is NaN or infinite.
        ImageTooSmallError: smaller than a block.

    >>> piqe(np.full((32, 32, 3), 0.5))
    100.0
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"PIQE needs (H, W, 3) images, found shape {image.shape}")
    check_values(image)
    _check_size(image)
    blocks = _blocks(_normalised(_scaled_luma(image)))
    variance = blocks.var(axis=(1, 2), ddof=1)
    active = variance > ACTIVITY_THRESHOLD
    impaired = active & _has_flat_segment(blocks)
    noisy = active & _is_noisy(blocks, np.sqrt(variance))
    costs = (1 - variance)[impaired].sum() + variance[noisy].sum()
    return float(100 * (costs + 1) / (active.sum() + 1))


def _scaled_luma(image: NDArray[np.floating]) -> Values:
    luma = image.astype(np.float64) @ LUMA
    largest = luma.max()
    return np.round(255 * luma / largest) if largest > 0 else np.zeros_like(luma)


def _normalised(luma: Values) -> Values:
    """Luma minus its local mean, over its local deviation plus one; continued to the borders."""
    height, width = luma.shape
    luma = np.pad(luma, ((0, height % BLOCK), (0, width % BLOCK)), mode="symmetric")
    distances = np.arange(WINDOW_SIDE) - WINDOW_SIDE // 2
    window = np.exp(-(distances**2) / (2 * WINDOW_DEVIATION**2))
    window /= window.sum()

    def local_mean(values: Values) -> Values:
        rows = correlate1d(values, window, axis=0, mode="nearest")
        return correlate1d(rows, window, axis=1, mode="nearest")

    mean = local_mean(luma)
    deviation = np.sqrt(np.abs(local_mean(luma**2) - mean**2))
    return (luma - mean) / (deviation + 1)


def _blocks(values: Values) -> Values:
    """(H, W) -> (number of complete blocks, 16, 16)."""
    rows, columns = (size // BLOCK for size in values.shape)
    cut = values[: rows * BLOCK, : columns * BLOCK]
    return cut.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)


def _has_flat_segment(blocks: Values) -> NDArray[np.bool_]:
    """Whether one of the segments along the four edges of a block hardly varies."""
    edges = np.stack([blocks[:, 0], blocks[:, -1], blocks[:, :, 0], blocks[:, :, -1]], axis=1)
    segments = sliding_window_view(edges, SEGMENT, axis=-1)
    return (segments.std(axis=-1, ddof=1) < ARTEFACT_THRESHOLD).any(axis=(1, 2))


def _is_noisy(blocks: Values, deviation: Values) -> NDArray[np.bool_]:
    """Whether a block's deviation exceeds twice beta.

    beta = |deviation - ratio| / max(deviation, ratio), with the ratio of the deviations of the
    two centre columns and of the surround.
    """
    centre = blocks[:, :, 7:9].std(axis=(1, 2), ddof=1)
    surround = np.delete(np.delete(blocks, 7, axis=2), 8, axis=2).std(axis=(1, 2), ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(centre / surround)
        beta = np.abs(deviation - ratio) / np.maximum(deviation, ratio)
        return deviation > 2 * beta


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


def _check_size(image: Pixels) -> None:
    if min(image.shape[:2]) < BLOCK:
        raise ImageTooSmallError(
            f"metrics without reference need images of at least {BLOCK} x {BLOCK} pixels, found "
            f"{image.shape[1]} x {image.shape[0]} (width x height)"
        )


def needs_weights(name: str) -> bool:
    """Whether a metric is a network of package pyiqa, with published weights.

    >>> needs_weights("MUSIQ"), needs_weights("PIQE")
    (True, False)
    """
    return "weights" in MEASURES[name].takes


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
    needing = [name for name in names if needs_weights(name)]
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
        TypeError: values of another type than floating-point, e.g. 8-bit pixels.
        ValueError: no finite (H, W, 3) image.
        ImageTooSmallError: one smaller than 16 x 16, which no metric here rates.
        MetricWeightsError: weights are missing or not the published ones.

    >>> score(np.full((32, 32, 3), 0.5), ["PIQE"], Path("nowhere"))
    {'PIQE': 100.0}
    """
    check_names("metric without reference", names, NAMES)
    if restored.ndim != 3 or restored.shape[2] != 3:
        raise ValueError(f"expected an (H, W, 3) image, found shape {restored.shape}")
    check_values(restored)
    _check_size(restored)
    image = np.clip(restored, 0.0, 1.0)
    options = {"weights": Path(weights_folder), "device": device}
    return {name: compute(name, image, **options) for name in names}
