"""Bring back a snapshot: `python -m workflows.storage.restore --tier quick --remote ...`.

Afterwards Snakemake finds the tier finished and has nothing to do; a changed parameter runs what
depends on it. A file that lies here with other content is never overwritten unasked.
"""

from __future__ import annotations

import filecmp
import functools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ndr.atomic_file import atomic_path
from ndr.data.manifest import FILE_NAME, PACKAGE_PREFIX, Manifest, ManifestError
from ndr.nearest_name import UnknownNameError
from ndr.records.provenance import file_sha256
from workflows.storage.artefact_store import ArtefactStore, StoreError
from workflows.storage.snakemake_records import (
    INCOMPLETE,
    ArchiveError,
    Member,
    finished_outputs,
    is_running,
    members,
)
from workflows.storage.snapshot import (
    FORMAT,
    INDEX,
    RECORDS,
    ROOT,
    SETS,
    SnapshotError,
    SnapshotFolder,
    check_tier,
    command_parser,
    may_be_restored,
)

ORIGINALS = "data/originals"


def missing_images(root: Path) -> dict[str, str]:
    """Prepared sets of which images are not on this machine, with what to do about it.

    Images inside Python packages are not looked for: the environment brings them.

    Args:
        root: folder of the checkout.
    """
    found = {}
    for path in sorted((root / SETS).glob(f"*/{FILE_NAME}")):
        name = path.parent.name
        try:
            files = image_files(path)
        except (ManifestError, OSError) as error:
            found[name] = str(error)
            continue
        absent = [file for file in files if not file.exists()]
        if absent:
            found[name] = f"{len(absent)} of {len(files)} images are not here, first {absent[0]}. "
            found[name] += _advice(root, name, absent)
    return found


def image_files(manifest: Path) -> list[Path]:
    """Files that a manifest names, those inside Python packages left out."""
    content = Manifest.read(manifest)
    return [
        content.path(location)
        for row in content.rows
        for location in (row.clean, row.degraded)
        if location and not location.startswith(PACKAGE_PREFIX)
    ]


def _advice(root: Path, name: str, absent: list[Path]) -> str:
    def all_below(folder: str) -> bool:
        return all(path.resolve().is_relative_to((root / folder).resolve()) for path in absent)

    record = finished_outputs(root).get(f"{SETS}/{name}/{FILE_NAME}")
    if record is not None and all_below(f"{SETS}/{name}"):
        return f"They are made anew, bit for bit, by: {record.command}"
    if all_below(ORIGINALS):
        # Another note than the one that Snakemake knows: a new one would run everything again.
        return (
            f"They are fetched by: python -m ndr.data.fetch --set {name} --catalogue "
            f"config/datasets.yaml --originals {ORIGINALS} --downloads data/downloads "
            f"--done {ORIGINALS}/{name}/fetched_again.json"
        )
    return (
        "The manifest names the folder that they lay in where the snapshot was made: put the set "
        "there too, or a link to your copy of it."
    )


@dataclass(slots=True)
class Restored:
    """What a restore did."""

    written: int = 0
    already_there: int = 0
    missing_images: dict[str, str] = field(default_factory=dict)
    """Sets whose images are not on this machine, with what to do about it."""


def restore_snapshot(
    root: Path, tier: str, remote: str | None, overwrite: bool = False
) -> Restored:
    """Bring back a tier.

    Args:
        root: folder of the checkout.
        tier: the tier.
        remote: see `ArtefactStore.remote`.
        overwrite: replace files that lie here with other content.

    Raises:
        SnapshotError: this commit has no snapshot of the tier, it was made by another version,
            it is damaged, or it would overwrite files. Nothing is written then.
        StoreError, UnknownNameError: see `ArtefactStore`.
        OSError: the disk is full or not writable; running again goes on.
    """
    folder = SnapshotFolder(root, tier)
    if not folder.pointers:
        there = sorted({path.parent.name for path in root.glob("snapshots/*/*.dvc")})
        raise SnapshotError(
            f"snapshots/{tier}/ holds no pointer: this commit has no snapshot of tier {tier!r} "
            f"({'only of ' + ', '.join(there) if there else 'and of no other'}); "
            "check out a commit that has one, or make one where the results are: make snapshot"
        )
    store = ArtefactStore(root)
    try:
        store.pull(folder.pointers, store.remote(remote))
        index = read_index(folder)
        check_files(folder, index, overwrite)
        restored = write_files(folder, index)
        # Without this folder Snakemake takes the records for those of an old version.
        (root / INCOMPLETE).mkdir(parents=True, exist_ok=True)
    except ArchiveError as error:
        raise SnapshotError(str(error)) from error
    finally:
        for part in (folder.archives, folder.checkpoints):
            shutil.rmtree(part, ignore_errors=True)
    restored.missing_images = missing_images(root)
    return restored


