"""Bring back a snapshot: `python -m workflows.storage.restore --tier quick --remote ...`.

Afterwards Snakemake finds the tier finished and has nothing to do; a changed parameter runs what
depends on it. A file that lies here with other content is never overwritten unasked.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ndr.data.manifest import FILE_NAME, PACKAGE_PREFIX, Manifest, ManifestError
from ndr.nearest_name import UnknownNameError
from workflows import DOWNLOADS, ORIGINALS, ROOT, SETS
from workflows.one_run import FOLDER, BusyError, UnwritableError, alone
from workflows.storage.artefact_store import (
    ArchiveError,
    ArtefactStore,
    Member,
    StoreError,
    members,
)
from workflows.storage.snakemake_records import INCOMPLETE, finished_outputs, is_running
from workflows.storage.snapshot import (
    RECORDS,
    SnapshotError,
    SnapshotFolder,
    SnapshotIndex,
    check_tier,
    command_parser,
    may_be_restored,
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
    """Bring back a tier into the checkout `root`.

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
        folder.check_pointers()
        index = SnapshotIndex.read(folder)
        check_files(folder, index, overwrite)
        restored = write_files(folder, index)
        # Without this folder Snakemake takes the records for those of an old version.
        (root / INCOMPLETE).mkdir(parents=True, exist_ok=True)
    except ArchiveError as error:
        raise SnapshotError(str(error)) from error
    finally:
        folder.remove_copies()
    restored.missing_images = missing_images(root)
    return restored


def stored_files(folder: SnapshotFolder, index: SnapshotIndex) -> Iterator[Member]:
    """All files of a pulled snapshot, by their places in the checkout.

    Snakemake's records come last: a restore that is cut off leaves outputs without a record, which
    run again, but no record without its output.
    """
    for source, path in index.plain_files(folder):
        with source.open("rb") as content:
            yield Member(path, source.stat().st_size, content)
    archives = sorted(folder.archives.rglob("*.tar"), key=lambda path: (path.stem == RECORDS, path))
    for archive in archives:
        yield from members(archive)


def check_files(folder: SnapshotFolder, index: SnapshotIndex, overwrite: bool) -> None:
    """Look at all names, and at all files that are there already, before one is written.

    Raises:
        SnapshotError: a name that is none of a product, or files with other content.
    """
    different = []
    for file in stored_files(folder, index):
        if not may_be_restored(file.name):
            raise SnapshotError(f"{file.name!r} in the snapshot is no product: not restored")
        target = folder.root / file.name
        if target.exists() and not file.equals(target):
            different.append(file.name)
    if different and not overwrite:
        shown = "\n  ".join(different[:10])
        raise SnapshotError(
            f"{len(different)} files lie here with other content than in the snapshot:\n  {shown}\n"
            "Nothing was restored. Store your own results first, move them away, or replace them "
            "with --overwrite."
        )


def write_files(folder: SnapshotFolder, index: SnapshotIndex) -> Restored:
    """Write everything; all files get one time, so that no input is newer than its output."""
    now = time.time_ns()
    restored = Restored()
    for file in stored_files(folder, index):
        target = folder.root / file.name
        if file.equals(target):
            restored.already_there += 1
        else:
            file.write(target)
            os.utime(target, ns=(now, now))
            restored.written += 1
    return restored


def missing_images(root: Path) -> dict[str, str]:
    """Prepared sets of a checkout of which images are not on this machine, with what to do.

    Images inside Python packages are not looked for: the environment brings them.
    """
    found = {}
    for path in sorted((root / SETS).glob(f"*/{FILE_NAME}")):
        name = path.parent.name
        try:
            files = _image_files(path)
        except (ManifestError, OSError) as error:
            found[name] = str(error)
            continue
        absent = [file for file in files if not file.exists()]
        if absent:
            found[name] = (
                f"{len(absent)} of {len(files)} images are not here, first {absent[0]}. "
                f"{_advice(root, name, absent)}"
            )
    return found


def _image_files(manifest: Path) -> list[Path]:
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
            f"config/datasets.yaml --originals {ORIGINALS} --downloads {DOWNLOADS} "
            f"--done {ORIGINALS}/{name}/fetched_again.json"
        )
    return (
        "The manifest names the folder that they lay in where the snapshot was made: put the set "
        "there too, or a link to your copy of it."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = command_parser("Bring back what a snapshot of a tier holds.")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that differ from the snapshot's"
    )
    options = parser.parse_args(argv)
    try:
        tier = check_tier(options.tier)
        with alone(ROOT / FOLDER):
            if is_running(ROOT):  # only where the file system knows no locks
                raise SnapshotError(
                    "Snakemake is running in this folder, or was killed: wait for it, or remove "
                    "its lock: snakemake --unlock"
                )
            restored = restore_snapshot(ROOT, tier, options.remote, options.overwrite)
    except (
        SnapshotError,
        StoreError,
        UnknownNameError,
        BusyError,
        UnwritableError,
        OSError,
    ) as error:
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
