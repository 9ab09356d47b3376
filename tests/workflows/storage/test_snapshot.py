"""What a snapshot holds, and that it comes back unchanged through a folder as DVC remote."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from ndr.nearest_name import UnknownNameError
from tests.workflows.storage.stored_checkout import (
    MANIFEST,
    RESULTS,
    ROOT,
    RUN,
    add_products,
    empty_checkout,
    git,
    products,
    record,
    write,
)
from workflows.storage.artefact_store import ArtefactStore, StoreError
from workflows.storage.restore import check_files, restore_snapshot, write_files
from workflows.storage.snakemake_records import finished_outputs, records_of_tier
from workflows.storage.snapshot import (
    GIB,
    INDEX,
    Contents,
    SnapshotError,
    SnapshotFolder,
    SnapshotIndex,
    check_tier,
    contents_of,
    may_be_restored,
    stage,
    take_snapshot,
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    add_products(tmp_path / "checkout")
    return tmp_path / "checkout"


def contents(root: Path, largest_set: int = GIB) -> Contents:
    return contents_of(root, "smoke", records_of_tier(finished_outputs(root), "smoke"), largest_set)


def staged(root: Path) -> SnapshotFolder:
    folder = SnapshotFolder(root, "smoke")
    stage(folder, contents(root))
    return folder


@pytest.fixture
def restored(checkout: Path, tmp_path: Path) -> SnapshotFolder:
    """A pulled, not yet unpacked snapshot in an empty checkout."""
    folder = SnapshotFolder(tmp_path / "clone", "smoke")
    shutil.copytree(staged(checkout).path, folder.path)
    return folder


def test_finished_outputs_of_the_tier_and_what_they_need(checkout: Path) -> None:
    found = contents(checkout)
    assert found.checkpoints == {RUN: f"{RESULTS}/runs/{RUN}/checkpoint.safetensors"}
    assert found.curves == {RUN: f"{RESULTS}/runs/{RUN}/curve.csv"}
    assert set(found.archives) == {
        f"runs/{RUN}",
        f"evaluations/{RUN}",
        "results",
        "sets/made",
        "sets/published",
        "data",
        "benchmarks",
        "snakemake_records",
    }
    assert found.archives["sets/made"] == {MANIFEST, "data/sets/made/degraded/image.png"}
    assert found.archives["data"] == {"data/originals/published/fetched.json"}
    assert len(found.archives["snakemake_records"]) == 11


def test_published_images_stay_where_they_are(checkout: Path) -> None:
    stored = {path for paths in contents(checkout).archives.values() for path in paths}
    assert "data/originals/published/image.png" not in stored


def test_a_large_synthesised_set_is_left_out_and_named(checkout: Path) -> None:
    found = contents(checkout, largest_set=5)
    assert found.sets_without_images == {"made": len("synthesised")}
    assert found.archives["sets/made"] == {MANIFEST}


def test_an_output_that_could_not_be_restored_is_refused(checkout: Path) -> None:
    write(checkout, "config/made.yaml", "")
    record(checkout, "config/made.yaml")
    record(checkout, f"{RESULTS}/odd.csv", ["config/made.yaml"])
    with pytest.raises(ValueError, match=r"config/made.yaml: an output outside"):
        contents(checkout)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("results/smoke/a.csv", True),
        ("reports/all_tables.html", True),
        ("reports/assets/picture.webp", True),
        (".snakemake/metadata/YQ==", True),
        ("reports/build.py", False),
        ("ndr/train.py", False),
        (".snakemake/scripts/x", False),
        ("resultsx/a", False),
        (".git/hooks/post-checkout", False),
        ("results/../ndr/train.py", False),
    ],
)
def test_only_products_may_be_written(path: str, allowed: bool) -> None:
    assert may_be_restored(path) is allowed


def test_equal_results_make_equal_files(checkout: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(checkout, tmp_path / "copy"))
    write(copy, f"{RESULTS}/runs/{RUN}/provenance.json", "{}")  # a newer time
    one, two = staged(checkout).path, staged(copy).path
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files)


def test_files_come_back_with_one_time(restored: SnapshotFolder, checkout: Path) -> None:
    index = SnapshotIndex.read(restored)
    check_files(restored, index, overwrite=False)
    done = write_files(restored, index)
    found = products(restored.root)
    everything = products(checkout)
    kept = {path for paths in contents(checkout).archives.values() for path in paths}
    kept |= {f"{RESULTS}/runs/{RUN}/checkpoint.safetensors", f"{RESULTS}/runs/{RUN}/curve.csv"}
    assert found == {path: everything[path] for path in kept}
    assert done.written == len(found)
    assert len({(restored.root / path).stat().st_mtime_ns for path in found}) == 1


def test_equal_files_stay_and_others_are_not_overwritten(restored: SnapshotFolder) -> None:
    index = SnapshotIndex.read(restored)
    same = write(restored.root, f"{RESULTS}/evaluations/{RUN}/per_image.csv", "image,value\na,1\n")
    before = same.stat().st_mtime_ns
    mine = write(restored.root, f"{RESULTS}/runs/{RUN}/checkpoint.safetensors", "mine")
    with pytest.raises(SnapshotError, match=r"1 files lie here.*\n.*checkpoint"):
        check_files(restored, index, overwrite=False)
    assert mine.read_text() == "mine"
    assert not (restored.root / MANIFEST).exists()
    check_files(restored, index, overwrite=True)
    done = write_files(restored, index)
    assert done.already_there == 1
    assert same.stat().st_mtime_ns == before
    assert mine.read_bytes() == b"weights" * 1000


def test_a_damaged_snapshot_is_not_unpacked(restored: SnapshotFolder) -> None:
    (restored.checkpoints / f"{RUN}.safetensors").write_text("damaged")
    with pytest.raises(SnapshotError, match="differs from what was stored"):
        SnapshotIndex.read(restored)


def test_a_snapshot_that_names_code_is_not_unpacked(restored: SnapshotFolder) -> None:
    index = SnapshotIndex.read(restored)
    for path in ("ndr/train.py", "results/../ndr/train.py"):
        named = dataclasses.replace(index, checkpoints={RUN: path}, curves={})
        with pytest.raises(SnapshotError, match="is no product: not restored"):
            check_files(restored, named, overwrite=True)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "tier": "smoke"}', "[" * 100_000])
def test_an_index_that_is_none_is_said(restored: SnapshotFolder, text: str) -> None:
    (restored.archives / INDEX).write_text(text)
    with pytest.raises(SnapshotError, match="no readable index"):
        SnapshotIndex.read(restored)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": {}}, "names 0 files"),
        ({"checkpoints": ["a"]}, "no readable index"),
        ({"sha256": {"archives/data.tar": 1}}, "no readable index"),
    ],
)
def test_an_index_that_checks_nothing_is_refused(
    restored: SnapshotFolder, change: dict, said: str
) -> None:
    path = restored.archives / INDEX
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(SnapshotError, match=said):
        SnapshotIndex.read(restored)


def test_a_remote_that_was_changed_as_a_whole_is_refused(tmp_path: Path) -> None:
    """Checkpoint and index agree with each other, not with the pointers that git holds."""
    origin, remote = empty_checkout(tmp_path / "origin"), tmp_path / "remote"
    add_products(origin)
    take_snapshot(origin, "smoke", str(remote), GIB)
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "snapshot")
    git(tmp_path, "clone", "--quiet", str(origin), str(tmp_path / "clone"))
    objects = {path.read_bytes(): path for path in remote.rglob("*") if path.is_file()}
    good, bad = b"weights" * 1000, b"WEIGHTS" * 1000
    index = next(content for content in objects if b'"sets_without_images"' in content)
    shas = [hashlib.sha256(content).hexdigest().encode() for content in (good, bad)]
    for content, changed in ((good, bad), (index, index.replace(*shas))):
        objects[content].chmod(0o644)
        objects[content].write_bytes(changed)
    with pytest.raises(SnapshotError, match=r"archives.*is not what .*archives\.dvc stands for"):
        restore_snapshot(tmp_path / "clone", "smoke", str(remote))
    assert not (tmp_path / "clone" / "results").exists()


@pytest.mark.parametrize("change", [{"format": 2}, {"tier": "paper"}])
def test_other_formats_and_tiers_are_refused(restored: SnapshotFolder, change: dict) -> None:
    path = restored.archives / INDEX
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(SnapshotError, match="expected a snapshot of format 1 and tier 'smoke'"):
        SnapshotIndex.read(restored)


def test_nothing_to_store_and_nothing_to_restore(tmp_path: Path) -> None:
    (tmp_path / "snapshots" / "quick").mkdir(parents=True)
    (tmp_path / "snapshots" / "quick" / "archives.dvc").touch()
    with pytest.raises(SnapshotError, match=r"no snapshot of tier 'smoke' \(only of quick\)"):
        restore_snapshot(tmp_path, "smoke", None)
    with pytest.raises(UnknownNameError, match="'smoke'"):
        check_tier("smok")


def test_through_a_folder_and_back(tmp_path: Path) -> None:
    origin, remote = empty_checkout(tmp_path / "origin"), tmp_path / "remote with space"
    with pytest.raises(StoreError, match="no remote is known here"):
        take_snapshot(origin, "smoke", None, GIB)
    with pytest.raises(SnapshotError, match="no finished output"):
        take_snapshot(origin, "smoke", str(remote), GIB)
    add_products(origin)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the remote's folder should be")
    with pytest.raises(StoreError, match="dvc push failed"):
        take_snapshot(origin, "smoke", str(blocked), GIB)
    assert not list(origin.glob("snapshots/smoke/*.dvc"))
    checkpoint = origin / RESULTS / "runs" / RUN / "checkpoint.safetensors"
    before = checkpoint.stat()
    take_snapshot(origin, "smoke", str(remote), GIB)
    after = checkpoint.stat()
    # The result itself is neither linked to DVC's cache nor made read-only.
    assert (before.st_ino, before.st_mode, 1) == (after.st_ino, after.st_mode, after.st_nlink)

    folder = SnapshotFolder(origin, "smoke")
    assert sorted(path.name for path in folder.path.iterdir()) == [
        ".gitignore",
        "archives.dvc",
        "checkpoints.dvc",
        "curves",
        "curves.dvc",
        "metrics.json",
    ]
    assert json.loads((folder.path / "metrics.json").read_text()) == {
        "table_01": {"noise": {"Ours": {"sigma25": {"PSNR": 30.1235}}}}
    }
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "snapshot")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    done = restore_snapshot(clone, "smoke", str(remote))
    assert done.written == len(products(clone))
    assert products(clone).items() <= products(origin).items()
    assert (clone / ".snakemake" / "incomplete").is_dir()
    assert "published" in done.missing_images  # its manifest is none, and that is said


def test_remotes(tmp_path: Path) -> None:
    store = ArtefactStore(empty_checkout(tmp_path / "checkout"))
    with pytest.raises(StoreError, match="remote https://host/a: expected an address without"):
        store.remote("https://user:s3cret@host/a")
    with pytest.raises(StoreError, match="letters outside ASCII"):
        store.remote("/mnt/läb")
    assert store.remote("s3://bucket/path") == "snapshots"
    assert store.remote(None) == "snapshots"
    with pytest.raises(UnknownNameError, match="'snapshot': did you mean 'snapshots'"):
        store.remote("snapshot")
    store.run("remote", "add", "--default", "laboratory", str(tmp_path / "laboratory"))
    assert store.remote(None) == "laboratory"
    assert store.remote("snapshots") == "snapshots"
    # What is committed names no folder of this machine.
    assert "snapshots" not in (store.root / ".dvc" / "config").read_text()


def test_dvc_sends_nothing_home_and_stages_nothing() -> None:
    text = (ROOT / ".dvc" / "config").read_text()
    assert text == "[core]\n    analytics = false\n    autostage = false\n"
