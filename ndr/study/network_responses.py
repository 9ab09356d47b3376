"""What the network does inside, view by view: S pooled, U, and maps beside the residual."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.evaluation.degraded_images import EvaluationError
from ndr.method import Method
from ndr.study.clean_views import Views

LEVELS = (1, 2, 3)
BATCH = 8
MAPS = ("U", "F", "change")
"""Norm over the channels of U, of F, and of what injection adds to F."""


class NetworkWithRepresentation(Protocol):
    """What is used of a method that has a D, see `ndr.network.method.NDRRestoreMethod`."""

    degradation: nn.Module | None
    """NDR-Degrad: called with clean images and U of the three levels."""

    def figure_tensors(self, degraded: Tensor) -> dict[str, Tensor]:
        """S, U, and F before and after injection, per level, and D."""
        ...

    def restore_given(self, degraded: Tensor, degradations: Sequence[Tensor]) -> Tensor:
        """Restore with another U than the images' own."""
        ...

    def degrade(self, clean: Tensor, degraded: Tensor) -> Tensor:
        """Give clean images the degradation of others, of any size."""
        ...


@dataclass(frozen=True, slots=True)
class Responses:
    """Of one network to V views under one condition; lists have one entry per level."""

    affinity: list[NDArray[np.float64]]
    """S, mean over the pixels, (V, N)."""
    sharpness: list[NDArray[np.float64]]
    """Mean over the pixels of the entropy of S over the N vectors, in nats, (V,)."""
    degradation: list[Tensor]
    """U, (V, C, h, w), on the network's device."""
    features: list[NDArray[np.float64]]
    """F before the query, mean over the pixels, (V, C)."""
    correlation: dict[str, list[NDArray[np.float64]]]
    """Per name in `MAPS`: correlation over the pixels with |x - y|, (V,); NaN if constant."""
    edges: dict[str, list[NDArray[np.float64]]]
    """The same with the edges of the clean view."""


def network_of(method: Method, run: str) -> NetworkWithRepresentation:
    """The method, if it has a D to look at.

    Raises:
        EvaluationError: it has none.
    """
    if method.representation() is None:
        raise EvaluationError(
            f"{run}: {method.info.name} has no degradation representation D with these arguments; "
            "ask for a run of ndr_restore with use_ndr and use_dq"
        )
    return cast(NetworkWithRepresentation, method)


def to_tensor(images: NDArray[np.float32], device: torch.device) -> Tensor:
    """(V, H, W, 3) -> (V, 3, H, W) on the device."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).to(device)


def to_images(batch: Tensor) -> NDArray[np.float32]:
    """(V, 3, H, W) -> (V, H, W, 3) float32, clipped to [0, 1] as pictures are."""
    return batch.float().clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()


def batches(count: int) -> Iterator[slice]:
    """Slices of at most `BATCH` views."""
    for start in range(0, count, BATCH):
        yield slice(start, min(start + BATCH, count))


def correlation(maps: Tensor, other: Tensor) -> NDArray[np.float64]:
    """Pearson's correlation over the pixels of each pair of maps.

    Args:
        maps: (B, h, w).
        other: (B, h, w).

    Returns:
        (B,); NaN where one of the two is constant.
    """
    one, two = (
        values.double().flatten(1) - values.double().flatten(1).mean(dim=1, keepdim=True)
        for values in (maps, other)
    )
    scale = one.norm(dim=1) * two.norm(dim=1)
    product = (one * two).sum(dim=1)
    return torch.where(scale > 1e-12, product / scale, torch.nan).cpu().numpy()


def channel_norm(features: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h, w): Euclidean norm over the channels."""
    return torch.linalg.vector_norm(features.float(), dim=1)


def edge_map(images: Tensor) -> Tensor:
    """Size of the grey differences to the next pixels: (B, 3, H, W) -> (B, 1, H, W)."""
    grey = images.mean(dim=1, keepdim=True)
    down = F.pad(grey.diff(dim=2), (0, 0, 0, 1))
    right = F.pad(grey.diff(dim=3), (0, 1))
    return torch.hypot(down, right)


def responses(
    network: NetworkWithRepresentation, views: Views, condition: str, device: torch.device
) -> Responses:
    """Run the network on all views under one condition.

    |x - y| is the mean over the channels, and edges are sizes of differences of neighbouring grey
    pixels; both as an area average at the size of each level.

    Args:
        network: in evaluation mode, on the device.
        views: V views.
        condition: name in `ndr.study.clean_views.ALL_CONDITIONS`.
        device: where the network is.
    """
    degraded = to_tensor(views.degraded[condition], device)
    reference = to_tensor(views.reference, device)
    beside = {
        "correlation": (degraded - reference).abs().mean(dim=1, keepdim=True),
        "edges": edge_map(reference),
    }
    parts: dict[tuple[str, int], list[NDArray[np.float64]]] = defaultdict(list)
    degradation: dict[int, list[Tensor]] = defaultdict(list)
    for part in batches(len(degraded)):
        tensors = network.figure_tensors(degraded[part])
        for level in LEVELS:
            S, U = tensors[f"affinity_{level}"], tensors[f"degradation_{level}"]  # noqa: N806
            before, after = tensors[f"features_{level}"], tensors[f"injected_{level}"]
            parts["affinity", level].append(S.double().mean(dim=(2, 3)).cpu().numpy())
            entropy = torch.special.entr(S.double()).sum(dim=1)
            parts["sharpness", level].append(entropy.mean(dim=(1, 2)).cpu().numpy())
            degradation[level].append(U)
            parts["features", level].append(before.double().mean(dim=(2, 3)).cpu().numpy())
            maps = (channel_norm(U), channel_norm(before), channel_norm(after - before))
            for kind, full in beside.items():
                small = F.interpolate(full[part], size=U.shape[-2:], mode="area")[:, 0]
                for name, values in zip(MAPS, maps, strict=True):
                    parts[f"{kind} {name}", level].append(correlation(values, small))

    def joined(name: str) -> list[NDArray[np.float64]]:
        return [np.concatenate(parts[name, level]) for level in LEVELS]

    return Responses(
        joined("affinity"),
        joined("sharpness"),
        [torch.cat(degradation[level]) for level in LEVELS],
        joined("features"),
        {name: joined(f"correlation {name}") for name in MAPS},
        {name: joined(f"edges {name}") for name in MAPS},
    )
