"""What numbers of views tell: classification, explained variance, plain statistics of images.

Pictures that are tested are never trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ndr.records.representation import Measured, mean_over_pictures, missing, single
from ndr.study.resampling import picture_indices, resampled_interval

MINIMUM_PICTURES = 3
"""Fewer leave at most one picture to learn from: its content would be taken for the class."""
RIDGE = 1.0
"""Weight of the squared coefficients, for features of unit variance."""

STATISTICS = (
    "mean",
    "standard deviation",
    "1st percentile",
    "99th percentile",
    "mean absolute horizontal difference",
    "mean absolute vertical difference",
    "mean absolute diagonal difference",
    "mean absolute Laplacian (Immerkaer's noise estimate)",
    "kurtosis of horizontal differences",
    "correlation of neighbouring pixels",
    "mean range of the three channels",
    "mean of the darkest channel",
)
"""Names of the numbers, in their order."""

_TINY = 1e-12


def predicted_classes(
    train: NDArray[np.float64], labels: Sequence[str], test: NDArray[np.float64]
) -> list[str]:
    """Classes that a ridge classifier names: one linear score per class, the highest wins.

    Features (n, F) get mean 0 and variance 1 on the training samples. The result is that of
    scikit-learn's `RidgeClassifier(alpha=RIDGE)`, whose import alone takes longer.

    >>> predicted_classes(np.array([[0.0], [1.0], [4.0]]), ["a", "a", "b"], np.array([[5.0]]))
    ['b']
    """
    classes = sorted(set(labels))
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    # A number that is constant but for rounding says nothing, and is not blown up to variance 1.
    varies = deviation > 1e-12 * np.maximum(np.abs(mean), 1)
    samples = (train[:, varies] - mean[varies]) / deviation[varies]
    targets = np.where(np.asarray(labels)[:, None] == np.asarray(classes), 1.0, -1.0)
    offset = targets.mean(axis=0)
    gram = samples.T @ samples + RIDGE * np.eye(samples.shape[1])
    weights = np.linalg.solve(gram, samples.T @ (targets - offset))
    scores = (test[:, varies] - mean[varies]) / deviation[varies] @ weights + offset
    return [classes[index] for index in scores.argmax(axis=1)]


def accuracy_over_pictures(
    features: Mapping[str, NDArray[np.float64]],
    pictures: Sequence[str],
    *,
    tested: Mapping[str, NDArray[np.float64]] | None = None,
    sources: Sequence[str] | None = None,
) -> Measured:
    """Accuracy on each picture by a classifier that has learned from all others.

    Missing for fewer than `MINIMUM_PICTURES` pictures.

    Args:
        features: (V, F) per class: one row per view, in the same order for all classes.
        pictures: the picture of each view.
        tested: what is classified; None: the features that others learn from.
        sources: of each view a second picture that is not learned from; None: there is none.

    >>> views = {"a": np.zeros((3, 1)), "b": np.ones((3, 1))}
    >>> accuracy_over_pictures(views, ["x", "y", "z"]).value
    1.0
    """
    names = list(dict.fromkeys(pictures))
    if len(names) < MINIMUM_PICTURES:
        return missing(
            f"a classifier needs at least {MINIMUM_PICTURES} pictures, so that it is tested on "
            f"one and learns from several others; found {len(names)}"
        )
    owners, others = np.asarray(pictures), np.asarray(sources or pictures)
    correct: list[float] = []
    owners_tested: list[str] = []
    for picture, source in dict.fromkeys(zip(owners.tolist(), others.tolist(), strict=True)):
        learned = (owners != picture) & (owners != source)
        held = (owners == picture) & (others == source)
        train = np.concatenate([rows[learned] for rows in features.values()])
        train_labels = [label for label in features for _ in range(int(learned.sum()))]
        for label, rows in (tested or features).items():
            found = predicted_classes(train, train_labels, rows[held])
            correct += [float(answer == label) for answer in found]
            owners_tested += [picture] * len(found)
    return mean_over_pictures(correct, owners_tested)


def explained_variance(
    features: Mapping[str, NDArray[np.float64]],
    pictures: Sequence[str] = (),
    *,
    standardise: bool = False,
) -> tuple[Measured, Measured, Measured]:
    """Eta squared of a balanced design: each view once under each degradation.

    Returns:
        Shares of the degradation and of the picture, in [0, 1], and the first minus the second;
        what is left to 1 belongs to both together.

    The sums of squares of all F numbers are added before they are divided, so that a number that
    hardly varies counts little. A share is never 0 by chance alone: with T types of V views each,
    numbers drawn at random give (T - 1) / (T V - 1) for the type and (V - 1) / (T V - 1) for the
    view.

    Args:
        features: per degradation, (V, F): one row per view, in the same order for all.
        pictures: the picture of each view; with them the shares have intervals over pictures.
        standardise: give all numbers the same variance first, where their units differ.

    >>> design = {"noise": np.array([[0.0], [1.0]]), "rain": np.array([[3.0], [4.0]])}
    >>> [share.value for share in explained_variance(design)]
    [0.9, 0.1, 0.8]
    """
    values = np.stack([np.asarray(rows, dtype=np.float64) for rows in features.values()])
    types, views, _ = values.shape
    if types < 2 or views < 2:
        reason = missing(f"needs two degradations and two views, found {types} and {views}")
        return reason, reason, reason
    if standardise:
        deviation = values.std(axis=(0, 1))
        values = values[..., deviation > 0] / deviation[deviation > 0]
    if not (values - values.mean(axis=(0, 1))).any():
        reason = missing("nothing varies")
        return reason, reason, reason
    names = list(dict.fromkeys(pictures))
    count = types * views

    def measured(number: Callable[[float, float], float]) -> Measured:
        def of(chosen: NDArray[np.intp]) -> float:
            return number(*_shares(values[:, picture_indices(pictures, names, chosen)]))

        interval = resampled_interval(len(names), of, "explained variance")
        return single(number(*_shares(values)), count, interval)

    return (
        measured(lambda by_type, _: by_type),
        measured(lambda _, by_view: by_view),
        measured(lambda by_type, by_view: by_type - by_view),
    )


def _shares(values: NDArray[np.float64]) -> tuple[float, float]:
    """Shares of type and view in the variance of (T, V, F)."""
    types, views, _ = values.shape
    centred = values - values.mean(axis=(0, 1))
    total = float((centred**2).sum()) or 1.0
    by_type = views * float((centred.mean(axis=1) ** 2).sum())
    by_view = types * float((centred.mean(axis=0) ** 2).sum())
    return by_type / total, by_view / total


def _kurtosis(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    variance = float((centred**2).mean())
    return float((centred**4).mean()) / variance**2 if variance > _TINY else 0.0


def _neighbour_correlation(grey: NDArray[np.float64]) -> float:
    left, right = grey[:, :-1] - grey.mean(), grey[:, 1:] - grey.mean()
    scale = float(np.sqrt((left**2).mean() * (right**2).mean()))
    return float((left * right).mean()) / scale if scale > _TINY else 0.0


def image_statistics(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Twelve plain numbers of an image, or of a residual (H, W, 3); see `STATISTICS`.

    The ninth and tenth are 0 for a constant image.

    >>> image_statistics(np.full((8, 8, 3), 0.25)).round(2).tolist()[:4]
    [0.25, 0.0, 0.25, 0.25]
    """
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < 3:
        raise ValueError(f"expected an image (H, W, 3) of 3 pixels a side, found {image.shape}")
    pixels = image.astype(np.float64)
    grey = pixels.mean(axis=2)
    horizontal, vertical = np.diff(grey, axis=1), np.diff(grey, axis=0)
    diagonal = grey[1:, 1:] - grey[:-1, :-1]
    laplacian = np.diff(np.diff(grey, n=2, axis=0), n=2, axis=1)
    low, high = np.percentile(grey, (1, 99))
    return np.array(
        [
            grey.mean(),
            grey.std(),
            low,
            high,
            np.abs(horizontal).mean(),
            np.abs(vertical).mean(),
            np.abs(diagonal).mean(),
            np.sqrt(np.pi / 2) / 6 * np.abs(laplacian).mean(),
            _kurtosis(horizontal),
            _neighbour_correlation(grey),
            np.ptp(pixels, axis=2).mean(),
            pixels.min(axis=2).mean(),
        ]
    )


def statistics_of(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """(B, H, W, 3) -> (B, 12), see `image_statistics`."""
    return np.stack([image_statistics(image) for image in images])
