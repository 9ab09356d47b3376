"""Weights of an evaluation: the right ones, or an error that says what is wrong."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from ndr.checkpoint import write_checkpoint
from ndr.evaluation.loaded_method import load_method, restoring_parameters
from ndr.method import CheckpointError, Method, parameter_count
from ndr.nearest_name import UnknownNameError
from ndr.registry import create, method_arguments
from ndr.specs.run_spec import EvaluationSpec
from tests.run_headers import header, run_spec

TRAINING = "ab" * 32


def spec(method: str = "dncnn", **changes: Any) -> EvaluationSpec:
    content = {
        "tier": "smoke",
        "run": f"{method}__noise__seed_0",
        "method": method,
        "arguments": method_arguments(method, "smoke", {}) if method != "dncn" else {},
        "training_sha256": TRAINING,
        "test_sets": (),
        "protocols": ("ndr",),
        "suite_seed": 9,
    }
    return EvaluationSpec(**(content | changes))


@pytest.fixture(scope="module")
def trained() -> Method:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return create("dncnn", "smoke")


@pytest.fixture(scope="module")
def checkpoint(trained: Method, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "checkpoint.safetensors"
    write_checkpoint(path, trained, header(spec_sha256=TRAINING))
    return path


def test_the_checkpoint_of_the_run_is_loaded(trained: Method, checkpoint: Path) -> None:
    loaded = load_method(spec(), checkpoint)
    assert not loaded.method.training
    assert not any(parameter.requires_grad for parameter in loaded.method.parameters())
    for key, value in trained.state_dict().items():
        assert torch.equal(loaded.method.state_dict()[key], value), key
    assert loaded.source == "retrained"
    assert loaded.checkpoint_sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()


def test_a_network_with_convolutions_in_three_dimensions_is_loaded(tmp_path: Path) -> None:
    """The faster memory layout of images is not theirs."""
    network = create("han", "smoke")
    assert any(isinstance(module, torch.nn.Conv3d) for module in network.modules())
    path = tmp_path / "checkpoint.safetensors"
    write_checkpoint(path, network, header(run_spec("han"), spec_sha256=TRAINING))
    loaded = load_method(spec("han"), path)
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.method.state_dict()[key], value), key


def test_a_checkpoint_of_another_spec_is_refused_with_both_hashes(checkpoint: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_method(spec(training_sha256="cd" * 32), checkpoint)
    assert "cd" * 32 in str(caught.value)
    assert TRAINING in str(caught.value)


def test_a_checkpoint_of_another_network_is_refused(checkpoint: Path) -> None:
    narrower = method_arguments("dncnn", "smoke", {}) | {"depth": 5}
    with pytest.raises(CheckpointError, match="does not fit DnCNN"):
        load_method(spec(arguments=narrower), checkpoint)


def test_trained_methods_need_weights() -> None:
    with pytest.raises(CheckpointError, match="dncnn has weights to load; give the run's"):
        load_method(spec())


def test_controls_take_no_weights(checkpoint: Path) -> None:
    loaded = load_method(spec("identity", training_sha256=None))
    assert (loaded.source, loaded.checkpoint_sha256) == ("no_training", None)
    with pytest.raises(CheckpointError, match="identity is not trained and takes no weights"):
        load_method(spec("identity"), checkpoint)


def test_two_sources_or_no_training_to_check_against_are_refused(checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="give one of them"):
        load_method(spec(), checkpoint, checkpoint)
    with pytest.raises(CheckpointError, match="names no training"):
        load_method(spec(training_sha256=None), checkpoint)


def test_missing_and_damaged_files_are_named(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors"):
        load_method(spec(), tmp_path / "absent.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"damaged\.safetensors"):
        load_method(spec(), damaged)


def test_a_misspelt_method_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'dncnn'"):
        load_method(spec("dncn"))


def test_official_weights_are_loaded_strictly(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        authors = create("ffdnet", "smoke")
    path = tmp_path / "ffdnet.pth"
    torch.save(authors.state_dict(), path)
    evaluation = spec("ffdnet", training_sha256=None)
    loaded = load_method(evaluation, official_weights=path)
    assert loaded.source == "official_weights"
    assert loaded.official_weights is None  # no file of the authors has this hash
    for key, value in authors.state_dict().items():
        assert torch.equal(loaded.method.state_dict()[key], value), key
    state = authors.state_dict()
    state["model.99.weight"] = state.pop("model.0.weight")
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=r"model\.0\.weight.*model\.99\.weight"):
        load_method(evaluation, official_weights=path)


def test_weights_of_another_network_of_the_method_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "merged.pth"
    torch.save(create("dncnn", "smoke", batch_norm=False).state_dict(), path)
    evaluation = spec("dncnn", training_sha256=None)
    wanted = {**evaluation.arguments, "batch_norm": True}
    with pytest.raises(CheckpointError, match="batch_norm=False, but the evaluation asks for True"):
        load_method(dataclasses.replace(evaluation, arguments=wanted), official_weights=path)


@pytest.mark.parametrize("name", ["ndr_restore", "epdn", "fdgan", "airnet", "restormer", "dncnn"])
def test_only_what_restores_is_counted(name: str) -> None:
    """The degradation network, discriminators and AirNet's second encoder serve the training."""
    method = create(name, "smoke").eval().requires_grad_(False)
    counted = restoring_parameters(method)
    apart = {"ndr_restore": "degradation", "epdn": "discriminator", "fdgan": "discriminator"}
    total = parameter_count(method)
    if name in apart:
        assert counted == total - parameter_count(getattr(method, apart[name]))
    elif name == "airnet":
        assert counted < total
    else:
        assert counted == total


def test_a_method_without_weights_has_none_to_count() -> None:
    assert restoring_parameters(create("identity")) == 0
