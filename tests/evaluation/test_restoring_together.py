"""Methods that take a whole test set at once, and test sets that cannot be restored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ndr.evaluate import main
from ndr.evaluation.degraded_images import EvaluationError
from ndr.evaluation.loaded_method import LoadedMethod
from ndr.evaluation.scoring import Evaluation
from ndr.method import PRESETS, Method, MethodInfo, RestorationError
from ndr.records.per_image import read_evaluation
from ndr.registry import create
from ndr.specs.run_spec import TestSetSpec
from tests.evaluation.small_evaluations import command, evaluated, evaluation_spec
from tests.tiny_sets import write_tiny_set


class Together(Method):
    """Returns its inputs; notes what it is given, and fails where a name tells it to."""

    info = MethodInfo(
        "together", "Together", "none (test)", frozenset({"rain"}), {tier: {} for tier in PRESETS}
    )
    restores_together = True

    def __init__(self, failing: int | None = None, grow: int = 0) -> None:
        super().__init__()
        self.failing = failing
        self.grow = grow
        self.given: list[list[str]] = []

    def restore_together(self, images: Iterable[tuple[str, Tensor]]) -> Iterator[Tensor]:
        named = list(images)
        self.given.append([name for name, _ in named])
        if len(self.given) - 1 == self.failing:
            raise RestorationError("Together failed with exit status 1; its last lines:\nno room")
        for _, image in named:
            yield torch.cat([image, image[:, : self.grow]], dim=1)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_tiny_set(folder, "first", 2, (40, 36), paired=True)
    write_tiny_set(folder, "second", 3, (36, 40), paired=True)
    return folder


TEST_SETS = tuple(TestSetSpec(name, "rain", name, "0" * 64) for name in ("first", "second"))
SPEC = evaluation_spec(test_sets=TEST_SETS)


def restored(method: Method, sets: Path, pictures: Path) -> Evaluation:
    return evaluated(SPEC, sets, pictures, LoadedMethod(method, "no_training", None))


def test_a_test_set_is_given_at_once(sets: Path, tmp_path: Path) -> None:
    """With the numbers of a method that is asked image by image, and the time that it took."""
    method = Together()
    result = restored(method, sets, tmp_path)
    assert method.given == [["image0", "image1"], ["image0", "image1", "image2"]]
    assert result.scores == restored(create("identity"), sets, tmp_path).scores
    assert result.failures == {}
    assert result.seconds_per_megapixel > 0
    assert (tmp_path / "second" / "image0.png").is_file()


def test_a_failure_leaves_the_other_test_sets_alone(sets: Path, tmp_path: Path) -> None:
    result = restored(Together(failing=0), sets, tmp_path)
    whole = restored(create("identity"), sets, tmp_path)
    assert result.scores == tuple(s for s in whole.scores if s.test_set == "second")
    assert result.failures == {
        "first": "Together failed with exit status 1; its last lines:\nno room"
    }
    assert result.images == {"first": (0, 2), "second": (3, 3)}


def test_outputs_are_checked(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"test set 'first', image 'image0': expected an out"):
        restored(Together(grow=1), sets, tmp_path)


def test_a_program_that_is_missing_stands_in_the_provenance(sets: Path, tmp_path: Path) -> None:
    """The command succeeds: the cells of the tables say why they are empty."""
    given = evaluation_spec("stablesr", test_sets=TEST_SETS)
    status = main(command(given, sets, tmp_path))
    assert status == 0
    failures = json.loads((tmp_path / "provenance.json").read_text())["failures"]
    assert set(failures) == {"first", "second"}
    assert all("StableSR is not installed" in reason for reason in failures.values())
    assert not read_evaluation(tmp_path / "per_image.csv", given.run, may_be_empty=True).series
