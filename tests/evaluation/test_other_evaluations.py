"""Evaluations beside the usual: self-ensembles, real photographs, authors' weights."""

from __future__ import annotations

import dataclasses
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ndr.data.pairs import PairedSet
from ndr.evaluate import main
from ndr.evaluation.degraded_images import EvaluationError
from ndr.evaluation.loaded_method import LoadedMethod
from ndr.fetch_metric_weights import fetched
from ndr.method import PRESETS, Method, MethodInfo, SideInformation
from ndr.metrics.no_reference import piqe
from ndr.records.downloads import FetchedWeights
from ndr.records.per_image import read_evaluation
from ndr.records.provenance import EvaluationProvenance
from ndr.registry import create, method_arguments, method_class
from tests.evaluation.small_evaluations import RAIN, command, evaluated, evaluation_spec
from tests.tiny_sets import write_tiny_set

FACTS = {"method": "dncnn", "weights": "net", "licence": "MIT", "url": "https://host/net.pth"}
REAL = dataclasses.replace(RAIN, name="real_rain", reference=False)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_tiny_set(folder, "rainy", 2, (40, 36), paired=True)
    return folder


class Ramp(Method):
    """Adds a ramp from left to right: its mean over flips and rotations is even."""

    info = MethodInfo("ramp", "Ramp", "none (test)", frozenset({"rain"}), {t: {} for t in PRESETS})

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        width = degraded.shape[-1]
        return degraded + torch.linspace(-0.1, 0.1, width, dtype=degraded.dtype)


def test_a_self_ensemble_averages_the_eight_versions(sets: Path, tmp_path: Path) -> None:
    loaded = LoadedMethod(Ramp(), "no_training", None)
    scores = {}
    for ensemble in (False, True):
        given = evaluation_spec(self_ensemble=ensemble)
        scores[ensemble] = evaluated(given, sets, tmp_path, loaded).scores[0].value
    identity = evaluated(evaluation_spec(), sets, tmp_path).scores[0].value
    assert scores[True] == pytest.approx(identity, abs=1e-4)
    assert scores[False] < identity - 0.01


def test_real_photographs_are_rated_without_reference(sets: Path, tmp_path: Path) -> None:
    given = evaluation_spec(test_sets=(REAL, RAIN), metrics=("DBCNN", "MUSIQ"))
    empty = tmp_path / "no_weights"
    result = evaluated(given, sets, tmp_path, metric_weights=empty)
    real = [s for s in result.scores if s.test_set == "real_rain"]
    assert [(s.image, s.protocol, s.metric) for s in real] == [
        ("image0", "no_reference", "PIQE"),
        ("image1", "no_reference", "PIQE"),
    ]
    pairs = PairedSet(sets, "rainy")
    for row in real:
        degraded = pairs.read(pairs.index(row.image)).degraded
        assert row.value == piqe(np.asarray(degraded))
    # The metrics whose weights are not there say where these are published.
    assert set(result.unavailable_metrics) == {"DBCNN", "MUSIQ"}
    for reason in result.unavailable_metrics.values():
        assert "https://" in reason
        assert str(empty) in reason
    assert {s.protocol for s in result.scores if s.test_set == "rain"} == {"ndr"}
    # Nothing runs under terms that nobody has accepted.
    unasked = evaluation_spec(test_sets=(REAL,))
    assert evaluated(unasked, sets, tmp_path, metric_weights=empty).unavailable_metrics == {}


def test_metrics_of_pyiqa_rate_all_images_of_a_run_or_none(sets: Path, tmp_path: Path) -> None:
    names = ("entropy", "gmsd", "ms_ssim")
    for name in names:
        fetched(name, tmp_path).write(tmp_path / f"{name}.json")
    given = evaluation_spec(test_sets=(RAIN, REAL), metrics=names, protocols=("ndr", "sr_y"))
    result = evaluated(given, sets, tmp_path / "pictures", metric_weights=tmp_path)
    found = {(s.test_set, s.protocol, s.metric) for s in result.scores if s.metric in names}
    assert found == {
        ("rain", "ndr", "gmsd"), ("rain", "sr_y", "gmsd"),
        ("rain", "ndr", "entropy"), ("rain", "sr_y", "entropy"),
        ("real_rain", "no_reference", "entropy"),
    }  # fmt: skip
    assert set(result.unavailable_metrics) == {"ms_ssim"}
    assert "cannot rate an image of 36 x 40 pixels" in result.unavailable_metrics["ms_ssim"]


