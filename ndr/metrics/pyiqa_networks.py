"""Metrics of the package pyiqa by their names, made from files that the suite has fetched.

Whoever makes one of pyiqa's metrics makes it download its weights, and read them in a way that can
run whatever a file says. Here the package builds the same networks while every download is answered
with a verified file of the suite's (`ndr.fetch_metric_weights`), every file is read as tensors
alone, and any other way to the network is closed. What a metric needs is found in the same way: by
building it with nothing.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import re
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ndr.metrics.pixel_values import check_values
from ndr.metrics.pyiqa_table import installed, pyiqa_table
from ndr.metrics.quality_networks import MetricWeightsError, package_missing
from ndr.nearest_name import named_entry
from ndr.published_weights import read_state, short
from ndr.records.downloads import FetchedMetric
from ndr.records.provenance import file_sha256
from ndr.records.record import ResultFileError

log = logging.getLogger(__name__)

Pixels = NDArray[np.floating]
_HASH = re.compile(r"[-_]([0-9a-f]{8,64})\.[a-z]+$")
_HUB = "https://huggingface.co"


class MissingFileError(Exception):
    """A metric asks for a file that is not there; `url` says where it is published."""

    def __init__(self, url: str) -> None:
        super().__init__(f"no file of {url}")
        self.url = url


class PyiqaError(ValueError):
    """A metric that cannot be made or computed here, with the reason."""


def file_name(url: str) -> str:
    """What a published file is called here.

    >>> file_name("https://host/a/vgg16-397923af.pth?download=1")
    'vgg16-397923af.pth'
    """
    return url.partition("?")[0].rstrip("/").rpartition("/")[2]


def hash_in_name(name: str) -> str:
    """The first digits of the file's sha256, where its publisher puts them into the name.

    >>> hash_in_name("vgg16-397923af.pth"), hash_in_name("niqe_modelparameters.mat")
    ('397923af', '')
    """
    found = _HASH.search(name)
    return found[1] if found else ""


@contextlib.contextmanager
def _answered_by(file_of: Callable[[str], Path]) -> Iterator[None]:
    """While it lasts, whatever asks for a published file gets that of `file_of`.

    PyTorch, torchvision and timm are asked beside pyiqa. Nothing reaches the network, and no
    pickle is read that holds more than tensors.
    """
    import timm.models._hub
    from pyiqa.utils import download_util
    from torchvision.models import _api

    plain_load = torch.load

    def load(*arguments: Any, **options: Any) -> Any:
        return plain_load(*arguments, **{**options, "weights_only": True})

    def closed(*arguments: object, **options: object) -> NoReturn:
        raise OSError("it reaches for the network by itself, which is closed to it here")

    def from_hub(repo_id: str, filename: str, **options: object) -> str:
        return str(file_of(f"{_HUB}/{repo_id}/resolve/main/{filename}"))

    def downloaded(url: str, target: str, *arguments: object, **options: object) -> None:
        raise MissingFileError(url)  # nothing asks for it once `load_file_from_url` is answered

    def state_of(weights: Any, *arguments: object, **options: object) -> Any:
        return read_state(file_of(weights.url))

    def pyiqa_file(url: str, *arguments: object, **options: object) -> str:
        return str(file_of(url))

    with contextlib.ExitStack() as stack:
        for target, name, answer in (
            (torch, "load", load),
            (torch.jit, "load", closed),
            (torch.hub, "download_url_to_file", downloaded),
            (socket.socket, "connect", closed),
            (socket, "create_connection", closed),
            (_api.WeightsEnum, "get_state_dict", state_of),
            (timm.models._hub, "hf_hub_download", from_hub),
            (download_util, "load_file_from_url", pyiqa_file),
            *((module, "load_file_from_url", pyiqa_file) for module in _askers()),
        ):
            stack.enter_context(mock.patch.object(target, name, answer))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


def _askers() -> list[Any]:
    """Modules of pyiqa that have its download function under a name of their own."""
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("pyiqa.") and "load_file_from_url" in vars(module)
    ]


def _import_network(kind: str) -> None:
    """Import the module of pyiqa that has a class; an error that it raises passes through."""
    import pyiqa.archs

    folder = Path(pyiqa.archs.__file__).parent
    for path in sorted(folder.glob("*_arch.py")):
        if re.search(rf"^class {kind}\b", path.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(f"pyiqa.archs.{path.stem}")


def _built(name: str, file_of: Callable[[str], Path]) -> nn.Module:
    """The metric with its weights.

    Raises:
        MissingFileError: it asks for a file that `file_of` does not have.
        PyiqaError: it cannot be made here for another reason.
    """
    if not installed():
        raise PyiqaError(package_missing(name))
    named_entry("metric of pyiqa", name, pyiqa_table())
    try:
        from pyiqa.default_model_configs import DEFAULT_CONFIGS
        from pyiqa.models.inference_model import InferenceModel

        # Imported before the download function is replaced, which would stay so in the module.
        _import_network(DEFAULT_CONFIGS[name]["metric_opts"]["type"])
        with _answered_by(file_of), contextlib.redirect_stdout(None):
            return InferenceModel(name, device=torch.device("cpu")).eval().requires_grad_(False)
    except MissingFileError:
        raise
    except ModuleNotFoundError as error:
        raise PyiqaError(
            f"{name} needs the package {error.name}, which pyiqa asks for and requirements.lock "
            f"leaves out: python -m pip install {error.name}"
        ) from error
    except Exception as error:  # whatever the package of others raises
        raise PyiqaError(
            f"pyiqa cannot make {name} here: {type(error).__name__}: {short(error)}"
        ) from error


def missing_file(name: str, files: dict[str, Path]) -> str:
    """Where the next file is published that a metric needs and has not; empty where it has all.

    Args:
        name: of the table.
        files: what is here, by address.

    Raises:
        PyiqaError: it cannot be made even so.
        UnknownNameError: no such metric, with the nearest names.
    """

    def file_of(url: str) -> Path:
        if url not in files:
            raise MissingFileError(url)
        return files[url]

    try:
        _built(name, file_of)
    except MissingFileError as error:
        return error.url
    return ""


def record_of(name: str, folder: Path) -> Path:
    """Where the record of a metric's weights is: `<folder>/<metric>.json`."""
    return folder / f"{name}.json"


