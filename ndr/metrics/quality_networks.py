"""DBCNN and MUSIQ: networks that were trained to rate images as people do (Table VII).

The networks are package pyiqa's; their weights are published files. pyiqa would download them by
itself and unpickle them, which runs whatever the file says: here it never sees a file. The file
is checked against the hash that its publisher gives, read as tensors alone, and loaded strictly.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.checkpoint import load_strictly
from ndr.metrics.pixel_values import check_values
from ndr.metrics.pyiqa_table import installed
from ndr.published_weights import read_state
from ndr.records.provenance import file_sha256

log = logging.getLogger(__name__)

MAX_SIDE = 2048
"""Longer side up to which images are rated as they are; larger ones are reduced to it."""
_PUBLISHED = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main"


class MetricWeightsError(ValueError):
    """Weights of a metric that are missing or not the published ones; says what to do."""


def package_missing(metric: str) -> str:
    """Why a metric cannot be computed where its package is not installed."""
    return (
        f"{metric} needs the package pyiqa, for non-commercial use only, which is not installed; "
        "the suite's extra [quality] and requirements.lock have it"
    )


@dataclass(frozen=True, slots=True)
class MetricWeights:
    """A published file with the weights of a metric.

    Its publisher gives the first digits of the file's sha256, as a part of its name. They guard
    against damaged and mistaken files; nothing in the file is executed in any case.
    """

    metric: str
    file: str
    sha256_start: str

    @property
    def url(self) -> str:
        """Where it is published: without a licence; pyiqa is PolyForm-Noncommercial-1.0.0."""
        return f"{_PUBLISHED}/{self.file}"

    def place(self, folder: Path) -> Path:
        """Where the file is: in `folder`, or else in the cache where pyiqa keeps its own.

        Raises:
            MetricWeightsError: in neither.
        """
        cached = Path(torch.hub.get_dir()) / "pyiqa" / self.file
        for path in (folder / self.file, cached):
            if path.is_file():
                return path
        raise MetricWeightsError(
            f"{self.metric} needs {self.file}, which is neither in {folder} nor in "
            f"{cached.parent}; it is published at {self.url}: put it into {folder}"
        )

    def verified(self, folder: Path) -> Path:
        """`place`, with the hash checked.

        Raises:
            MetricWeightsError: no file, or another one; or the network's package is not installed.
        """
        if not installed():
            raise MetricWeightsError(package_missing(self.metric))
        path = self.place(folder)
        sha256 = _sha256(path, path.stat().st_mtime_ns, path.stat().st_size)
        if not sha256.startswith(self.sha256_start):
            raise MetricWeightsError(
                f"{path}: expected a sha256 that starts with {self.sha256_start}, found {sha256}; "
                f"delete it and put the file of {self.url} there"
            )
        return path


@functools.lru_cache(maxsize=16)
def _sha256(path: Path, modified: int, size: int) -> str:
    """Hash of a file, once per process and content (`modified` and `size` only tell it apart)."""
    return file_sha256(path)


WEIGHTS = {
    "DBCNN": MetricWeights("DBCNN", "DBCNN_KonIQ10k-2de81c0a.pth", "2de81c0a"),
    "MUSIQ": MetricWeights("MUSIQ", "musiq_koniq_ckpt-e95806b9.pth", "e95806b9"),
}


def dbcnn_network() -> nn.Module:
    """Pyiqa's DBCNN (Zhang et al., TCSVT 2020) without weights.

    Its constructor always downloads those of its two parts, although the checkpoint of the whole
    holds them: the parts are put together here, and everything else is inherited.
    """
    from pyiqa.archs import dbcnn_arch
    from torchvision.models import vgg16

    class EmptyDBCNN(dbcnn_arch.DBCNN):
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.features1 = vgg16(weights=None).features[:-1]
            self.features2 = dbcnn_arch.SCNN(use_bn=True).features
            self.fc = nn.Linear(512 * 128, 1)
            self.default_mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
            self.default_std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)

    return EmptyDBCNN()


def musiq_network() -> nn.Module:
    """Pyiqa's MUSIQ (Ke et al., ICCV 2021) without weights."""
    from pyiqa.archs.musiq_arch import MUSIQ

    return MUSIQ(pretrained=False)


NETWORKS: dict[str, Callable[[], nn.Module]] = {"DBCNN": dbcnn_network, "MUSIQ": musiq_network}


@functools.lru_cache(maxsize=4)
def load_network(metric: str, path: Path, device: str) -> nn.Module:
    """The network of a metric with the weights of a verified file, ready to rate.

    Raises:
        CheckpointError: the file does not fit the network.
    """
    network = NETWORKS[metric]()
    load_strictly(network, read_state(path), str(path))
    log.info("%s: weights of %s", metric, path)
    return network.eval().requires_grad_(False).to(device)


def rate(
    image: NDArray[np.floating],
    metric: str,
    folder: Path,
    device: str = "cpu",
    max_side: int = MAX_SIDE,
) -> float:
    """What a network says of an image; higher is better.

    Values are clipped to [0, 1], not rounded. An image whose longer side exceeds `max_side` is
    reduced to it by bicubic interpolation with antialiasing, which is logged.

    Args:
        image: (H, W, 3), RGB, nominally in [0, 1].
        metric: a key of `WEIGHTS`.
        folder: where the weights are.
        device: where to compute.
        max_side: pixels.

    Returns:
        The network's output: about 0 to 1 for DBCNN, about 0 to 100 for MUSIQ.

    Raises:
        MetricWeightsError: no weights, or others than the published ones.
        TypeError: values of another type than floating-point, e.g. 8-bit pixels.
        ValueError: a value is NaN or infinite.
    """
    check_values(image)
    network = load_network(metric, WEIGHTS[metric].verified(folder), device)
    pixels = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    pixels = _reduced(pixels.permute(2, 0, 1)[None].to(device), metric, max_side).clamp(0, 1)
    with torch.no_grad():
        return float(network(pixels).flatten()[0])


def _reduced(pixels: Tensor, metric: str, max_side: int) -> Tensor:
    height, width = pixels.shape[-2:]
    if max(height, width) <= max_side:
        return pixels
    scale = max_side / max(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    log.info("%s: %d x %d pixels reduced to %d x %d", metric, width, height, size[1], size[0])
    return F.interpolate(pixels, size, mode="bicubic", antialias=True)
