"""Faults planted into a metric, a degradation and a layer: the regression gate sees each of them.

The cheapest of the shipped networks is scored as the tier `quick` scores it, on all its images, and
compared with the committed reference.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from torch import Tensor
from torch.nn import functional as F

import ndr.evaluate
from baselines.dehazing.aodnet import AODNet
from ndr.data.prepare import Places, prepare_set
from ndr.degradations import synthesis
from ndr.degradations.haze import HazeParameters, add_haze
from ndr.metrics import protocol
from ndr.records.provenance import evaluation_folder
from ndr.shipped_weights import take
from ndr.specs.typed_file import read_yaml
from reports.check_regression import CANNOT_COMPARE, FINE, REGRESSION, compare_folders, exit_code
from tests.conftest import REPOSITORY
from workflows.configuration import CONFIG, suite_config
from workflows.own_sets import suite_catalogue
from workflows.planning import make_plan

RUN = "aodnet__dehaze__seed_0"
REFERENCE = REPOSITORY / "reports" / "reference" / "quick"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], int]:
    """Prepares the test set, scores the network, and returns the gate's exit code."""
    config = suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "quick"})
    catalogue = suite_catalogue(config, CONFIG / "datasets.yaml")
    plan = make_plan(config, catalogue)
    training, evaluation = plan.runs[RUN], plan.evaluations[RUN]
    names = {test_set.set for test_set in evaluation.test_sets}

    def once() -> int:
        top = tmp_path_factory.mktemp("planted")
        results, sets = top / "results" / "quick", Places(top / "sets", top, ())
        for name in ("photographs_test", *sorted(names)):
            prepare_set(catalogue, name, sets, config.suite_seed)
        run = results / "runs" / RUN
        kinds = ("checkpoint.safetensors", "curve.csv", "representation.safetensors")
        files = {name.split(".")[0]: run / name for name in (*kinds, "provenance.json")}
        take(training, REPOSITORY / "weights", files)
        folder = evaluation_folder(results, RUN)
        arguments = ["--spec-json", evaluation.canonical_json(), "--sets", str(sets.sets)]
        arguments += ["--checkpoint", str(run / kinds[0]), "--device", "cpu"]
        arguments += [
            "--out",
            str(folder / "per_image.csv"),
            "--pictures",
            str(folder / "pictures"),
        ]
        arguments += ["--provenance", str(folder / "provenance.json")]
        assert ndr.evaluate.evaluate_all(ndr.evaluate.jobs_of(arguments)) == 0
        return exit_code(compare_folders(results, REFERENCE), partial=True)

    return once


def test_what_is_as_it_was_passes(scored: Callable[[], int]) -> None:
    assert scored() == FINE


def test_a_fault_in_a_metric(scored: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Red for blue in the luma: protocols that compare RGB do not see it."""
    monkeypatch.setattr(protocol, "LUMA_WEIGHTS", protocol.LUMA_WEIGHTS[::-1])
    assert scored() == REGRESSION


def test_a_fault_in_a_degradation(
    scored: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denser(image: np.ndarray, depth: np.ndarray, parameters: HazeParameters) -> np.ndarray:
        return add_haze(image, 1.05 * depth, parameters)

    monkeypatch.setattr(synthesis, "add_haze", denser)
    assert scored() in (REGRESSION, CANNOT_COMPARE)


def test_a_fault_in_a_layer(scored: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    def brighter(self: AODNet, degraded: Tensor, side: object) -> Tensor:
        estimate = self.estimate(degraded)
        return F.relu(estimate * degraded - estimate + 1.02)

    monkeypatch.setattr(AODNet, "forward", brighter)
    assert scored() == REGRESSION
