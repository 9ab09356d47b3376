"""Networks that the suite ships: packed from a training, known by what was trained, taken back."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ndr import shipped_weights
from ndr.checkpoint import load_run_checkpoint, read_checkpoint, write_checkpoint
from ndr.method import CheckpointError
from ndr.model_cards import OVERVIEW, card, overview
from ndr.photos.weight_source import WeightRequest, load_requested
from ndr.records.provenance import TrainingProvenance
from ndr.records.record import ResultFileError
from ndr.records.shipped_weights import METADATA_KEY, ShippedHeader, ShippedIndex
from ndr.registry import method_arguments, method_class, method_names
from ndr.represent import read_history
from ndr.shipped_weights import (
    INDEX,
    ShippedWeights,
    ShippedWeightsError,
    pack,
    shipped_key,
    take,
    take_over,
)
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import canonical_json
from tests.conftest import REPOSITORY
from tests.run_headers import header, run_spec
from tests.shipped_runs import CURVE, network, shipped, trained

CPU = torch.device("cpu")
RESULTS = ("checkpoint", "curve", "representation", "provenance")


def taken(folder: Path, spec: RunSpec) -> dict[str, Path]:
    results = {name: folder / "taken" / name for name in RESULTS}
    take(spec, folder / "weights", results)
    return results


@pytest.fixture
def spec() -> RunSpec:
    return run_spec("ndr_restore", lambda_degrad=0.5)


def test_a_shipped_run_comes_back_as_a_training_leaves_it(tmp_path: Path, spec: RunSpec) -> None:
    entry = shipped(tmp_path, spec, whole=True)
    assert entry.run == spec.run == "ndr_restore__noise__lambda_degrad_0.5__seed_0"
    results = taken(tmp_path, spec)
    method, original = network(spec, seed=4), network(spec)
    found = load_run_checkpoint(method, results["checkpoint"], spec.sha256())
    assert (found.run, found.steps_done, found.data_sha256) == (spec.run, 20, "d" * 64)
    for name, value in original.state_dict().items():
        assert torch.equal(method.state_dict()[name], value.half().float()), name
    assert results["curve"].read_text(encoding="utf-8") == CURVE
    snapshots = load_file(results["representation"])
    assert snapshots["steps"].tolist() == [0, 20]
    representation = original.representation()
    assert representation is not None
    assert torch.equal(snapshots["D"][1], representation.half().float())
    provenance = TrainingProvenance.read(results["provenance"])
    assert (provenance.run, provenance.spec_sha256) == (spec.run, spec.sha256())


WITH_TRAINING_PARTS = [name for name in method_names() if method_class(name).training_only]


@pytest.mark.parametrize("name", WITH_TRAINING_PARTS)
def test_what_only_training_needs_is_not_shipped(tmp_path: Path, name: str) -> None:
    spec = run_spec(name)
    entry = shipped(tmp_path, spec)
    keys = {key.removeprefix("weights.") for key in load_file(tmp_path / "weights" / entry.file)}
    original = network(spec)
    computed = ShippedHeader.read(tmp_path / "weights" / entry.file).computed
    left_out = original.state_dict().keys() - keys - set(computed)
    assert left_out
    assert {key.partition(".")[0] for key in left_out} == original.training_only
    method, results = network(spec, seed=4), taken(tmp_path, spec)
    load_run_checkpoint(method, results["checkpoint"], spec.sha256())
    named, _ = load_requested(WeightRequest(str(tmp_path / "weights" / entry.file)), CPU)
    assert named.source == "shipped"
    with pytest.raises(CheckpointError, match="is shipped without NDR-Degrad"):
        read_history(results["representation"])
    assert not any(method.state_dict()[key].any() for key in left_out)
    original.load_state_dict({k: v.half().to(v) for k, v in original.state_dict().items()})
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(method.eval().restore(image), original.eval().restore(image))


@pytest.mark.parametrize("name", ["hat", "swinir"])
def test_what_a_network_computes_is_not_shipped(tmp_path: Path, name: str) -> None:
    spec = run_spec(name)
    entry = shipped(tmp_path, spec)
    file = tmp_path / "weights" / entry.file
    computed, keys = ShippedHeader.read(file).computed, load_file(file).keys()
    original = network(spec)
    assert computed
    assert set(computed) <= {key for key, _ in original.named_buffers()}
    assert {f"weights.{key}" for key in original.state_dict().keys() - set(computed)} == keys
    method = network(spec, seed=4)
    load_run_checkpoint(method, taken(tmp_path, spec)["checkpoint"], spec.sha256())
    named, _ = load_requested(WeightRequest(str(file)), CPU)
    for key in computed:
        assert torch.equal(method.state_dict()[key], original.state_dict()[key]), key
        assert torch.equal(named.method.state_dict()[key], original.state_dict()[key]), key
    content = ShippedHeader.read(file)
    write_header(file, dataclasses.replace(content, computed=computed[1:]))
    with pytest.raises(ShippedWeightsError, match=f"1 missing: {re.escape(computed[0])}"):
        shipped_weights.unpacked(file)


def write_header(file: Path, header: ShippedHeader) -> None:
    metadata = {METADATA_KEY: canonical_json(header.content())}
    save_file(load_file(file), file, metadata)


def test_buffers_that_training_changed_are_shipped(tmp_path: Path) -> None:
    spec = run_spec("swinir")
    run, method = trained(tmp_path, spec), network(spec)
    name, mask = next((k, v) for k, v in method.named_buffers() if v.is_floating_point())
    mask.add_(1.0)
    write_checkpoint(run / "checkpoint.safetensors", method, header(spec))
    entry = pack(run, tmp_path / "weights", {"rain": 1.0}, {"rain": 0.0})
    assert name not in ShippedHeader.read(tmp_path / "weights" / entry.file).computed
    found, _, _ = shipped_weights.unpacked(tmp_path / "weights" / entry.file)
    assert torch.equal(found.state_dict()[name], mask)


def test_files_that_hold_the_training_parts_too_are_taken(tmp_path: Path) -> None:
    spec = run_spec("airnet")
    entry = shipped(tmp_path, spec)
    file = tmp_path / "weights" / entry.file
    with safe_open(file, framework="pt") as content:
        metadata = content.metadata()
    tensors = {f"weights.{k}": v.half() for k, v in network(spec).state_dict().items()}
    save_file(tensors, file, metadata)
    method, _, _ = shipped_weights.unpacked(file)
    assert method.state_dict()["contrast.queue"].any()
    del tensors["weights.network.first.weight"]
    save_file(tensors, file, metadata)
    with pytest.raises(ShippedWeightsError, match=r"1 missing: network\.first\.weight"):
        shipped_weights.unpacked(file)


def test_the_metadata_and_the_card_say_what_was_trained(tmp_path: Path, spec: RunSpec) -> None:
    entry = shipped(tmp_path, spec)
    found = ShippedHeader.read(tmp_path / "weights" / entry.file)
    assert found.spec.canonical_json() == spec.canonical_json()
    assert found.validation_gain == {"noise_25": 10.125, "rain": 1.5}
    card = (tmp_path / "weights" / f"{spec.run}.md").read_text(encoding="utf-8")
    assert "lambda_degrad = 0.5" in card
    assert "20 steps of 6 patches of 48 pixels" in card
    assert "| rain | 27.50 | +1.50 |" in card
    assert found.training.commit is None or found.training.commit in card


def test_equal_trainings_give_equal_files_but_for_their_circumstances(
    tmp_path: Path, spec: RunSpec
) -> None:
    run = trained(tmp_path, spec)
    entries = [pack(run, tmp_path / name, {"rain": 1.0}, {"rain": 0.0}) for name in ("a", "b")]
    assert entries[0].sha256 == entries[1].sha256


def test_a_run_is_known_by_what_was_trained_alone(spec: RunSpec) -> None:
    key = shipped_key(spec)
    # An argument that the method gets later stands at its default in new specs, in old ones not.
    defaults = method_arguments("ndr_restore", "paper", {})
    without = {k: v for k, v in spec.arguments.items() if v != defaults[k]}
    assert len(without) < len(spec.arguments)
    assert shipped_key(dataclasses.replace(spec, arguments=without)) == key
    assert shipped_key(dataclasses.replace(spec, changes={})) == key
    for change in ({"seed": 1}, {"tier": "paper"}, {"precision": "bf16"}):
        assert shipped_key(dataclasses.replace(spec, **change)) != key
    other = dataclasses.replace(spec, arguments={**spec.arguments, "lambda_degrad": 0.7})
    assert shipped_key(other) != key


def test_the_index_holds_each_run_once(tmp_path: Path, spec: RunSpec) -> None:
    other = run_spec()
    shipped(tmp_path, spec)
    shipped(tmp_path, other)
    shipped(tmp_path, spec)
    index = ShippedIndex.read(tmp_path / "weights" / INDEX)
    assert [each.run for each in index.runs] == sorted([spec.run, other.run])
    content = index.content()
    content["runs"] = [content["runs"][0]] * 2
    (tmp_path / "weights" / INDEX).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ResultFileError, match="stands twice"):
        ShippedWeights.of(tmp_path / "weights")


def test_the_overview_has_every_training_and_how_far_those_of_one_network_differ(
    tmp_path: Path, spec: RunSpec
) -> None:
    # In the order of their numbers, 2 before 10.
    gains = {2: 1.5, 0: 1.0, 10: 3.5}
    for seed, gain in gains.items():
        run = trained(tmp_path, dataclasses.replace(spec, seed=seed))
        pack(run, tmp_path / "weights", {"rain": 26.0 + gain}, {"rain": 26.0})
    lines = (tmp_path / "weights" / OVERVIEW).read_text(encoding="utf-8").splitlines()
    assert "3 networks, " in lines[2]
    first = next(n for n, line in enumerate(lines) if "seed_0.md" in line)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[first : first + 4]]
    assert [row[1] for row in rows] == ["0", "2", "10", ""]
    assert rows[1][0] == f"[NDR-Restore, lambda_degrad = 0.5]({spec.run[:-1]}2.md)"
    # The standard deviation of 1.0, 1.5, 3.5 with n - 1.
    assert [row[-1] for row in rows] == ["+1.00", "+1.50", "+3.50", "+2.00 ± 1.32"]


def test_the_cards_and_the_overview_beside_the_shipped_networks_are_theirs() -> None:
    weights = REPOSITORY / "weights"
    headers = []
    for entry in ShippedWeights.of(weights).files.values():
        headers.append(ShippedHeader.read(weights / entry.file))
        path = weights / f"{entry.run}.md"
        assert path.read_text(encoding="utf-8") == card(headers[-1], entry.bytes), entry.run
    assert (weights / OVERVIEW).read_text(encoding="utf-8") == overview(headers)


def test_a_card_written_from_the_file_is_the_one_that_was_packed(
    tmp_path: Path, spec: RunSpec
) -> None:
    gains = {"rain": 27.5, "haze": 20.0}
    entry = pack(trained(tmp_path, spec), tmp_path, gains, dict.fromkeys(gains, 19.0))
    header = ShippedHeader.read(tmp_path / entry.file)
    assert (tmp_path / f"{spec.run}.md").read_text(encoding="utf-8") == card(header, entry.bytes)


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_file_of_another_run_does_not_keep_a_training_from_being_packed(
    damage: str, tmp_path: Path, spec: RunSpec, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "weights" / shipped(tmp_path, run_spec()).file
    other.unlink() if damage == "missing" else other.write_bytes(other.read_bytes()[:5])
    entry = shipped(tmp_path, spec)
    assert ShippedWeights.of(tmp_path / "weights").find(spec) == entry
    text = (tmp_path / "weights" / OVERVIEW).read_text(encoding="utf-8")
    assert "1 network, " in text
    assert other.name in caplog.text


def test_the_commits_that_trained_are_in_the_history() -> None:
    def git(*arguments: str) -> str:
        command = ("git", *arguments)
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    if git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("no full git history here")
    history = set(git("rev-list", "HEAD").splitlines())
    weights = REPOSITORY / "weights"
    for entry in ShippedWeights.of(weights).files.values():
        training = ShippedHeader.read(weights / entry.file).training
        assert training.commit in history, entry.run
        assert training.modified is False, entry.run


def test_a_run_is_taken_over_as_it_was_packed(tmp_path: Path, spec: RunSpec) -> None:
    entry = shipped(tmp_path, spec)
    source, target = ShippedWeights.of(tmp_path / "weights"), tmp_path / "target"
    assert take_over(entry, source, target).spec.run == spec.run
    for path in source.folder.iterdir():
        assert (target / path.name).read_bytes() == path.read_bytes(), path.name
    other = shipped(tmp_path, run_spec())
    one_bit(source.folder / other.file)
    with pytest.raises(ShippedWeightsError, match="is damaged"):
        take_over(other, source, target)
    swapped = dataclasses.replace(other, file=entry.file, sha256=entry.sha256)
    with pytest.raises(ShippedWeightsError, match="is of another run"):
        take_over(swapped, source, target)
    assert [each.run for each in ShippedWeights.of(target).files.values()] == [spec.run]
    assert not (target / other.file).exists()


def test_a_folder_without_an_index_ships_nothing(tmp_path: Path, spec: RunSpec) -> None:
    assert ShippedWeights.of(tmp_path).find(spec) is None


def missing(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"), [(missing, "is missing"), (cut, "is damaged"), (one_bit, "is damaged")]
)
def test_a_damaged_file_is_told(
    damage: Callable[[Path], None], words: str, tmp_path: Path, spec: RunSpec
) -> None:
    entry = shipped(tmp_path, spec)
    damage(tmp_path / "weights" / entry.file)
    weights = ShippedWeights.of(tmp_path / "weights")
    assert words in weights.problem(entry)
    with pytest.raises(ShippedWeightsError, match=f"{spec.run}.*{words}.*from git"):
        taken(tmp_path, spec)
    assert not (tmp_path / "taken").exists()


def test_a_run_that_is_not_shipped_is_told(tmp_path: Path, spec: RunSpec) -> None:
    shipped(tmp_path, spec)
    with pytest.raises(ShippedWeightsError, match="train_missing=true"):
        taken(tmp_path, run_spec("ndr_restore", lambda_degrad=0.7))


def test_a_file_of_another_run_under_the_name_is_told(tmp_path: Path, spec: RunSpec) -> None:
    entry, other = shipped(tmp_path, spec), shipped(tmp_path, run_spec())
    weights = tmp_path / "weights"
    index = ShippedIndex.read(weights / INDEX)
    swapped = dataclasses.replace(entry, file=other.file, sha256=other.sha256)
    ShippedIndex(runs=(swapped,)).write(weights / INDEX)
    assert len(index.runs) == 2
    with pytest.raises(ShippedWeightsError, match="is of another run"):
        taken(tmp_path, spec)


def with_first_weight(folder: Path, spec: RunSpec, value: float) -> Path:
    """A training whose first parameter has this value everywhere."""
    run = trained(folder, spec)
    method = network(spec)
    with torch.no_grad():
        next(method.parameters()).fill_(value)
    write_checkpoint(run / "checkpoint.safetensors", method, header(spec))
    return run


def test_numbers_beyond_half_precision_are_kept(tmp_path: Path, spec: RunSpec) -> None:
    run = with_first_weight(tmp_path, spec, 538_183.375)
    entry = pack(run, tmp_path / "weights", {"rain": 1.0}, {"rain": 0.0})
    types = [value.dtype for value in load_file(tmp_path / "weights" / entry.file).values()]
    assert types.count(torch.float32) == 1
    assert torch.float16 in types
    method = network(spec, seed=4)
    load_run_checkpoint(method, taken(tmp_path, spec)["checkpoint"], spec.sha256())
    assert next(method.parameters()).unique().tolist() == [538_183.375]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_training_that_diverged_is_not_packed(
    value: float, tmp_path: Path, spec: RunSpec
) -> None:
    run = with_first_weight(tmp_path, spec, value)
    with pytest.raises(ShippedWeightsError, match="is not finite; the training diverged"):
        pack(run, tmp_path / "weights", {"rain": 1.0}, {"rain": 0.0})
    assert not list((tmp_path / "weights").glob("*"))


def test_the_command_takes_a_run_or_says_why_not(
    tmp_path: Path, spec: RunSpec, caplog: pytest.LogCaptureFixture
) -> None:
    shipped(tmp_path, spec)

    def command(asked: RunSpec) -> int:
        files = [part for name in RESULTS for part in (f"--{name}", str(tmp_path / "out" / name))]
        weights = ["--weights", str(tmp_path / "weights")]
        return shipped_weights.main(["--spec-json", asked.canonical_json(), *weights, *files])

    assert command(spec) == 0
    found = read_checkpoint(tmp_path / "out" / "checkpoint")[1]
    assert found.spec_sha256 == spec.sha256()
    assert command(run_spec("ndr_restore", lambda_degrad=0.7)) == 2
    assert "train_missing=true" in caplog.text
