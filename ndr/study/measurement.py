"""All measurements of one run's D, with the same network untrained beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ndr.method import Method
from ndr.records.representation import (
    ALL_DEGRADATIONS,
    CLEAN,
    FEATURES,
    FEATURES_UNTRAINED,
    PLAIN,
    TRAINED,
    UNTRAINED,
    ExplainedShares,
    RecreatedViews,
    ResidualCorrelation,
    SeenViews,
    Separability,
    SwapTest,
    VectorLikeness,
    VectorUse,
    mean_over_pictures,
)
from ndr.study import recreation
from ndr.study.classifiers import (
    STATISTICS,
    accuracy_over_pictures,
    explained_variance,
    statistics_of,
)
from ndr.study.clean_views import CONDITIONS, SIGMAS, TYPES, WEAK_NOISE, Views
from ndr.study.network_responses import LEVELS, MAPS, Responses, network_of, responses
from ndr.study.restoration_use import doses, edge_correlations, restored_views, unseen
from ndr.study.vectors_of_d import (
    random_similarity,
    settled,
    settling_rows,
    vector_similarity,
    vector_usage,
)

TASKS: Mapping[str, tuple[str, ...]] = {
    "noise, rain or haze": TYPES,
    "noise of sigma 15 or 25": (WEAK_NOISE, "noise"),
}
"""What the classifier tells apart."""

Features = dict[str, NDArray[np.float64]]
Found = Mapping[str, Mapping[str, Responses]]
"""Responses by source and condition."""


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
    """Measure everything: the fields of a `RepresentationFile` but those that name the run.

    Raises:
        EvaluationError: the method has no D.
    """
    networks = {TRAINED: subject.trained, UNTRAINED: subject.untrained}
    found = {
        source: {
            condition: responses(network_of(method, subject.run), views, condition, subject.device)
            for condition in (*CONDITIONS, CLEAN)
        }
        for source, method in networks.items()
    }
    one_of_each = views.first_of_each()
    followed = subject.steps.tolist(), subject.history, subject.learning_rate
    features = _features(found, views)
    return {
        "scale": subject.trained.scale,
        "views": SeenViews(
            set=views.set,
            pictures=tuple(views.names),
            per_picture=views.per_picture,
            count=len(views.pictures),
            side=views.side,
        ),
        "sigmas": dict(SIGMAS),
        "statistics": tuple(STATISTICS),
        "separability": _separability(features, views),
        "explained_variance": _explained(features, views),
        "recreation": _recreation(subject, found, views, suite_seed),
        "vector_use": _usage(found, views),
        "likeness": _likeness(subject, suite_seed),
        "settling": settling_rows(*followed),
        "settled": settled(*followed),
        "residual_correlation": _residual_correlation(found, views),
        "restored": restored_views(subject.trained, subject.run, found[TRAINED], views, suite_seed),
        "dose": doses({n: network_of(m, subject.run) for n, m in networks.items()}, one_of_each),
        "unseen": unseen(network_of(subject.trained, subject.run), one_of_each),
        "edges": edge_correlations(found, views),
    }


def _features(found: Found, views: Views) -> dict[tuple[str, str], Features]:
    """What classifiers see, per source and level: one row per view, for each condition."""
    features: dict[tuple[str, str], Features] = {}
    sources_of_f = {TRAINED: FEATURES, UNTRAINED: FEATURES_UNTRAINED}
    for source, by_condition in found.items():
        features[sources_of_f[source], "all"] = {
            name: np.concatenate(response.features, axis=1)
            for name, response in by_condition.items()
        }
        for index, level in enumerate(LEVELS):
            features[source, str(level)] = {
                name: response.affinity[index] for name, response in by_condition.items()
            }
        features[source, "all"] = {
            name: np.concatenate(response.affinity, axis=1)
            for name, response in by_condition.items()
        }
    features[PLAIN, "none"] = {name: statistics_of(views.degraded[name]) for name in CONDITIONS}
    return features


def _separability(
    features: Mapping[tuple[str, str], Features], views: Views
) -> tuple[Separability, ...]:
    return tuple(
        Separability(
            task=task,
            source=source,
            level=level,
            chance=1 / len(classes),
            accuracy=accuracy_over_pictures({name: rows[name] for name in classes}, views.pictures),
        )
        for task, classes in TASKS.items()
        for (source, level), rows in features.items()
    )


def _explained(
    features: Mapping[tuple[str, str], Features], views: Views
) -> tuple[ExplainedShares, ...]:
    shares = []
    for (source, level), rows in features.items():
        degradation, picture, lead = explained_variance(
            {name: rows[name] for name in TYPES},
            views.pictures,
            standardise=source in (PLAIN, FEATURES, FEATURES_UNTRAINED),
        )
        shares.append(
            ExplainedShares(
                source=source, level=level, degradation=degradation, picture=picture, lead=lead
            )
        )
    return tuple(shares)


def _recreation(subject: Subject, found: Found, views: Views, suite_seed: int) -> RecreatedViews:
    """PSNR and swap test; only a reason where the run was trained without NDR-Degrad."""
    network = network_of(subject.trained, subject.run)
    if network.degradation is None:
        return RecreatedViews(reason="this run was trained without NDR-Degrad (lambda = 0)")
    outputs = recreation.recreate_all(network, found[TRAINED], views, suite_seed)
    own, other = recreation.FEEDS[:2]
    partner = views.other_picture()
    fed = {
        name: recreation.feeds(found[UNTRAINED], name, views, suite_seed)[other] for name in TYPES
    }
    fresh = network_of(subject.untrained, subject.run)
    untrained = {name: recreation.recreated(fresh, views.clean, U) for name, U in fed.items()}
    degraded = {name: views.degraded[name].clip(0, 1) for name in TYPES}
    cases = {
        "really degraded views": (degraded, None),
        "own U": ({name: outputs[name][own] for name in TYPES}, None),
        "U of another picture": ({name: outputs[name][other] for name in TYPES}, partner),
        "U of another picture, untrained": (untrained, partner),
    }
    accuracy = {
        case: recreation.swap_accuracy(images, views, order)
        for case, (images, order) in cases.items()
    }
    psnr, by_type = recreation.measure_recreation(outputs, views)
    return RecreatedViews(
        control=recreation.CONTROL,
        feeds=recreation.FEEDS,
        psnr=psnr,
        by_type=by_type,
        swap=SwapTest(chance=1 / len(TYPES), accuracy=accuracy),
    )


def _usage(found: Found, views: Views) -> tuple[VectorUse, ...]:
    rows = []
    for source, by_condition in found.items():
        for index, level in enumerate(LEVELS):
            chosen = [by_condition[name] for name in TYPES]
            affinity = np.concatenate([response.affinity[index] for response in chosen])
            sharpness = np.concatenate([response.sharpness[index] for response in chosen])
            usage = vector_usage(affinity, sharpness, views.pictures * len(chosen))
            vectors = affinity.shape[1]
            rows.append(VectorUse(source=source, level=str(level), vectors=vectors, **usage))
    return tuple(rows)


def _likeness(subject: Subject, suite_seed: int) -> VectorLikeness:
    similar = []
    for method in (subject.trained, subject.untrained):
        vectors = method.representation()
        assert vectors is not None  # see network_of
        similar.append(vector_similarity(vectors.cpu().numpy()))
        count, dimension = vectors.shape
    return VectorLikeness(
        vectors=count,
        dimension=dimension,
        trained=similar[0],
        untrained=similar[1],
        random=random_similarity(count, dimension, suite_seed),
    )


def _residual_correlation(found: Found, views: Views) -> tuple[ResidualCorrelation, ...]:
    """Correlation with |x - y| per source, level and type, and over all types."""
    kinds = {ALL_DEGRADATIONS: TYPES, **{name: (name,) for name in TYPES}}
    rows = []
    for source, by_condition in found.items():
        for index, level in enumerate(LEVELS):
            for name, chosen in kinds.items():
                numbers = {}
                for kind in MAPS:
                    values = [by_condition[each].correlation[kind][index] for each in chosen]
                    owners = views.pictures * len(chosen)
                    numbers[kind] = mean_over_pictures(np.concatenate(values), owners)
                rows.append(
                    ResidualCorrelation(
                        source=source, level=str(level), degradation=name, **numbers
                    )
                )
    return tuple(rows)
