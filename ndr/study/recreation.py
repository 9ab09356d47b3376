"""NDR-Degrad fed with its own U and with others: does U carry the degradation or the picture?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ndr.metrics.full_reference import psnr
from ndr.records.representation import Measured, mean_over_pictures, missing
from ndr.seeds import numpy_generator
from ndr.study.classifiers import MINIMUM_PICTURES, accuracy_over_pictures, statistics_of
from ndr.study.clean_views import TYPES, Views
from ndr.study.network_responses import (
    NetworkWithRepresentation,
    Responses,
    batches,
    to_images,
    to_tensor,
)

CONTROL = "clean picture unchanged"
FEEDS = (
    "own U",
    "U of another picture, same degradation",
    "U of the same picture, another degradation",
    "own U shuffled in space",
    "U of zeros",
)
"""What NDR-Degrad is given beside the clean view."""
LARGEST_PSNR = 100.0
"""Of equal images, in dB, so that means stay finite."""


def psnr_of_each(images: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """PSNR in dB of each image of a batch, (B, H, W, 3) in [0, 1], at most `LARGEST_PSNR`."""
    pairs = zip(images, truth, strict=True)
    return np.array([min(psnr(image, clean), LARGEST_PSNR) for image, clean in pairs])


def shuffled_in_space(degradations: Sequence[Tensor], suite_seed: int) -> list[Tensor]:
    """U with its pixels in another order, the same for all views, of each level on its own."""
    result = []
    for level, tensor in enumerate(degradations, start=1):
        count = tensor.shape[-2] * tensor.shape[-1]
        generator = numpy_generator(suite_seed, "representation", "shuffle", level, count)
        order = torch.from_numpy(generator.permutation(count)).to(tensor.device)
        result.append(tensor.flatten(2)[..., order].reshape(tensor.shape))
    return result


def feeds(
    found: Mapping[str, Responses], name: str, views: Views, suite_seed: int
) -> dict[str, list[Tensor]]:
    """U of the three levels for each of `FEEDS`, for views degraded by type `name`."""
    own = found[name].degradation
    other_type = TYPES[(TYPES.index(name) + 1) % len(TYPES)]
    order = torch.from_numpy(views.other_picture()).to(own[0].device)
    variants = (
        own,
        [level[order] for level in own],
        found[other_type].degradation,
        shuffled_in_space(own, suite_seed),
        [torch.zeros_like(level) for level in own],
    )
    return dict(zip(FEEDS, variants, strict=True))


def recreated(
    network: NetworkWithRepresentation, clean: NDArray[np.float32], degradations: Sequence[Tensor]
) -> NDArray[np.float32]:
    """Output of NDR-Degrad for clean views and U, (V, h, w, 3) in [0, 1]."""
    assert network.degradation is not None
    device = degradations[0].device
    images = to_tensor(clean, device)
    outputs = [
        to_images(network.degradation(images[part], [level[part] for level in degradations]))
        for part in batches(len(images))
    ]
    return np.concatenate(outputs)


def recreate_all(
    network: NetworkWithRepresentation,
    found: Mapping[str, Responses],
    views: Views,
    suite_seed: int,
) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Outputs of NDR-Degrad per type and feed."""
    return {
        name: {
            feed: recreated(network, views.clean, degradations)
            for feed, degradations in feeds(found, name, views, suite_seed).items()
        }
        for name in TYPES
    }


def measure_recreation(
    outputs: Mapping[str, Mapping[str, NDArray[np.float32]]], views: Views
) -> tuple[dict[str, Measured], dict[str, dict[str, Measured]]]:
    """PSNR in dB of what `recreate_all` gave to the degraded views.

    Returns:
        Per name in `FEEDS`, and for the clean view unchanged (`CONTROL`): over all types, and per
        type.
    """
    values: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name in TYPES:
        truth = views.degraded[name].clip(0, 1)
        given = {CONTROL: views.reference.clip(0, 1), **outputs[name]}
        values[name] = {feed: psnr_of_each(images, truth) for feed, images in given.items()}
    pooled = {
        feed: mean_over_pictures(
            np.concatenate([values[name][feed] for name in TYPES]), views.pictures * len(TYPES)
        )
        for feed in (CONTROL, *FEEDS)
    }
    if len(views.names) < 2:
        pooled[FEEDS[1]] = missing("there is only one picture")
    by_type = {
        name: {feed: mean_over_pictures(numbers, views.pictures) for feed, numbers in each.items()}
        for name, each in values.items()
    }
    return pooled, by_type


def swap_accuracy(
    outputs: Mapping[str, NDArray[np.float32]], views: Views, partner: NDArray[np.intp] | None
) -> Measured:
    """How often a classifier names the type of U from what NDR-Degrad added to the clean view.

    The classifier learns from the residuals of really degraded views, of neither the picture that
    is tested nor the one that U comes from.

    Args:
        outputs: per type, (V, h, w, 3).
        views: the views.
        partner: for each view the view that U comes from; None: the view itself.
    """
    names = views.names
    needed = MINIMUM_PICTURES + (partner is not None)
    if len(names) < needed:
        return missing(f"the swap test needs at least {needed} pictures, found {len(names)}")
    # Statistics of what is added to the clean views, (V, 12).
    clean = views.reference.astype(np.float64)
    real = {name: statistics_of(views.degraded[name].clip(0, 1) - clean) for name in TYPES}
    made = {name: statistics_of(outputs[name] - clean) for name in TYPES}
    sources = None if partner is None else [views.pictures[view] for view in partner]
    return accuracy_over_pictures(real, views.pictures, tested=made, sources=sources)