@functools.lru_cache(maxsize=4)
def load_metric(name: str, folder: Path, device: str) -> nn.Module:
    """A metric with the verified files of its record.

    Args:
        name: of pyiqa's table.
        folder: with the record that `ndr.fetch_metric_weights` wrote.
        device: where it computes.

    Raises:
        MetricWeightsError: files are missing or are others than were fetched; says what to do.
        PyiqaError: the metric cannot be made here.
    """
    path = record_of(name, folder)
    again = f"python -m ndr.fetch_metric_weights --metric {name} --out {path}"
    try:
        record = FetchedMetric.read_if_there(path)
    except ResultFileError as error:
        raise MetricWeightsError(str(error)) from error
    if record is None:
        raise MetricWeightsError(f"what {name} needs was not looked for: {again}")
    if record.reason:
        raise MetricWeightsError(record.reason)
    files = {}
    for each in record.files:
        file = Path(each.file)
        if not file.is_file() or file_sha256(file) != each.sha256:
            raise MetricWeightsError(f"{file} is not the file that was fetched: delete it; {again}")
        files[each.url] = file
    if url := missing_file(name, files):
        raise MetricWeightsError(f"{name} needs the file of {url}: {again}")
    metric = _built(name, files.__getitem__).to(device)
    log.info("%s: %s", name, ", ".join(map(str, files.values())) or "no weights needed")
    return metric


def rate(
    name: str, restored: Pixels, clean: Pixels | None, folder: Path, device: str = "cpu"
) -> float:
    """What a metric of pyiqa says of a restored image.

    Args:
        name: of the table.
        restored: (H, W, 3), RGB; values are clipped to [0, 1], not rounded.
        clean: the ground truth, of the same shape, for a metric that compares.
        folder: see `load_metric`.
        device: where it computes.

    Raises:
        MetricWeightsError: see `load_metric`.
        TypeError: values of another type than floating-point, e.g. 8-bit pixels.
        ValueError: a value is NaN or infinite.
        PyiqaError: see `load_metric`; or it cannot rate this image, e.g. as it is too small.
    """
    for image in (restored,) if clean is None else (restored, clean):
        check_values(image)
    metric = load_metric(name, folder, device)

    def tensor(image: Pixels) -> torch.Tensor:
        pixels = np.ascontiguousarray(np.clip(image, 0.0, 1.0), dtype=np.float32)
        return torch.from_numpy(pixels).permute(2, 0, 1)[None].to(device)

    compared = pyiqa_table()[name].needs_reference
    if compared and clean is None:
        raise PyiqaError(f"{name} compares with a ground truth, which this image has not")
    images = [tensor(restored), *([tensor(clean)] if compared and clean is not None else [])]
    try:
        with torch.no_grad():
            value = metric(*images)
        number = float(value.flatten()[0])
    except Exception as error:  # whatever the package of others raises
        size = f"{restored.shape[1]} x {restored.shape[0]} pixels"
        raise PyiqaError(f"{name} cannot rate an image of {size}: {short(error)}") from error
    if not np.isfinite(number):
        raise PyiqaError(f"{name} gives {number} for an image")
    return number


class PyiqaMetrics:
    """The metrics of pyiqa that an evaluation asks for.

    Args:
        names: of pyiqa's table.
        folder: with the records of their weights.
        device: where they compute.
    """

    def __init__(self, names: Sequence[str], folder: Path, device: str) -> None:
        self._names, self._folder, self._device = names, folder, device
        self.unavailable: dict[str, str] = {}
        """Those that could not be computed, for all images or for one, with the reason."""

    def rate(self, restored: Pixels, clean: Pixels | None) -> dict[str, float]:
        """Values of one image, by name; see `rate`. Without a truth those that need none."""
        values = {}
        for name in self._names:
            if name in self.unavailable:
                continue
            try:
                if not installed():
                    raise PyiqaError(package_missing(name))
                if clean is not None or not pyiqa_table()[name].needs_reference:
                    values[name] = rate(name, restored, clean, self._folder, self._device)
            except (MetricWeightsError, PyiqaError) as error:
                log.warning("%s", error)
                self.unavailable[name] = str(error)
        return values
