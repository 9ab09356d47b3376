"""All measurements of one run's D, with the same network untrained beside it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ndr.method import Method
from ndr.records.representation import (
    ALL_DEGRADATIONS,
    PLAIN,
    TRAINED,
    UNTRAINED,
    Cosines,
    ExplainedShares,
    Measured,
    RecreatedViews,
    ResidualCorrelation,
    SeenViews,
    Separability,
    SettlingRow,
    SwapTest,
    VectorLikeness,
    VectorUse,
    mean_over_pictures,
    missing,
    single,
)
from ndr.seeds import numpy_generator
from ndr.study import recreation
from ndr.study.classifiers import (
    STATISTICS,
    accuracy_over_pictures,
    explained_variance,
    statistics_of,
)
from ndr.study.clean_views import CONDITIONS, SIGMAS, TYPES, WEAK_NOISE, Views
from ndr.study.network_responses import LEVELS, MAPS, Responses, network_of, responses

TASKS: Mapping[str, tuple[str, ...]] = {
    "noise, rain or haze": TYPES,
    "noise of sigma 15 or 25": (WEAK_NOISE, "noise"),
}
"""What the classifier tells apart."""
RANDOM_MATRICES = 100
"""Random matrices that stand beside D."""

Features = dict[str, NDArray[np.float64]]
Found = Mapping[str, Mapping[str, Responses]]
"""Responses by source and condition."""


def settling_rows(
    steps: Sequence[int], history: NDArray[np.floating], learning_rate: Callable[[int], float]
) -> tuple[SettlingRow, ...]:
    """Changes of D (T, N, M) between the snapshots that were kept after so many steps.

    `change_per_step` is c / (b - a) with c = |D_b - D_a| / |D_a|, Frobenius norms. Any parameter
    slows down with its learning rate (of a step that counts from 0), so two further numbers take it
    out: `scaled` is c over the sum of the rates, which stays the same while D moves steadily in one
    direction; `walk` is c over the root of the sum of their squares, which stays the same while D
    moves at random (the steps between snapshots become more and more, and random steps cancel). D
    settles where both fall.

    >>> D = np.array([1.0, 2.0, 2.5]).reshape(3, 1, 1)
    >>> [row.scaled for row in settling_rows([0, 1, 3], D, lambda step: 0.5)]
    [2.0, 0.25]
    """
    if len(steps) != len(history):
        raise ValueError(f"expected a D per step, found {len(history)} for {len(steps)} steps")
    rows = []
    values = history.astype(np.float64)
    for (first, before), (last, after) in itertools.pairwise(zip(steps, values, strict=True)):
        rates = np.array([learning_rate(step) for step in range(first, last)])
        change = np.linalg.norm(after - before) / np.linalg.norm(before)
        rows.append(
            SettlingRow(
                first,
                last,
                float(change / (last - first)),
                float(rates.mean()),
                float(change / rates.sum()),
                float(change / np.sqrt((rates**2).sum())),
            )
        )
    return tuple(rows)


def vector_usage(
    affinity: NDArray[np.float64], sharpness: NDArray[np.float64]
) -> dict[str, Measured]:
    """Numbers of a `VectorUse`, by affinities (n, N) and entropies of single pixels (n,) in nats.

    >>> round(vector_usage(np.full((5, 8), 1 / 8), np.full(5, np.log(8)))["entropy"].value, 6)
    1.0
    """
    samples, count = affinity.shape
    if count < 2:
        reason = missing("D has one vector: there is nothing to choose from")
        one = single(1.0, samples)
        return {"entropy": reason, "effective_vectors": one, "pixel_entropy": reason}
    mean = affinity.mean(axis=0)
    used = mean[mean > 0]
    total = float(-(used * np.log(used)).sum())
    return {
        "entropy": single(total / np.log(count), samples),
        "effective_vectors": single(np.exp(total), samples),
        "pixel_entropy": single(float(sharpness.mean()) / np.log(count), samples),
    }


def vector_similarity(vectors: NDArray[np.floating]) -> Cosines:
    """Absolute cosine similarity of the vectors of D (N, M), one per row.

    >>> vector_similarity(np.eye(3)).mean.value
    0.0
    """
    count = len(vectors)
    if count < 2:
        reason = missing("D has one vector: there is no pair")
        return Cosines(reason, reason)
    rows = vectors.astype(np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    pairs = np.abs(rows @ rows.T)[np.triu_indices(count, k=1)]
    return Cosines(single(float(pairs.mean()), len(pairs)), single(float(pairs.max()), len(pairs)))


def random_similarity(count: int, dimension: int, suite_seed: int) -> Cosines:
    """The same of normal random matrices (N, M): means over `RANDOM_MATRICES` of them."""
    generator = numpy_generator(suite_seed, "representation", "random matrix", count, dimension)
    drawn = [
        vector_similarity(generator.standard_normal((count, dimension)))
        for _ in range(RANDOM_MATRICES)
    ]
    if drawn[0].mean.value is None:
        return drawn[0]
    values = np.array([(each.mean.value, each.largest.value) for each in drawn], dtype=np.float64)
    mean, largest = np.ascontiguousarray(values.T).mean(axis=1)
    return Cosines(single(mean, len(drawn)), single(largest, len(drawn)))


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
            for condition in CONDITIONS
        }
        for source, method in networks.items()
    }
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
        "explained_variance": _explained(features),
        "recreation": _recreation(subject, found, views, suite_seed),
        "vector_use": _usage(found),
        "likeness": _likeness(subject, suite_seed),
        "settling": settling_rows(subject.steps.tolist(), subject.history, subject.learning_rate),
        "residual_correlation": _residual_correlation(found, views),
    }


def _features(found: Found, views: Views) -> dict[tuple[str, str], Features]:
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


def _explained(features: Mapping[tuple[str, str], Features]) -> tuple[ExplainedShares, ...]:
    shares = []
    for (source, level), rows in features.items():
        degradation, picture = explained_variance(
            {name: rows[name] for name in TYPES}, standardise=source == PLAIN
        )
        shares.append(
            ExplainedShares(source=source, level=level, degradation=degradation, picture=picture)
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


def _usage(found: Found) -> tuple[VectorUse, ...]:
    rows = []
    for source, by_condition in found.items():
        for index, level in enumerate(LEVELS):
            chosen = [by_condition[name] for name in TYPES]
            affinity = np.concatenate([response.affinity[index] for response in chosen])
            sharpness = np.concatenate([response.sharpness[index] for response in chosen])
            usage = vector_usage(affinity, sharpness)
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
