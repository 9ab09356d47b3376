"""All measurements of one run's D, with the same network untrained beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ndr.evaluation.representation import recreation
from ndr.evaluation.representation.clean_views import CONDITIONS, SIGMAS, TYPES, WEAK_NOISE, Views
from ndr.evaluation.representation.explained_variance import explained_variance
from ndr.evaluation.representation.image_statistics import STATISTICS, statistics_of
from ndr.evaluation.representation.measured_number import mean_over_pictures
from ndr.evaluation.representation.network_responses import (
    LEVELS,
    MAPS,
    Responses,
    network_of,
    responses,
)
from ndr.evaluation.representation.separability import accuracy_over_pictures
from ndr.evaluation.representation.settling import settling_rows
from ndr.evaluation.representation.vector_usage import (
    random_similarity,
    vector_similarity,
    vector_usage,
)
from ndr.method import Method

SCHEMA = 1
TRAINED, UNTRAINED, PLAIN = "trained", "untrained", "image statistics"
TASKS: Mapping[str, tuple[str, ...]] = {
    "noise, rain or haze": TYPES,
    "noise of sigma 15 or 25": (WEAK_NOISE, "noise"),
}
"""What the classifier tells apart."""

Features = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Subject:
    """The trained network, the same one before its training, and how D moved in between."""

    run: str
    trained: Method
    untrained: Method
    steps: NDArray[np.int64]
    """Steps at which D was kept, (T,)."""
    history: NDArray[np.float32]
    """D at these, (T, N, M)."""
    learning_rate: Callable[[int], float]
    device: torch.device


def measure(subject: Subject, views: Views, suite_seed: int) -> dict[str, Any]:
    """Measure everything.

    Args:
        subject: the networks are in evaluation mode, on the device.
        views: clean views under all conditions.
        suite_seed: seed of the shuffles and of random matrices.

    Returns:
        Plain content for a JSON file; a measured number is a `Measured` as a dictionary.

    Raises:
        EvaluationError: the method has no D.
    """
    networks = {TRAINED: subject.trained, UNTRAINED: subject.untrained}
    found = {
        source: {
            condition: responses(network_of(method, subject.run), views, condition, subject.device)
            for condition in CONDITIONS
        }
        for source, method in networks.items()
    }
    features = _features(found, views)
    return {
        "schema": SCHEMA,
        "scale": subject.trained.scale,
        "views": {
            "set": views.set,
            "pictures": list(views.names),
            "per_picture": views.per_picture,
            "count": len(views.pictures),
            "side": views.side,
        },
        "sigmas": dict(SIGMAS),
        "image_statistics": list(STATISTICS),
        "separability": _separability(features, views),
        "explained_variance": _explained(features),
        "recreation": _recreation(subject, found, views, suite_seed),
        "usage": _usage(found),
        "similarity": _similarity(subject, suite_seed),
        "settling": [
            dataclasses.asdict(row)
            for row in settling_rows(subject.steps.tolist(), subject.history, subject.learning_rate)
        ],
        "residual_correlation": _residual_correlation(found, views),
    }


def _features(
    found: Mapping[str, Mapping[str, Responses]], views: Views
) -> dict[tuple[str, str], Features]:
    """What classifiers see, per source and level: one row per view, for each condition."""
    features: dict[tuple[str, str], Features] = {}
    for source, by_condition in found.items():
        for index, level in enumerate(LEVELS):
            features[source, str(level)] = {
                name: response.affinity[index] for name, response in by_condition.items()
            }
        features[source, "all"] = {
            name: np.concatenate(response.affinity, axis=1)
            for name, response in by_condition.items()
        }
    features[PLAIN, "none"] = {
        name: statistics_of(images) for name, images in views.degraded.items()
    }
    return features


def _separability(
    features: Mapping[tuple[str, str], Features], views: Views
) -> list[dict[str, Any]]:
    return [
        {
            "task": task,
            "source": source,
            "level": level,
            "chance": 1 / len(classes),
            "accuracy": dataclasses.asdict(
                accuracy_over_pictures({name: rows[name] for name in classes}, views.pictures)
            ),
        }
        for task, classes in TASKS.items()
        for (source, level), rows in features.items()
    ]


def _explained(features: Mapping[tuple[str, str], Features]) -> list[dict[str, Any]]:
    return [
        {"source": source, "level": level}
        | dataclasses.asdict(
            explained_variance({name: rows[name] for name in TYPES}, standardise=source == PLAIN)
        )
        for (source, level), rows in features.items()
    ]


def _recreation(
    subject: Subject,
    found: Mapping[str, Mapping[str, Responses]],
    views: Views,
    suite_seed: int,
) -> dict[str, Any]:
    """PSNR and swap test; only a reason where the run was trained without NDR-Degrad."""
    network = network_of(subject.trained, subject.run)
    if network.degradation is None:
        return {"reason": "this run was trained without NDR-Degrad (lambda = 0)"}
    outputs = recreation.recreate_all(network, found[TRAINED], views, suite_seed)
    own, other = recreation.FEEDS[:2]
    fresh = network_of(subject.untrained, subject.run)
    partner = views.other_picture()
    untrained = {
        name: recreation.recreated(
            fresh,
            views.clean,
            recreation.feeds(found[UNTRAINED], name, views, suite_seed)[other],
        )
        for name in TYPES
    }
    degraded = {name: views.degraded[name].clip(0, 1) for name in TYPES}
    cases = {
        "really degraded views": (degraded, None),
        "own U": ({name: outputs[name][own] for name in TYPES}, None),
        "U of another picture": ({name: outputs[name][other] for name in TYPES}, partner),
        "U of another picture, untrained": (untrained, partner),
    }
    measured = recreation.measure_recreation(outputs, views)
    return {
        "reason": "",
        "control": recreation.CONTROL,
        "feeds": list(recreation.FEEDS),
        **dataclasses.asdict(measured),
        "swap": {
            "chance": 1 / len(TYPES),
            "accuracy": {
                case: dataclasses.asdict(recreation.swap_accuracy(images, views, order))
                for case, (images, order) in cases.items()
            },
        },
    }


def _usage(found: Mapping[str, Mapping[str, Responses]]) -> list[dict[str, Any]]:
    rows = []
    for source, by_condition in found.items():
        for index, level in enumerate(LEVELS):
            chosen = [by_condition[name] for name in TYPES]
            affinity = np.concatenate([response.affinity[index] for response in chosen])
            sharpness = np.concatenate([response.sharpness[index] for response in chosen])
            rows.append(
                {"source": source, "level": str(level), "vectors": affinity.shape[1]}
                | dataclasses.asdict(vector_usage(affinity, sharpness))
            )
    return rows


def _similarity(subject: Subject, suite_seed: int) -> dict[str, Any]:
    matrices = {
        source: method.representation().cpu().numpy()
        for source, method in ((TRAINED, subject.trained), (UNTRAINED, subject.untrained))
    }
    count, dimension = matrices[TRAINED].shape
    similar = {source: vector_similarity(matrix) for source, matrix in matrices.items()}
    similar["random"] = random_similarity(count, dimension, suite_seed)
    return {"vectors": count, "dimension": dimension} | {
        source: dataclasses.asdict(each) for source, each in similar.items()
    }


def _residual_correlation(
    found: Mapping[str, Mapping[str, Responses]], views: Views
) -> list[dict[str, Any]]:
    """Correlation with |x - y| per source, level and type, and over all types."""
    rows = []
    for source, by_condition in found.items():
        for index, level in enumerate(LEVELS):
            for name, chosen in {"all": TYPES, **{name: (name,) for name in TYPES}}.items():
                numbers = {
                    kind: mean_over_pictures(
                        np.concatenate(
                            [by_condition[each].correlation[kind][index] for each in chosen]
                        ),
                        views.pictures * len(chosen),
                    )
                    for kind in MAPS
                }
                rows.append(
                    {"source": source, "level": str(level), "degradation": name}
                    | {kind: dataclasses.asdict(number) for kind, number in numbers.items()}
                )
    return rows
