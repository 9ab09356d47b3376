"""What a sceptic asks of U: does the restoration need it, does it know the dose, or only edges?"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from ndr.method import Method
from ndr.records.representation import (
    ALL_DEGRADATIONS,
    CLEAN,
    Dose,
    EdgeCorrelation,
    Measured,
    RestoredViews,
    Unseen,
    mean_over_pictures,
    missing,
)
from ndr.seeds import numpy_generator
from ndr.study import recreation
from ndr.study.clean_views import DOSES, TYPES, UNSEEN, Views, dose_condition
from ndr.study.network_responses import (
    NetworkWithRepresentation,
    Responses,
    batches,
    channel_norm,
    network_of,
    responses,
    to_images,
    to_tensor,
)

RANDOM_D = "U from random vectors in place of D"
FEEDS = (*recreation.FEEDS, RANDOM_D)
"""What NDR-Restore is given in place of the U that it asks for; the first is its own."""


def restored(
    network: NetworkWithRepresentation,
    degraded: NDArray[np.float32],
    degradations: Sequence[Tensor],
) -> NDArray[np.float32]:
    """Restored views, (V, scale * h, scale * w, 3) in [0, 1], with a given U of three levels."""
    images = to_tensor(degraded, degradations[0].device)
    outputs = [
        to_images(network.restore_given(images[part], [level[part] for level in degradations]))
        for part in batches(len(images))
    ]
    return np.concatenate(outputs)


def restored_views(
    method: Method, run: str, found: Mapping[str, Responses], views: Views, suite_seed: int
) -> RestoredViews:
    """PSNR in dB to the clean views of what NDR-Restore makes with each of `FEEDS`."""
    network = network_of(method, run)
    random = _with_random_vectors(method, run, suite_seed)
    truth = views.clean.clip(0, 1)
    values: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name in TYPES:
        given = recreation.feeds(found, name, views, suite_seed)
        device = given[FEEDS[0]][0].device
        given[RANDOM_D] = responses(random, views, name, device).degradation
        values[name] = {
            feed: recreation.psnr_of_each(restored(network, views.degraded[name], U), truth)
            for feed, U in given.items()
        }
    pooled = {
        feed: mean_over_pictures(
            np.concatenate([values[name][feed] for name in TYPES]), views.pictures * len(TYPES)
        )
        for feed in FEEDS
    }
    if len(views.names) < 2:
        pooled[FEEDS[1]] = missing("there is only one picture")
    by_type = {
        name: {feed: mean_over_pictures(each[feed], views.pictures) for feed in FEEDS}
        for name, each in values.items()
    }
    return RestoredViews(feeds=FEEDS, psnr=pooled, by_type=by_type)


def _with_random_vectors(method: Method, run: str, suite_seed: int) -> NetworkWithRepresentation:
    """The network with vectors of random directions, as long as its own, in place of D."""
    changed: Any = copy.deepcopy(method)
    vectors = changed.restoration.representation.vectors
    generator = numpy_generator(suite_seed, "representation", "random D", *vectors.shape)
    drawn = torch.from_numpy(generator.standard_normal(tuple(vectors.shape))).to(vectors)
    scale = vectors.norm(dim=1, keepdim=True) / drawn.norm(dim=1, keepdim=True)
    with torch.no_grad():
        vectors.copy_(drawn * scale)
    return network_of(changed, run)


def doses(networks: Mapping[str, NetworkWithRepresentation], views: Views) -> tuple[Dose, ...]:
    """Do the norms of U and F rise with sigma, the rate of rain, and beta?

    Spearman's rank correlation over the doses for each picture, of the mean norm at level 1.

    Args:
        networks: by source, in evaluation mode.
        views: one of each picture.
    """
    rows = []
    for source, network in networks.items():
        for kind, strengths in DOSES.items():
            norms = [_mean_norms(network, views, dose_condition(kind, each)) for each in strengths]
            numbers = {
                name: mean_over_pictures(
                    rank_correlation(np.array([each[name] for each in norms])), views.pictures
                )
                for name in ("U", "F")
            }
            rows.append(Dose(source=source, kind=kind, doses=strengths, **numbers))
    return tuple(rows)


def _mean_norms(
    network: NetworkWithRepresentation, views: Views, condition: str
) -> dict[str, NDArray[np.float64]]:
    """Mean over the pixels of the norms of U and F at level 1, (V,)."""
    device = network_device(network)
    images = to_tensor(views.degraded[condition], device)
    found: dict[str, list[NDArray[np.float64]]] = {"U": [], "F": []}
    for part in batches(len(images)):
        tensors = network.figure_tensors(images[part])
        for name, key in (("U", "degradation_1"), ("F", "features_1")):
            norms = channel_norm(tensors[key]).double().mean(dim=(1, 2))
            found[name].append(norms.cpu().numpy())
    return {name: np.concatenate(values) for name, values in found.items()}


def network_device(network: NetworkWithRepresentation) -> torch.device:
    """Where the network is."""
    module: Any = network
    return next((p.device for p in module.parameters()), torch.device("cpu"))


def rank_correlation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's correlation of rising doses (D, V) with the values, (V,); NaN where constant.

    >>> rank_correlation(np.array([[1.0, 3.0, 2.0], [2.0, 2.0, 2.0], [9.0, 1.0, 2.0]])).tolist()
    [1.0, -1.0, nan]
    """
    ranks = rankdata(values, axis=0)
    doses = np.arange(len(values), dtype=np.float64)
    centred = ranks - ranks.mean(axis=0)
    rising = doses - doses.mean()
    scale = np.sqrt((centred**2).sum(axis=0) * (rising**2).sum())
    product = rising @ centred
    result: NDArray[np.float64] = np.full(product.shape, np.nan)
    np.divide(product, scale, out=result, where=scale > 0)
    return result


def unseen(network: NetworkWithRepresentation, views: Views) -> tuple[Unseen, ...]:
    """What the restoration makes of degradations that no training has; none with a x2 head.

    Args:
        network: in evaluation mode.
        views: one of each picture.
    """
    if views.clean.shape != views.reference.shape:
        return ()
    truth = views.clean.clip(0, 1)
    device = network_device(network)
    rows = []
    for kind, condition in UNSEEN.items():
        degraded = views.degraded[condition]
        own = responses(network, views, condition, device).degradation
        zeros = [torch.zeros_like(level) for level in own]
        numbers: dict[str, Measured] = {
            name: mean_over_pictures(recreation.psnr_of_each(images, truth), views.pictures)
            for name, images in (
                ("degraded", degraded.clip(0, 1)),
                ("restored", restored(network, degraded, own)),
                ("without_u", restored(network, degraded, zeros)),
            )
        }
        rows.append(Unseen(kind=kind, **numbers))
    return tuple(rows)


def edge_correlations(
    found: Mapping[str, Mapping[str, Responses]], views: Views
) -> tuple[EdgeCorrelation, ...]:
    """Correlation of the norms of U and F with the clean view's edges, level 1."""
    conditions = {ALL_DEGRADATIONS: TYPES, CLEAN: (CLEAN,)}
    return tuple(
        EdgeCorrelation(
            source=source,
            condition=condition,
            **{
                name: mean_over_pictures(
                    np.concatenate([by_condition[each].edges[name][0] for each in chosen]),
                    views.pictures * len(chosen),
                )
                for name in ("U", "F")
            },
        )
        for source, by_condition in found.items()
        for condition, chosen in conditions.items()
    )