def read_index(folder: SnapshotFolder) -> dict[str, Any]:
    """Read a pulled snapshot's index and compare all files with its hashes.

    Raises:
        SnapshotError: there is none, it is of another version, or a file differs.
    """
    try:
        index = json.loads((folder.archives / INDEX).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise SnapshotError(f"the snapshot has no readable index: {error}") from error
    found = index.get("format"), index.get("tier")
    if found != (FORMAT, folder.tier):
        raise SnapshotError(
            f"expected a snapshot of format {FORMAT} and tier {folder.tier!r}, found {found}; "
            "take the version of the suite that made it"
        )
    for name, sha256 in index["sha256"].items():
        path = folder.path / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise SnapshotError(
                f"{path} is missing or differs from what was stored; remove .dvc/cache and try "
                "again, and if that fails make the snapshot anew"
            )
    return index


def _plain_files(folder: SnapshotFolder, index: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Pulled files that are restored as they are, with their places in the checkout."""
    for part, ending, files in (
        (folder.checkpoints, "safetensors", index["checkpoints"]),
        (folder.curves, "csv", index["curves"]),
    ):
        for run, path in files.items():
            yield part / f"{run}.{ending}", path


def _archived_files(folder: SnapshotFolder) -> Iterator[Member]:
    """Files in the archives; Snakemake's records come last.

    So a restore that is cut off leaves outputs without a record, which run again, but no record
    without its output.
    """
    archives = sorted(folder.archives.rglob("*.tar"), key=lambda path: (path.stem == RECORDS, path))
    for archive in archives:
        yield from members(archive)


def check_files(folder: SnapshotFolder, index: Mapping[str, Any], overwrite: bool) -> None:
    """Look at all names, and at all files that are there already, before one is written.

    Raises:
        SnapshotError: a name that is none of a product, or files with other content.
    """
    different = []
    for source, path in _plain_files(folder, index):
        _check_name(path)
        target = folder.root / path
        if target.exists() and not filecmp.cmp(source, target, shallow=False):
            different.append(path)
    for member in _archived_files(folder):
        _check_name(member.name)
        target = folder.root / member.name
        if target.exists() and not member.equals(target):
            different.append(member.name)
    if different and not overwrite:
        shown = "\n  ".join(different[:10])
        raise SnapshotError(
            f"{len(different)} files lie here with other content than in the snapshot:\n  {shown}\n"
            "Nothing was restored. Store your own results first, move them away, or replace them "
            "with --overwrite."
        )


def _check_name(path: str) -> None:
    if not may_be_restored(path) or ".." in path.split("/"):
        raise SnapshotError(f"{path!r} in the snapshot is no product of the suite: not restored")


def write_files(folder: SnapshotFolder, index: Mapping[str, Any]) -> Restored:
    """Write everything; all files get one time, so that no input is newer than its output."""
    now = time.time_ns()
    restored = Restored()

    def write(path: str, same: Callable[[Path], bool], copy: Callable[[Path], None]) -> None:
        target = folder.root / path
        if target.is_file() and same(target):
            restored.already_there += 1
            return
        copy(target)
        os.utime(target, ns=(now, now))
        restored.written += 1

    for source, path in _plain_files(folder, index):
        write(path, functools.partial(_same, source), functools.partial(_copy, source))
    for member in _archived_files(folder):
        write(member.name, member.equals, member.write)
    return restored


def _same(source: Path, target: Path) -> bool:
    return filecmp.cmp(source, target, shallow=False)


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = command_parser("Bring back what a snapshot of a tier holds.")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that differ from the snapshot's"
    )
    options = parser.parse_args(argv)
    try:
        tier = check_tier(options.tier)
        if is_running(ROOT):
            raise SnapshotError(
                "Snakemake is running in this folder, or was killed: wait for it, or remove its "
                "lock: snakemake --unlock"
            )
        restored = restore_snapshot(ROOT, tier, options.remote, options.overwrite)
    except (SnapshotError, StoreError, UnknownNameError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{tier}: {restored.written} files restored, {restored.already_there} were there.")
    for name, advice in restored.missing_images.items():
        print(f"set {name}: {advice}")
    if restored.missing_images:
        print("All results are complete; only runs that are trained or scored again need these.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
