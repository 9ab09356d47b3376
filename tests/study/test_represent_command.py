"""`python -m ndr.represent` on a tiny network: files, equal bits, what cannot be measured."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ndr.checkpoint import write_checkpoint
from ndr.records.representation import RecreatedViews, RepresentationFile
from ndr.registry import method_arguments
from ndr.represent import main
from ndr.specs.run_spec import (
    EvaluationSpec,
    NoiseSpec,
    Recipe,
    RunSpec,
    SettingSpec,
    TaskSpec,
    TestSetSpec,
)
from ndr.study.clean_views import UNSEEN
from ndr.training.optimisation import initialised_method
from ndr.training.resume_state import Snapshots
from tests.run_headers import header
from tests.tiny_sets import TINY_IDENTITY, write_tiny_set

SMALL = {"M": 8, "N": 4, "K": 4}
NOISE = NoiseSpec((25.0,))


def run_spec(**changes: Any) -> RunSpec:
    arguments = method_arguments("ndr_restore", "smoke", SMALL | changes)
    task = TaskSpec("noise", ("photographs",), (TINY_IDENTITY,), NOISE)
    setting = SettingSpec("noise_rain_haze", (task,))
    recipe = Recipe(steps=10, batch=1, patch=16, learning_rate=1e-2, schedule="constant")
    spec = RunSpec("smoke", "ndr_restore", arguments, changes, setting, recipe, 0, 9)
    return RunSpec.from_json(spec.canonical_json())  # lists in place of tuples, as in a file


def trained(folder: Path, spec: RunSpec, pictures: int = 4) -> list[str]:
    """A checkpoint that is moved away from its start, and the command's arguments."""
    write_tiny_set(folder / "sets", "photographs", pictures, (36, 34))
    write_tiny_set(folder / "sets", "rainy", 2, (36, 34), paired=True)
    method = initialised_method(spec)
    snapshots = Snapshots(10, 3)
    snapshots.take(0, method.representation())
    for parameter in method.parameters():
        parameter.data += 0.02 * parameter.data.cos()
    snapshots.take(10, method.representation())
    write_checkpoint(folder / "checkpoint.safetensors", method, header(spec))
    snapshots.write(folder / "representation.safetensors")
    evaluation = EvaluationSpec(
        tier="smoke",
        run=spec.run,
        method=spec.method,
        arguments=spec.arguments,
        training_sha256=spec.sha256(),
        test_sets=(
            TestSetSpec("noise_25", "noise", "photographs", TINY_IDENTITY, NOISE, 32, 2),
            TestSetSpec("rain", "rain", "rainy", TINY_IDENTITY),
            TestSetSpec("real", "rain", "rainy", TINY_IDENTITY, reference=False),
        ),
        protocols=("ndr",),
        suite_seed=9,
        training_run=spec.run,
    )
    return [
        "--spec-json", evaluation.canonical_json(),
        "--checkpoint", str(folder / "checkpoint.safetensors"),
        "--representation", str(folder / "representation.safetensors"),
        "--sets", str(folder / "sets"),
        "--device", "cpu",
    ]  # fmt: skip


def represent(
    folder: Path, arguments: list[str], name: str = "a"
) -> tuple[RepresentationFile, Path]:
    json_file, npz_file = folder / f"{name}.json", folder / f"{name}.npz"
    assert main([*arguments, "--out-json", str(json_file), "--out-npz", str(npz_file)]) == 0
    return RepresentationFile.read(json_file), npz_file


