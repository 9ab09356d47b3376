"""Every reader of files that somebody else may have written, with sound files to damage."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ndr.checkpoint import CheckpointError
from ndr.data.image_files import ImageFileError, read_facts
from ndr.nearest_name import UnknownNameError
from ndr.photos.photo_reading import PhotoError, read_photo
from ndr.records.downloads import FetchedWeights
from ndr.records.record import ResultFileError
from tests.force.reader import Reader
from tests.force.result_readers import RESULT_READERS
from tests.photograph_files import crop, deep, deep_png, exif, profile

WEIGHTS = (CheckpointError, UnknownNameError)


def _saved(samples: np.ndarray, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, kind, **options)
    return buffer.getvalue()


def _tiff(samples: np.ndarray, **options: Any) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **{"photometric": "rgb", **options})
    return buffer.getvalue()


def _pngs() -> Mapping[str, bytes]:
    four = np.concatenate([crop(), crop()[..., :1]], axis=2)
    return {
        "rgb.png": _saved(crop(), "PNG", icc_profile=profile(), exif=exif(6)),
        "palette.png": _palette(),
        "rgba.png": _saved(four, "PNG"),
        **{f"deep{n}.png": deep_png(deep(four)[..., :n]) for n in (1, 2, 3, 4)},
        "deep_key.png": deep_png(deep(crop()), (1, 2, 3)),
    }


def _palette() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(crop()).convert("P").save(buffer, "PNG", transparency=3)
    return buffer.getvalue()


def _jpegs() -> Mapping[str, bytes]:
    frames = [Image.fromarray(crop()), Image.fromarray(crop()[::-1])]
    views = io.BytesIO()
    frames[0].save(views, "MPO", save_all=True, append_images=frames[1:])
    return {
        "rgb.jpg": _saved(crop(), "JPEG", exif=exif(6), icc_profile=profile()),
        "grey.jpg": _saved(crop()[..., 0], "JPEG"),
        "progressive.jpg": _saved(crop(), "JPEG", progressive=True),
        "views.jpg": views.getvalue(),
    }


def _tiffs() -> Mapping[str, bytes]:
    four = np.concatenate([crop(), crop()[..., :1]], axis=2)
    return {
        "rgb.tif": _saved(crop(), "TIFF", exif=exif(6), icc_profile=profile()),
        "lzw.tif": _saved(crop(), "TIFF", compression="tiff_lzw"),
        "jpeg.tif": _saved(crop(), "TIFF", compression="jpeg"),
        "deep.tif": _tiff(deep(crop())),
        "big_endian.tif": _tiff(deep(crop()), byteorder=">", compression="zlib", predictor=True),
        "tiles.tif": _tiff(deep(four), tile=(16, 16), extrasamples=["unassalpha"]),
        "grey.tif": _tiff(deep(crop())[..., 0], photometric="minisblack"),
    }


def _webps() -> Mapping[str, bytes]:
    four = np.concatenate([crop(), crop()[..., :1]], axis=2)
    return {
        "lossy.webp": _saved(crop(), "WEBP", quality=90, exif=exif(6), icc_profile=profile()),
        "lossless.webp": _saved(four, "WEBP", lossless=True),
    }


def _bitmaps() -> Mapping[str, bytes]:
    palette = io.BytesIO()
    Image.fromarray(crop()).convert("P").save(palette, "BMP")
    return {
        "rgb.bmp": _saved(crop(), "BMP"),
        "grey.bmp": _saved(crop()[..., 0], "BMP"),
        "palette.bmp": palette.getvalue(),
    }


def _images_of_sets() -> Mapping[str, bytes]:
    chosen = {name: content for name, content in _pngs().items() if "deep" not in name}
    return {**chosen, **_jpegs(), **_bitmaps()}


def _own_checkpoint() -> Mapping[str, bytes]:
    from ndr.checkpoint import write_checkpoint
    from ndr.registry import create
    from tests.run_headers import header, run_spec

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        write_checkpoint(path, create("dncnn", "smoke"), header(run_spec()))
        return {path.name: path.read_bytes()}


def _read_own_checkpoint(path: Path) -> None:
    from ndr.photos.weight_source import WeightRequest, load_requested

    load_requested(WeightRequest(str(path)), torch.device("cpu"))


def _published() -> Mapping[str, bytes]:
    """Small files of the three formats of PyTorch, and of the three that older authors wrote."""
    from safetensors.torch import save
    from scipy.io import savemat

    from ndr.registry import create
    from tests.baselines.test_aodnet import random_aodnet, write_caffe_model

    state = create("ffdnet", "smoke").state_dict()
    files = {"w.safetensors": save(state)}
    for name, zipped in (("zip.pth", True), ("legacy.pth", False)):
        buffer = io.BytesIO()
        torch.save({"params": state}, buffer, _use_new_zipfile_serialization=zipped)
        files[name] = buffer.getvalue()
    for name, compressed in (("plain.mat", False), ("deflated.mat", True)):
        buffer = io.BytesIO()
        arrays = {"weights_a": np.ones((3, 9, 4)), "biases_a": np.ones((1, 4)), "net": {"x": [1]}}
        savemat(buffer, arrays, do_compression=compressed)
        files[name] = buffer.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        write_caffe_model(Path(folder) / "w", dict(random_aodnet().state_dict()))
        files["w.caffemodel"] = (Path(folder) / "w").read_bytes()
    return files


def _read_published(path: Path) -> None:
    from ndr.registry import fitting_arguments, load_official, method_class, official_state

    methods = {".mat": "dehazenet", ".caffemodel": "aodnet"}
    name = methods.get(path.suffix, "ffdnet")
    state = official_state(method_class(name), path)
    fitting_arguments(name, state, str(path))
    load_official(name, path, "smoke")


def _record() -> Mapping[str, bytes]:
    record = FetchedWeights(
        method="ffdnet", weights="net", licence="MIT", url="https://host/net", file="w.pth"
    )
    return {"w.json": json.dumps(record.content()).encode()}


READERS: Mapping[str, Reader] = {
    "PNG photographs": Reader(_pngs, read_photo, (PhotoError,)),
    "JPEG photographs": Reader(_jpegs, read_photo, (PhotoError,)),
    "TIFF photographs": Reader(_tiffs, read_photo, (PhotoError,)),
    "WebP photographs": Reader(_webps, read_photo, (PhotoError,)),
    "BMP photographs": Reader(_bitmaps, read_photo, (PhotoError,)),
    "images of sets": Reader(_images_of_sets, read_facts, (ImageFileError,)),
    "checkpoints": Reader(_own_checkpoint, _read_own_checkpoint, WEIGHTS),
    "published weights": Reader(_published, _read_published, WEIGHTS),
    "records of weights": Reader(_record, FetchedWeights.read, (ResultFileError,), text=True),
    **RESULT_READERS,
}
