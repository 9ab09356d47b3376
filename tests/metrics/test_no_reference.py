"""Metrics without reference: PIQE against pyiqa's, the networks' weights, what is refused."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ndr.metrics import quality_networks
from ndr.metrics.no_reference import piqe, score, unavailable
from ndr.metrics.quality_networks import WEIGHTS, MetricWeights, MetricWeightsError, rate
from ndr.nearest_name import UnknownNameError


def photograph(height: int, width: int, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A crop of a photograph with flat and textured parts: (H, W, 3) in [0, 1]."""
    from skimage import data

    crop = data.astronaut()[:height, :width].astype(np.float32) / 255
    generator = np.random.default_rng(seed)
    return np.clip(crop + noise * generator.standard_normal(crop.shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize(
    ("height", "width", "noise"),
    [(128, 160, 0.0), (128, 160, 0.1), (97, 123, 0.02), (103, 90, 0.2), (16, 16, 0.05)],
)
def test_piqe_agrees_with_pyiqa(height: int, width: int, noise: float) -> None:
    """Theirs is in single precision: a block at a threshold may fall to the other side."""
    from pyiqa.archs.piqe_arch import piqe as public_piqe

    image = photograph(height, width, noise)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    expected = float(public_piqe(pixels)[0])
    assert piqe(image) == pytest.approx(expected, abs=0.05)


def test_piqe_agrees_on_blocky_and_blurred_images() -> None:
    from pyiqa.archs.piqe_arch import piqe as public_piqe
    from scipy.ndimage import uniform_filter

    sharp = photograph(160, 128)
    blocky = sharp.reshape(20, 8, 16, 8, 3).mean(axis=(1, 3)).repeat(8, 0).repeat(8, 1)
    blurred = uniform_filter(sharp, (9, 9, 1))
    for image in (blocky, blurred):
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        assert piqe(image) == pytest.approx(float(public_piqe(pixels)[0]), abs=0.05)


def test_piqe_is_worse_for_noise() -> None:
    assert piqe(photograph(128, 128, 0.2)) > piqe(photograph(128, 128)) + 5


def test_piqe_of_black_and_of_small_images() -> None:
    assert piqe(np.zeros((32, 32, 3))) == 100.0
    with pytest.raises(ValueError, match=r"at least 16 x 16 pixels, found 40 x 15"):
        piqe(np.zeros((15, 40, 3)))


def test_piqe_needs_no_pyiqa(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    assert 0 <= score(photograph(64, 64), ["PIQE"], Path("nowhere"))["PIQE"] <= 100


def test_values_are_clipped_first() -> None:
    image = photograph(64, 64)
    wide = np.where(image > 0.9, image + 3, image)
    clipped = np.clip(wide, 0, 1)
    assert score(wide, ["PIQE"], Path("."))["PIQE"] == piqe(clipped)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    """No weights in PyTorch's cache of this machine."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "torch" / "hub" / "pyiqa"


def test_missing_weights_say_where_they_are_published(tmp_path, empty_cache) -> None:
    reasons = unavailable(["PIQE", "MUSIQ", "DBCNN"], tmp_path / "metrics")
    assert sorted(reasons) == ["DBCNN", "MUSIQ"]
    for name, reason in reasons.items():
        for fact in (WEIGHTS[name].file, WEIGHTS[name].url, str(tmp_path / "metrics")):
            assert fact in reason
    with pytest.raises(MetricWeightsError, match="MUSIQ needs musiq_koniq"):
        score(photograph(32, 32), ["MUSIQ"], tmp_path / "metrics")


def test_other_files_are_refused_before_anything_reads_them(tmp_path, empty_cache) -> None:
    path = tmp_path / WEIGHTS["MUSIQ"].file
    path.write_bytes(b"not the published file")
    sha256 = hashlib.sha256(b"not the published file").hexdigest()
    reason = unavailable(["MUSIQ"], tmp_path)["MUSIQ"]
    assert "starts with e95806b9" in reason
    assert sha256 in reason
    with pytest.raises(MetricWeightsError, match="delete it"):
        score(photograph(32, 32), ["MUSIQ"], tmp_path)


def test_unknown_metrics_and_broken_images() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'MUSIQ'"):
        unavailable(["MUSIK"], Path("."))


@pytest.mark.parametrize("rated", [piqe, lambda image: score(image, ["PIQE"], Path("."))])
def test_pixels_that_clipping_would_hide_are_refused(rated: Callable) -> None:
    """PIQE of an image with NaN was 100.0, and that of 8-bit levels the one of black and white."""
    with pytest.raises(TypeError, match=r"found uint8; divide 8-bit pixels by 255"):
        rated(np.full((32, 32, 3), 7, np.uint8))
    for bad in (np.nan, np.inf):
        image = photograph(32, 32)
        image[3, 4] = bad
        with pytest.raises(ValueError, match="found 3 values that are not finite"):
            rated(image)


def test_networks_need_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    reasons = unavailable(["PIQE", "MUSIQ", "DBCNN"], Path("."))
    assert sorted(reasons) == ["DBCNN", "MUSIQ"]
    assert "the suite's extra [quality]" in reasons["MUSIQ"]

    with pytest.raises(UnknownNameError, match="did you mean 'PIQE'"):
        score(photograph(32, 32), ["PIQUE"], Path("."))
    with pytest.raises(ValueError, match="3 values that are not finite"):
        score(np.where(np.arange(768).reshape(16, 16, 3) < 3, np.nan, 0.5), ["PIQE"], Path("."))


@pytest.fixture
def stand_in(tmp_path, monkeypatch, empty_cache) -> Path:
    """Random weights of the real networks, in files whose hashes are the expected ones.

    The networks are replaced by one instance each, whose weights are changed after the writing:
    creating them takes long.
    """
    torch.manual_seed(0)
    for name, wrapper in (("MUSIQ", None), ("DBCNN", "params")):
        network = quality_networks.NETWORKS[name]()
        monkeypatch.setitem(quality_networks.NETWORKS, name, lambda network=network: network)
        state = {key: value.clone() for key, value in network.state_dict().items()}
        for parameter in network.parameters():
            torch.nn.init.zeros_(parameter)
        path = tmp_path / WEIGHTS[name].file
        torch.save({wrapper: state} if wrapper else state, path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        weights = MetricWeights(name, path.name, sha256[:8])
        monkeypatch.setitem(WEIGHTS, name, weights)
    yield tmp_path
    quality_networks.load_network.cache_clear()


@pytest.mark.slow
def test_networks_rate_with_the_weights_of_their_files(stand_in: Path, caplog) -> None:
    assert unavailable(["MUSIQ", "DBCNN"], stand_in) == {}
    image = photograph(64, 48)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    values = score(image, ["MUSIQ", "DBCNN"], stand_in)
    for name, factor, parameters in (("MUSIQ", 1, 27_125_825), ("DBCNN", 100, 15_311_345)):
        network = quality_networks.NETWORKS[name]()
        assert sum(p.numel() for p in network.parameters()) == parameters
        with torch.no_grad():
            expected = factor * network(pixels).item()
        assert expected != 0
        assert values[name] == pytest.approx(expected, rel=1e-5)
    with caplog.at_level(logging.INFO):
        rate(image, "DBCNN", stand_in, max_side=32)
    assert "DBCNN: 48 x 64 pixels reduced to 24 x 32" in caplog.text