def test_the_oracle_has_nothing_to_show_without_a_truth(sets: Path, tmp_path: Path) -> None:
    given = evaluation_spec("oracle", test_sets=(REAL,))
    with pytest.raises(EvaluationError, match="oracle needs the ground truth"):
        evaluated(given, sets, tmp_path)


def test_fetched_weights_are_evaluated(sets: Path, tmp_path: Path) -> None:
    """DnCNN without batch norm has its authors' key names but for a prefix."""
    weights = method_class("dncnn").info.official_weights[0]
    names = method_arguments("dncnn", "smoke", weights.changes)
    network = create("dncnn", "smoke", **weights.changes)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    state = {
        f"model.{2 * index}.{key}": value
        for index, layer in enumerate(convolutions)
        for key, value in layer.state_dict().items()
    }
    torch.save(state, tmp_path / "net.pth")
    record = tmp_path / "record.json"
    FetchedWeights(**FACTS, file=str(tmp_path / "net.pth")).write(record)
    given = evaluation_spec(
        "dncnn", run="dncnn__official_weights__weights_net__seed_0", arguments=names
    )
    assert main(command(given, sets, tmp_path, "--official-weights", str(record))) == 0
    loaded = LoadedMethod(network.eval(), "official_weights", None)
    own = evaluated(given, sets, tmp_path / "pictures", loaded)
    stored = read_evaluation(tmp_path / "per_image.csv", given.run).scores()
    found, expected = (
        {astuple(score)[:-1]: score.value for score in scores} for scores in (stored, own.scores)
    )
    assert found == pytest.approx(expected, rel=1e-6)


def test_unavailable_weights_leave_their_reason(sets: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    reason = "net.pth, published at https://host/net.pth, is unavailable: 404"
    FetchedWeights(**FACTS, reason=reason).write(record)
    given = evaluation_spec(
        "dncnn", run="dncnn__official_weights__weights_net__seed_0", official_weights="net"
    )
    assert main(command(given, sets, tmp_path, "--official-weights", str(record))) == 0
    assert not read_evaluation(tmp_path / "per_image.csv", given.run, may_be_empty=True).series
    provenance = EvaluationProvenance.read(tmp_path / "provenance.json")
    assert provenance.failures == {"rain": reason}
    assert provenance.source == "official_weights"
    assert provenance.evaluation_sha256 == given.sha256()
    assert (tmp_path / "pictures").is_dir()


def test_a_killed_process_leaves_its_reason_in_place_of_numbers(sets: Path, tmp_path: Path) -> None:
    given = evaluation_spec("identity", run="identity__no_training__seed_0")
    assert main(command(given, sets, tmp_path, "--killed")) == 0
    assert not read_evaluation(tmp_path / "per_image.csv", given.run, may_be_empty=True).series
    provenance = EvaluationProvenance.read(tmp_path / "provenance.json")
    assert "most likely because memory ran out" in provenance.failures["rain"]
    assert f"{tmp_path.name} and run again" in provenance.failures["rain"]
    assert provenance.source == "no_training"


@pytest.mark.parametrize(("side", "left"), [(10, set()), (12, {"ndr"}), (15, {"ndr", "sr_y"})])
def test_a_small_image_is_left_out_of_what_cannot_measure_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, side: int, left: set[str]
) -> None:
    """Its run, test set and name are told, and the other protocols and test sets have numbers."""
    write_tiny_set(tmp_path, "rainy", 2, (40, 36), paired=True)
    write_tiny_set(tmp_path, "small", 2, (side, 36), paired=True)
    small = dataclasses.replace(RAIN, name="small", set="small")
    given = evaluation_spec(test_sets=(small, RAIN), protocols=("ndr", "airnet", "sr_y"))
    result = evaluated(given, tmp_path, tmp_path / "pictures")
    found = {(score.test_set, score.protocol) for score in result.scores}
    assert {protocol for name, protocol in found if name == "rain"} == {"ndr", "airnet", "sr_y"}
    assert {protocol for name, protocol in found if name == "small"} == left
    words = f"{given.run}, test set 'small', image 'image1': not measured under 'airnet'"
    assert words in caplog.text
    assert ("small" in result.failures) == (not left)
