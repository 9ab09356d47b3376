"""Finding weights: runs by file, folder and id, authors' checkpoints, and methods without any."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ndr.checkpoint import write_checkpoint
from ndr.method import CheckpointError, Method
from ndr.nearest_name import UnknownNameError
from ndr.photos import weight_source
from ndr.photos.weight_source import CHECKPOINT, WeightRequest, load_requested
from ndr.records.downloads import FetchedWeights
from ndr.registry import create
from ndr.specs.run_spec import SettingSpec, TaskSpec
from tests.run_headers import header, run_spec
from tests.shipped_runs import shipped

RUN = "dncnn__noise__seed_0"
CPU = torch.device("cpu")


def network(name: str = "dncnn", seed: int = 3, **changes: object) -> Method:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return create(name, "smoke", **changes)


def write_run(results: Path, tier: str, run: str = RUN) -> Path:
    path = results / tier / "runs" / run / CHECKPOINT
    write_checkpoint(path, network(), header(run_spec(tier=tier)))
    return path


def same_weights(method: Method, other: Method) -> bool:
    state = other.state_dict()
    return all(torch.equal(value, state[key]) for key, value in method.state_dict().items())


@pytest.mark.parametrize("kind", ["file", "folder", "id", "id of any tier"])
def test_a_run_is_found_by_file_folder_and_id(tmp_path: Path, kind: str) -> None:
    path = write_run(tmp_path, "quick")
    weights = {"file": str(path), "folder": str(path.parent)}.get(kind, RUN)
    tier = "quick" if kind == "id" else None
    loaded, words = load_requested(WeightRequest(weights, tier=tier, results=tmp_path), CPU)
    assert same_weights(loaded.method, network())
    assert not loaded.method.training
    assert words == f"run {RUN} of tier quick"


def test_a_run_that_is_nowhere_names_the_nearest(tmp_path: Path) -> None:
    write_run(tmp_path, "quick")
    with pytest.raises(UnknownNameError, match=f"did you mean '{RUN}'"):
        load_requested(WeightRequest("dncnn__nois__seed_0", results=tmp_path), CPU)
    with pytest.raises(UnknownNameError, match="none exist"):
        load_requested(WeightRequest(RUN, tier="paper", results=tmp_path), CPU)
    write_run(tmp_path, "small")
    with pytest.raises(CheckpointError, match="choose with --tier"):
        load_requested(WeightRequest(RUN, results=tmp_path), CPU)
    with pytest.raises(FileNotFoundError, match="no such file of weights"):
        load_requested(WeightRequest("weights/absent__x.pth", results=tmp_path), CPU)


def test_weights_of_another_method_or_without_spec_are_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path, "quick")
    with pytest.raises(CheckpointError, match=r"is of dncnn, but --method says restormer"):
        load_requested(WeightRequest(str(path), "restormer"), CPU)
    save_file({"a": torch.zeros(2)}, tmp_path / "b.safetensors", {"ndr": '{"run": "dncnn"}'})
    with pytest.raises(CheckpointError, match="expected the key 'spec_sha256'"):
        load_requested(WeightRequest(str(tmp_path / "b.safetensors")), CPU)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="damaged"):
        load_requested(WeightRequest(str(path)), CPU)


def test_authors_weights_by_method_and_file(tmp_path: Path) -> None:
    path = tmp_path / "authors.pth"
    torch.save(network("ffdnet").state_dict(), path)
    loaded, words = load_requested(WeightRequest(str(path), "ffdnet", preset="smoke"), CPU)
    assert same_weights(loaded.method, network("ffdnet"))
    assert loaded.source == "official_weights"
    assert "not a published file" in words
    with pytest.raises(CheckpointError, match="name the method with --method"):
        load_requested(WeightRequest(str(path)), CPU)
    with pytest.raises(UnknownNameError, match="did you mean 'ffdnet'"):
        load_requested(WeightRequest(str(path), "ffdnt"), CPU)
    with pytest.raises(CheckpointError, match="identity is not trained and takes no weights"):
        load_requested(WeightRequest(str(path), "identity"), CPU)


def test_the_keys_of_authors_weights_decide_about_the_network(tmp_path: Path) -> None:
    path = tmp_path / "merged.pth"
    torch.save(network("dncnn", batch_norm=False).state_dict(), path)
    loaded, _ = load_requested(WeightRequest(str(path), "dncnn", preset="smoke"), CPU)
    assert same_weights(loaded.method, network("dncnn", batch_norm=False))


def test_the_record_of_fetched_weights(tmp_path: Path) -> None:
    file, record = tmp_path / "authors.pth", tmp_path / "record.json"
    torch.save(network("ffdnet").state_dict(), file)
    fetched = FetchedWeights(
        method="ffdnet", weights="net", licence="MIT", url="https://host/net", file=str(file)
    )
    fetched.write(record)
    loaded, _ = load_requested(WeightRequest(str(record), preset="smoke"), CPU)
    assert same_weights(loaded.method, network("ffdnet"))
    dataclasses.replace(fetched, file=None, reason="host is gone").write(record)
    with pytest.raises(CheckpointError, match="were not fetched: host is gone"):
        load_requested(WeightRequest(str(record)), CPU)


def test_official_weights_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    published = network("nafnet")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    state = {key.removeprefix("network."): value for key, value in published.state_dict().items()}
    torch.save(state, mirror / "nafnet_sidd_width32.pth")
    request = WeightRequest(
        "official:nafnet_sidd_width32", "nafnet", preset="smoke", mirrors=(str(mirror),)
    )
    loaded, words = load_requested(request, CPU)
    assert same_weights(loaded.method, published)
    assert words.startswith("NAFNet with weights")
    with pytest.raises(UnknownNameError, match="did you mean 'nafnet_sidd_width32'"):
        load_requested(dataclasses.replace(request, weights="official:sidd_width32"), CPU)


def test_official_weights_that_nobody_can_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="--weights official:deraining"):
        load_requested(WeightRequest("official", "restormer"), CPU)
    with pytest.raises(CheckpointError, match="no checkpoint of its authors is known"):
        load_requested(WeightRequest("official", "bm3d"), CPU)
    # A folder of files: which of them it is, a person has to see.
    with pytest.raises(CheckpointError, match="must be fetched by hand"):
        load_requested(WeightRequest("official", "airnet"), CPU)


def test_methods_without_weights() -> None:
    loaded, words = load_requested(WeightRequest(None, "bm3d"), CPU)
    assert loaded.method.info.name == "bm3d"
    assert words == "CBM3D, which is not trained"
    with pytest.raises(CheckpointError, match="has weights to load"):
        load_requested(WeightRequest(None, "restormer", preset="smoke"), CPU)


def test_photographs_get_the_shipped_network_if_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_source, "SHIPPED", tmp_path / "weights")
    with pytest.raises(CheckpointError, match="weights holds no network for photographs: give"):
        load_requested(WeightRequest(None), CPU)
    tasks = tuple(TaskSpec(name, ("a_set",), ("0",)) for name in ("noise", "rain", "haze"))
    usual = run_spec("ndr_restore", tasks=tasks)
    usual = dataclasses.replace(usual, setting=SettingSpec("noise_rain_haze", tasks))
    entry = shipped(tmp_path, usual)
    loaded, words = load_requested(WeightRequest(None), CPU)
    assert words == f"run {usual.run}, which this suite trained for 20 steps and ships"
    assert (loaded.source, loaded.checkpoint_sha256) == ("shipped", entry.sha256)
    restoring = (
        network("ndr_restore").get_submodule("restoration").state_dict(prefix="restoration.")
    )
    for name, value in restoring.items():
        assert torch.equal(loaded.method.state_dict()[name], value.half().float()), name
    named, _ = load_requested(WeightRequest(str(tmp_path / "weights" / entry.file)), CPU)
    assert same_weights(named.method, loaded.method)
    (tmp_path / "weights" / entry.file).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_requested(WeightRequest(None), CPU)