def test_numbers_arrays_and_equal_bits(tmp_path: Path) -> None:
    arguments = trained(tmp_path, run_spec())
    content, npz = represent(tmp_path, arguments)
    represent(tmp_path, arguments, "b")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert npz.read_bytes() == (tmp_path / "b.npz").read_bytes()

    assert content.run == "ndr_restore__noise_rain_haze__seed_0"
    assert content.views.pictures == tuple(f"scene{number}" for number in range(4))
    assert len(content.accuracy) == 2 * 11
    statistics = content.accuracy["noise, rain or haze", "image statistics", "none"]
    assert statistics.n == 3 * content.views.count
    assert len(statistics.pictures) == 4
    assert [row.last_step for row in content.settling] == [10]
    assert content.settling[0].learning_rate == pytest.approx(1e-2)
    assert content.recreation.reason == ""
    assert content.recreation.swap is not None
    assert content.recreation.swap.accuracy["own U"].value is not None
    assert content.likeness.vectors == 4
    own, zeros = (content.restored.psnr[feed] for feed in ("own U", "U of zeros"))
    assert own.value is not None
    assert own.value != zeros.value
    assert set(own.pictures) == set(content.views.pictures)
    assert {(row.source, row.kind) for row in content.dose} == {
        (source, kind) for source in ("trained", "untrained") for kind in ("noise", "rain", "haze")
    }
    assert [row.kind for row in content.unseen] == list(UNSEEN)
    assert content.edge("trained", "clean", "U").value is not None
    assert content.settled.walk.value is None

    with np.load(npz, allow_pickle=False) as arrays:
        assert arrays["D"].shape == (8, 4)
        assert arrays["D_history"].shape == (2, 8, 4)
        assert (arrays["D_history"][-1] == arrays["D"]).all()
        assert arrays["D_steps"].tolist() == [0, 10]
        keys = set(arrays.files)
        assert arrays["noise_25/image0/degraded"].shape == (32, 32, 3)
        assert arrays["rain/image0/restored"].shape == (36, 34, 3)
        assert arrays["rain/image1/affinity_2"].shape == (4, 18, 17)
        assert arrays["rain/image1/affinity_2"].dtype == np.float16
        assert np.allclose(arrays["rain/image0/affinity_1"].sum(axis=0), 1, atol=2e-3)
    assert {"rain/image0/features_before_1", "rain/image0/recreated"} < keys
    assert {key for key in keys if key.startswith("rain/image1/")} == {
        f"rain/image1/{name}"
        for name in (
            "degraded",
            "clean",
            *(f"{n}_{level}" for n in ("affinity", "U") for level in (1, 2, 3)),
        )
    }
    assert not [key for key in keys if key.startswith("real/")]


def test_a_run_without_the_degradation_network(tmp_path: Path) -> None:
    arguments = trained(tmp_path, run_spec(lambda_degrad=0))
    content, npz = represent(tmp_path, [*arguments, "--figure-images", "0"])
    assert content.recreation == RecreatedViews(
        reason="this run was trained without NDR-Degrad (lambda = 0)"
    )
    assert content.changes == {"lambda_degrad": 0}
    with np.load(npz, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["D", "D_history", "D_steps"]


def test_two_pictures_give_reasons_in_place_of_numbers(tmp_path: Path) -> None:
    content, _ = represent(tmp_path, trained(tmp_path, run_spec(), pictures=2))
    for row in content.separability:
        assert row.accuracy.value is None
        assert "at least 3 pictures" in row.accuracy.reason
    assert content.recreation.swap is not None
    assert content.recreation.swap.accuracy["U of another picture"].value is None
    assert content.recreation.psnr["own U"].value is not None


def test_a_network_without_d_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arguments = trained(tmp_path, run_spec(use_dq=False))
    with caplog.at_level(logging.ERROR):
        code = main(
            [*arguments, "--out-json", str(tmp_path / "a"), "--out-npz", str(tmp_path / "b")]
        )
    assert code == 1
    assert "has no degradation representation D" in caplog.text
    assert not (tmp_path / "a").exists()


def test_damaged_snapshots_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arguments = trained(tmp_path, run_spec())
    (tmp_path / "representation.safetensors").write_bytes(b"no snapshots")
    with caplog.at_level(logging.ERROR):
        assert main([*arguments, "--out-json", "a", "--out-npz", "b"]) == 1
    assert "expected the arrays steps and D" in caplog.text
