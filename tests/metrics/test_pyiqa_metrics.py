"""Metrics of package pyiqa by their names: its own facts and numbers, weights, what is refused."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ndr.data.fetch.transfer import Waits
from ndr.fetch_metric_weights import fetched
from ndr.metrics import metric, pyiqa_table
from ndr.metrics.metric import METRICS, check_metrics
from ndr.metrics.pyiqa_networks import PyiqaError, PyiqaMetrics, load_metric, missing_file, rate
from ndr.nearest_name import UnknownNameError
from ndr.records.downloads import FetchedMetric
from tests.metrics.test_no_reference import photograph
from tests.project_copy import NO_NETWORK

AT_ONCE = Waits(delays=())


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    # No weights of an earlier use of pyiqa on this machine.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    yield
    load_metric.cache_clear()


@pytest.fixture
def without_pyiqa(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def forget() -> None:
        pyiqa_table.pyiqa_table.cache_clear()
        metric._of_pyiqa.cache_clear()

    monkeypatch.setitem(sys.modules, "pyiqa", None)
    forget()
    yield
    monkeypatch.undo()
    forget()


def test_facts_are_those_of_its_own_table() -> None:
    from pyiqa import list_models

    rated = {*list_models()} - pyiqa_table.OF_SETS
    assert {*pyiqa_table.pyiqa_table()} == rated
    check_metrics("metric", rated)
    assert not {*METRICS} & rated
    lpips, niqe, fsim = (METRICS[name] for name in ("lpips", "niqe", "fsim"))
    assert not lpips.higher_is_better
    assert not niqe.higher_is_better
    assert fsim.higher_is_better
    assert lpips.needs_reference
    assert not niqe.needs_reference
    assert METRICS["mad"].problem(1e6) == ""  # its range has no upper end
    assert "lpips (expected -1 to 2)" in lpips.problem(2.5)
    with pytest.raises(UnknownNameError, match="did you mean 'lpips"):
        check_metrics("metric", ["lpisp"])
    with pytest.raises(UnknownNameError):
        check_metrics("metric", ["fid"])


def test_numbers_are_its_own(tmp_path: Path) -> None:
    import pyiqa

    clean = photograph(96, 80)
    noisy = photograph(96, 80, noise=0.1)
    tensors = [torch.from_numpy(each).permute(2, 0, 1)[None] for each in (noisy, clean)]
    for name in ("gmsd", "fsim", "entropy"):
        fetched(name, tmp_path).write(tmp_path / f"{name}.json")
        theirs = pyiqa.create_metric(name, device=torch.device("cpu"))
        compared = METRICS[name].needs_reference
        with torch.no_grad():
            expected = float(theirs(*tensors[: 2 if compared else 1]))
        assert rate(name, noisy, clean, tmp_path) == pytest.approx(expected, rel=1e-6)
    # Values outside of [0, 1] are clipped first.
    wide = np.where(noisy > 0.9, noisy + 3, noisy)
    assert rate("gmsd", wide, clean, tmp_path) == rate("gmsd", np.clip(wide, 0, 1), clean, tmp_path)
    with pytest.raises(TypeError, match="divide 8-bit pixels by 255"):
        rate("gmsd", (255 * noisy).astype(np.uint8), clean, tmp_path)
    with pytest.raises(ValueError, match="values that are not finite"):
        rate("gmsd", noisy, np.where(clean > 0.5, np.nan, clean), tmp_path)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("lpips", "alexnet-owt-7be5be79.pth"),
        ("dists", "vgg16-397923af.pth"),
        ("niqe", "niqe_modelparameters.mat"),
        ("brisque", "brisque_svm_weights.pth"),
    ],
)
def test_without_a_network_the_missing_file_is_named(name: str, file: str, tmp_path: Path) -> None:
    assert missing_file(name, {}).endswith(file)
    record = fetched(name, tmp_path, waits=AT_ONCE)
    assert record.reason.startswith(f"{name} needs {file}, published at https://")
    assert f"place the file at {tmp_path / file}" in record.reason
    record.write(tmp_path / f"{name}.json")
    metrics = PyiqaMetrics([name], tmp_path, "cpu")
    assert metrics.rate(photograph(64, 64), photograph(64, 64)) == {}
    assert metrics.unavailable == {name: record.reason}
    assert not (tmp_path / "torch").exists()


def niqe_parameters(path: Path) -> None:
    """Stand-in parameters of NIQE, in the layout of the published file."""
    from scipy.io import savemat

    path.parent.mkdir(exist_ok=True)
    mean = np.linspace(0.1, 1.0, 36)[None]
    savemat(path, {"mu_prisparam": mean, "cov_prisparam": np.eye(36)})


def test_weights_come_from_a_mirror_and_stay_what_they_were(tmp_path: Path) -> None:
    mirror, folder = tmp_path / "mirror", tmp_path / "metrics"
    niqe_parameters(mirror / "niqe_modelparameters.mat")
    record = fetched("niqe", folder, (str(mirror),), AT_ONCE)
    assert record.reason == ""
    (file,) = record.files
    assert Path(file.file) == folder / "niqe_modelparameters.mat"
    record.write(folder / "niqe.json")
    assert FetchedMetric.read(folder / "niqe.json") == record
    image = photograph(192, 192)
    assert rate("niqe", image, None, folder) > 0
    # Another file in its place is refused, and so is one that its publisher's hash does not fit.
    load_metric.cache_clear()
    niqe_parameters(folder / "other.mat")
    Path(file.file).write_bytes((folder / "other.mat").read_bytes() + b"more")
    metrics = PyiqaMetrics(["niqe"], folder, "cpu")
    assert metrics.rate(image, None) == {}
    assert "is not the file that was fetched" in metrics.unavailable["niqe"]
    torch.save({}, mirror / "alexnet-owt-7be5be79.pth")
    reason = fetched("lpips", folder, (str(mirror),), AT_ONCE).reason
    assert "expected a sha256 that starts with 7be5be79" in reason


class _Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.environ["NDR_HARM"],)


def test_a_file_that_would_run_something_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harm = tmp_path / "harm"
    monkeypatch.setenv("NDR_HARM", str(harm))
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "brisque_svm_weights.pth").write_bytes(pickle.dumps(_Harm(), protocol=2))
    reason = fetched("brisque", tmp_path / "metrics", (str(mirror),), AT_ONCE).reason
    assert "pyiqa cannot make brisque here" in reason
    assert not harm.exists()


def test_packages_that_the_lock_leaves_out_are_named(tmp_path: Path) -> None:
    for name, package in (("qalign", "transformers"), ("topiq_fr", "facexlib")):
        with pytest.raises(PyiqaError, match=f"needs the package {package}, .* pip install"):
            missing_file(name, {})
        assert f"needs the package {package}" in fetched(name, tmp_path).reason


def test_an_image_that_is_refused_leaves_the_metric_out(tmp_path: Path) -> None:
    fetched("ms_ssim", tmp_path).write(tmp_path / "ms_ssim.json")
    fetched("gmsd", tmp_path).write(tmp_path / "gmsd.json")
    metrics = PyiqaMetrics(["ms_ssim", "gmsd"], tmp_path, "cpu")
    small = photograph(32, 32)
    assert list(metrics.rate(small, small)) == ["gmsd"]
    assert "ms_ssim cannot rate an image of 32 x 32 pixels" in metrics.unavailable["ms_ssim"]
    # What compares is not asked where there is no truth; that is no failure.
    assert metrics.rate(small, None) == {}
    assert list(metrics.unavailable) == ["ms_ssim"]


@pytest.mark.usefixtures("without_pyiqa")
def test_without_the_package_everything_says_so(tmp_path: Path) -> None:
    assert {*METRICS} == {"PSNR", "SSIM", "DBCNN", "MUSIQ", "PIQE"}
    check_metrics("metric", ["lpips"])
    assert "not installed" in METRICS["lpips"].problem(0.3)
    with pytest.raises(UnknownNameError):
        check_metrics("metric", ["PNSR"])
    assert "extra [quality]" in fetched("lpips", tmp_path).reason
    metrics = PyiqaMetrics(["lpips"], tmp_path, "cpu")
    assert metrics.rate(photograph(32, 32), photograph(32, 32)) == {}
    assert "not installed" in metrics.unavailable["lpips"]
