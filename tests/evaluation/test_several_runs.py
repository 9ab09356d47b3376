"""Several runs in one process: files as of one process each, shared images, failures apart."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.controls.identity import Identity
from ndr.checkpoint import write_checkpoint
from ndr.data import pairs as pairs_module
from ndr.evaluate import main
from ndr.evaluation import degraded_images
from ndr.evaluation.degraded_images import DegradedImage, KeptImages, PreparedSets, content_of
from ndr.evaluation.loaded_method import LoadedMethod, load_method
from ndr.evaluation.scoring import evaluate
from ndr.method import PRESETS, Method, MethodInfo, SideInformation
from ndr.records.provenance import without_folders
from ndr.registry import create
from ndr.specs.run_spec import EvaluationSpec, NoiseSpec, TestSetSpec
from tests.evaluation.small_evaluations import RAIN, command, evaluated, evaluation_spec
from tests.run_headers import header, run_spec
from tests.tiny_sets import write_tiny_set

TRAINING = "ef" * 32
NOISE = TestSetSpec("noise_25", "noise", "photographs", "0" * 64, NoiseSpec((25.0,)), crop=24)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_tiny_set(folder, "photographs", 3, (40, 36))
    write_tiny_set(folder, "rainy", 2, (40, 36), paired=True)
    return folder


def spec(method: str, **changes: Any) -> EvaluationSpec:
    return evaluation_spec(method, **({"test_sets": (NOISE, RAIN)} | changes))


@pytest.fixture
def runs(sets: Path, tmp_path: Path) -> dict[str, list[str]]:
    """Command lines of three runs on the same test sets: without and with weights."""
    lines = {}
    for name in ("identity", "dncnn", "oracle"):
        given, more = spec(name), []
        if name == "dncnn":
            with torch.random.fork_rng():
                torch.manual_seed(0)
                method = create(name, "smoke")
            checkpoint = tmp_path / "checkpoint.safetensors"
            write_checkpoint(checkpoint, method, header(run_spec(name), spec_sha256=TRAINING))
            given, more = spec(name, training_sha256=TRAINING), ["--checkpoint", str(checkpoint)]
        lines[name] = command(given, sets, tmp_path / "together" / name, *more)
    return lines


def alone(line: list[str], tmp_path: Path) -> list[str]:
    """The same run, written into another folder."""
    return [text.replace(str(tmp_path / "together"), str(tmp_path / "alone")) for text in line]


def written(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "provenance.json"
    }


def test_files_are_those_of_one_process_per_run(runs: dict[str, list[str]], tmp_path: Path) -> None:
    assert main([text for line in runs.values() for text in line]) == 0
    for line in runs.values():
        assert main(alone(line, tmp_path)) == 0
    together = written(tmp_path / "together")
    assert together == written(tmp_path / "alone")
    assert len(together) == 3 * (1 + 2)  # per run: the scores, a picture of each test set
    for name, line in runs.items():
        content = json.loads((tmp_path / "together" / name / "provenance.json").read_text())
        expected = json.loads((tmp_path / "alone" / name / "provenance.json").read_text())
        changing = {"started", "wall_seconds", "processor_seconds", "peak_memory_mib", "command"}
        changing |= {"restore_seconds", "seconds_per_megapixel"}
        assert content.keys() == expected.keys() > changing
        scores = (tmp_path / "together" / name / "per_image.csv").read_bytes()
        assert content["scores_sha256"] == hashlib.sha256(scores).hexdigest()
        for key in content.keys() - changing:
            assert content[key] == expected[key], key
        # It evaluates this run alone.
        assert shlex.split(content["command"])[2:] == shlex.split(without_folders(shlex.join(line)))


def test_arguments_may_stand_in_a_file(runs: dict[str, list[str]], tmp_path: Path) -> None:
    """A command line is limited to some two megabytes, and one argument to 128 KiB."""
    file = tmp_path / "arguments"
    file.write_text("\n".join(text for line in runs.values() for text in line))
    assert main([f"@{file}"]) == 0
    assert {path.split("/")[0] for path in written(tmp_path / "together")} == set(runs)


def test_shared_images_are_read_once(
    sets: Path, tmp_path: Path, runs: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    drawn: list[str] = []
    read_rgb, noisy = pairs_module.read_rgb, degraded_images.noisy

    def counted_read(path: Path, content: bytes | None = None) -> np.ndarray:
        read.append(path)
        return read_rgb(path, content)

    def counted_noise(*arguments: Any) -> np.ndarray:
        drawn.append(arguments[-1])
        return noisy(*arguments)

    monkeypatch.setattr(pairs_module, "read_rgb", counted_read)
    monkeypatch.setattr(degraded_images, "noisy", counted_noise)
    assert main([text for line in runs.values() for text in line]) == 0
    assert len(read) == len(set(read)) == 3 + 2 * 2
    assert drawn == ["image0", "image1", "image2"]


def test_a_failure_leaves_the_other_runs_complete(
    sets: Path, tmp_path: Path, runs: dict[str, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    lines = dict(runs)
    position = lines["dncnn"].index("--checkpoint")
    del lines["dncnn"][position : position + 2]
    assert main([text for line in lines.values() for text in line]) == 1
    assert "dncnn has weights to load" in caplog.text
    assert "1 of 3 runs failed; the others are complete" in caplog.text
    assert {path.split("/")[0] for path in written(tmp_path / "together")} == {
        "identity", "oracle"
    }  # fmt: skip


def test_an_unexpected_error_leaves_the_other_runs_complete(
    tmp_path: Path,
    runs: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(self: Identity, *arguments: Any) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Identity, "restore", broken)
    assert main([text for line in runs.values() for text in line]) == 1
    assert "identity__no_training__seed_0: unexpected error" in caplog.text
    assert "ZeroDivisionError: a defect" in caplog.text
    assert {path.split("/")[0] for path in written(tmp_path / "together")} == {"dncnn", "oracle"}


def test_two_runs_never_write_one_file(
    runs: dict[str, list[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    twice = [*runs["identity"], *runs["identity"]]
    assert main(twice) == 1
    assert "--out: expected a name per run" in caplog.text
    assert not (tmp_path / "together").exists()


def image(shape: tuple[int, int, int] = (8, 8, 3)) -> DegradedImage:
    return DegradedImage("a", "a", np.zeros(shape, np.float32), np.ones(shape, np.float32), None)


def test_only_what_a_later_run_takes_is_kept(sets: Path) -> None:
    first, second = spec("identity"), spec("oracle", test_sets=(RAIN,))
    prepared = PreparedSets(sets, [first, second])

    def shared(run: EvaluationSpec, test_set: TestSetSpec) -> list[bool]:
        once, again = (list(prepared.images(run, test_set, 1)) for _ in range(2))
        return [one is other for one, other in zip(once, again, strict=True)]

    assert shared(first, NOISE) == [False] * 3
    assert shared(first, RAIN) == [True] * 2
    prepared.kept.run_ended(first)
    assert shared(second, RAIN) == [True] * 2
    prepared.kept.run_ended(second)
    assert shared(second, RAIN) == [False] * 2


def test_kept_images_are_bounded_and_nobody_can_write_to_them() -> None:
    given = spec("identity", test_sets=(RAIN,))
    content = content_of(RAIN, given.suite_seed)
    shelf = KeptImages([given, given], limit_bytes=2 * image().nbytes)
    found = [shelf.image(content, 1, index, lambda _: image()) for index in range(3)]
    again = [shelf.image(content, 1, index, lambda _: image()) for index in range(3)]
    assert [one is other for one, other in zip(found, again, strict=True)] == [True, True, False]
    with pytest.raises(ValueError, match="read-only"):
        found[0].degraded[0] = 1
    shelf.run_ended(given)
    shelf.run_ended(given)
    assert shelf.image(content, 1, 0, lambda _: image()) is not found[0]


class Halving(Method):
    """Restores in place, badly."""

    info = MethodInfo("halving", "Halving", "none (test)", frozenset(), {t: {} for t in PRESETS})

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        return degraded.mul_(0.5)


def test_a_method_may_write_to_its_input(sets: Path, tmp_path: Path) -> None:
    given = spec("identity", test_sets=(RAIN,))
    before = evaluated(given, sets, tmp_path).scores
    prepared = PreparedSets(sets, [given, given])
    halving = LoadedMethod(Halving(), "no_training", None)
    assert evaluate(given, halving, prepared, tmp_path).scores != before
    assert evaluate(given, load_method(given), prepared, tmp_path).scores == before
