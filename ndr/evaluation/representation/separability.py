"""Can a linear classifier name the degradation? Pictures that are tested are never trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ndr.evaluation.representation.measured_number import Measured, mean_over_pictures, missing

MINIMUM_PICTURES = 3
"""Fewer leave at most one picture to learn from: its content would be taken for the class."""
RIDGE = 1.0
"""Weight of the squared coefficients, for features of unit variance."""


def predicted_classes(
    train: NDArray[np.float64], labels: Sequence[str], test: NDArray[np.float64]
) -> list[str]:
    """Classes that a ridge classifier names: one linear score per class, the highest wins.

    Features get mean 0 and variance 1 on the training samples. The result is that of
    scikit-learn's `RidgeClassifier(alpha=RIDGE)`, whose import alone takes longer.

    Args:
        train: (n, F).
        labels: n classes.
        test: (m, F).

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
    features: dict[str, NDArray[np.float64]], pictures: Sequence[str]
) -> Measured:
    """Accuracy on each picture by a classifier that has learned from all others.

    Args:
        features: per class, (V, F): one row per view, in the same order for all classes.
        pictures: the picture of each view.

    Returns:
        Accuracy; missing where there are fewer than `MINIMUM_PICTURES` pictures.

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
    owners = np.asarray(pictures)
    correct: list[float] = []
    tested: list[str] = []
    for name in names:
        held = owners == name
        train = np.concatenate([rows[~held] for rows in features.values()])
        train_labels = [label for label in features for _ in range(int((~held).sum()))]
        for label, rows in features.items():
            found = predicted_classes(train, train_labels, rows[held])
            correct += [float(answer == label) for answer in found]
            tested += [name] * len(found)
    return mean_over_pictures(correct, tested)
