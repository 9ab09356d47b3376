"""Store what a tier has finished: `python -m workflows.storage.snapshot --tier quick --remote ...`.

The files go through DVC to the remote; small pointers to them are written to `snapshots/<tier>/`
for git, with the tables' means (`metrics.json`). Equal results give equal pointers, and only what
is new is sent. docs/storage.md explains it; `python -m workflows.storage.restore` is the way back.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from operator import itemgetter
from pathlib import Path, PurePosixPath

from ndr.atomic_file import write_json
from ndr.nearest_name import UnknownNameError, check_names
from ndr.records.provenance import file_sha256
from ndr.records.table_result import TableResult, table_metrics
from ndr.specs.json_text import parsed_json
from ndr.specs.typed_file import SpecError, build, read_yaml
from workflows import DOWNLOADS, ORIGINALS, ROOT, SETS, WEIGHTS
from workflows.configuration import CONFIG, names_in
from workflows.storage.artefact_store import ArtefactStore, StoreError, pack
from workflows.storage.snakemake_records import (
    OutputRecord,
    finished_outputs,
    is_inside,
    is_running,
    records_of_tier,
)

PUBLISHED = (ORIGINALS, DOWNLOADS, WEIGHTS)
"""Folders of what others publish: a snapshot holds the notes about it (`*.json`), no image."""
RECORDS = "snakemake_records"
RESTORED = ("results", "benchmarks", "data", "reports", ".snakemake/metadata")
"""Folders that a snapshot may be unpacked into; of `reports/` only the page, which is no code."""
FORMAT = 1
INDEX = "index.json"
GIB = 2**30
_CHECKPOINT = re.compile(r"results/[^/]+/runs/([^/]+)/checkpoint\.safetensors")
_CURVE = re.compile(r"results/[^/]+/runs/([^/]+)/curve\.csv")


class SnapshotError(RuntimeError):
    """There is nothing to store, or nothing that can be restored."""


def may_be_restored(path: str) -> bool:
    """Whether a snapshot may write this file: products only, never code or configuration."""
    if not is_inside(path):
        return False
    if path.startswith("reports/"):
        return path == "reports/all_tables.html" or path.startswith("reports/assets/")
    return any(path.startswith(f"{folder}/") for folder in RESTORED)


@dataclass(slots=True)
class Contents:
    """Files of a snapshot, as paths relative to the checkout."""

    checkpoints: dict[str, str] = field(default_factory=dict)
    """Final weights by run."""
    curves: dict[str, str] = field(default_factory=dict)
    """Training curves by run."""
    archives: dict[str, set[str]] = field(default_factory=dict)
    """All others, by the archive that holds them. An archive changes as a whole: few files each."""
    sets_without_images: dict[str, int] = field(default_factory=dict)
    """Synthesised sets that are too large to be carried, with their bytes."""

    def add(self, archive: str, path: str) -> None:
        """Put a file into an archive; it must be one that a restore may write."""
        if not may_be_restored(path):
            raise ValueError(
                f"{path}: an output outside of {', '.join(RESTORED)}; a snapshot cannot hold it"
            )
        self.archives.setdefault(archive, set()).add(path)


def contents_of(
    root: Path, tier: str, records: Mapping[str, OutputRecord], largest_set: int
) -> Contents:
    """Collect what a snapshot of a tier holds, by the tier's records (`records_of_tier`).

    The images of a synthesised set of more than `largest_set` bytes stay behind.
    """
    contents = Contents()
    for record in records.values():
        contents.add(RECORDS, record.file.as_posix())
        for path in files_of(root, record.output):
            if match := _CHECKPOINT.fullmatch(path):
                contents.checkpoints[match[1]] = path
            elif match := _CURVE.fullmatch(path):
                contents.curves[match[1]] = path
            elif not path.startswith(PUBLISHED) or path.endswith(".json"):
                contents.add(_archive_of(path), path)
    for path in files_of(root, f"benchmarks/{tier}"):
        contents.add("benchmarks", path)
    sets = {path.split("/")[2] for path in records if path.startswith(f"{SETS}/")}
    for name in sorted(sets):
        _add_images(root, contents, name, largest_set)
    return contents


def files_of(root: Path, output: str) -> Iterator[str]:
    """The file that an output is, or the files inside it, in order; none where it was removed."""
    path = root / output
    if path.is_file():
        yield output
    elif path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.is_file() and not inner.is_symlink():
                yield inner.relative_to(root).as_posix()


def _archive_of(path: str) -> str:
    """Name of the archive of an output: one for each run, evaluation and set."""
    match PurePosixPath(path).parts:
        case ("results", _, kind, name, _, *_):
            return f"{kind}/{name}"
        case ("data", "sets", name, _, *_):
            return f"sets/{name}"
        case (top, *_):
            return top
    raise AssertionError(path)  # a path has a part


def _add_images(root: Path, contents: Contents, set_name: str, largest: int) -> None:
    """Add the images that were made for a set; published ones lie elsewhere and stay there."""
    declared = contents.archives.get(f"sets/{set_name}", set())
    images = [path for path in files_of(root, f"{SETS}/{set_name}") if path not in declared]
    size = sum((root / path).stat().st_size for path in images)
    if size > largest:
        contents.sets_without_images[set_name] = size
        return
    for path in images:
        contents.add(f"sets/{set_name}", path)


def folder_md5(folder: Path) -> str:
    """Hash of a folder as a pointer of DVC 3 holds it: of the list of its files and hashes."""
    files = []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        files.append({"md5": md5, "relpath": path.relative_to(folder).as_posix()})
    files.sort(key=itemgetter("relpath"))
    return hashlib.md5(json.dumps(files, sort_keys=True).encode()).hexdigest() + ".dir"


@dataclass(frozen=True, slots=True)
class SnapshotFolder:
    """`snapshots/<tier>/`: pointers and metrics for git, and the files while they are moved."""

    root: Path
    tier: str

    @property
    def path(self) -> Path:
        """The folder."""
        return self.root / "snapshots" / self.tier

    @property
    def archives(self) -> Path:
        """Tar files and their index; only there while a snapshot is stored or restored."""
        return self.path / "archives"

    @property
    def checkpoints(self) -> Path:
        """Final weights, `<run>.safetensors`; only there while they are moved."""
        return self.path / "checkpoints"

    @property
    def curves(self) -> Path:
        """Training curves, `<run>.csv`; they stay for `dvc plots`."""
        return self.path / "curves"

    @property
    def parts(self) -> tuple[Path, ...]:
        """Folders that DVC tracks, each with a pointer of its own."""
        return self.archives, self.checkpoints, self.curves

    def remove_copies(self) -> None:
        """Remove what is there only while it is moved."""
        for part in (self.archives, self.checkpoints):
            shutil.rmtree(part, ignore_errors=True)

    @property
    def pointers(self) -> list[Path]:
        """Pointers that exist."""
        pointers = (part.with_name(f"{part.name}.dvc") for part in self.parts)
        return [pointer for pointer in pointers if pointer.is_file()]

    def files(self) -> list[Path]:
        """What is moved, as it lies here now."""
        return [path for part in self.parts for path in part.rglob("*") if path.is_file()]

    def check_pointers(self) -> None:
        """Compare what was pulled with the hashes in git: a remote vouches only for itself.

        Raises:
            SnapshotError: a folder is not the one that was stored.
        """
        for pointer in self.pointers:
            folder = pointer.with_suffix("")
            try:
                wanted = read_yaml(pointer)["outs"][0]["md5"]
            except (SpecError, LookupError, TypeError) as error:
                raise SnapshotError(f"{pointer} is no pointer of DVC: {error}") from error
            if wanted != folder_md5(folder):
                raise SnapshotError(
                    f"{folder} is not what {pointer} stands for: the remote was changed. Nothing "
                    "was restored; remove .dvc/cache and try again, then ask who keeps the remote"
                )


@dataclass(frozen=True, slots=True)
class SnapshotIndex:
    """What a snapshot says of itself, beside its archives."""

    format: int
    tier: str
    snakemake: str
    """Version that wrote the records."""
    checkpoints: Mapping[str, str]
    """Place of each run's weights in the checkout."""
    curves: Mapping[str, str]
    sets_without_images: Mapping[str, int]
    sha256: Mapping[str, str]
    """Of every file, relative to the snapshot's folder."""

    def plain_files(self, folder: SnapshotFolder) -> Iterator[tuple[Path, str]]:
        """Files that are stored as they are, one per run, with their places in the checkout."""
        for run, path in self.checkpoints.items():
            yield folder.checkpoints / f"{run}.safetensors", path
        for run, path in self.curves.items():
            yield folder.curves / f"{run}.csv", path

    @classmethod
    def read(cls, folder: SnapshotFolder) -> SnapshotIndex:
        """Read a pulled snapshot's index and compare all files with its hashes.

        Raises:
            SnapshotError: there is none, it is of another version, or a file differs.
        """
        try:
            content = parsed_json((folder.archives / INDEX).read_bytes())
            found = content.get("format"), content.get("tier")
            if found != (FORMAT, folder.tier):
                raise SnapshotError(
                    f"expected a snapshot of format {FORMAT} and tier {folder.tier!r}, found "
                    f"{found}; take the version of the suite that made it"
                )
            index = build(cls, content)
        except (OSError, ValueError, AttributeError) as error:
            raise SnapshotError(f"the snapshot has no readable index: {error}") from error
        files = len(folder.files()) - 1
        if len(index.sha256) != files:
            raise SnapshotError(
                f"the snapshot's index names {len(index.sha256)} files, beside it lie {files}: "
                "make the snapshot anew"
            )
        for name, sha256 in index.sha256.items():
            path = folder.path / name
            if not path.is_file() or file_sha256(path) != sha256:
                raise SnapshotError(
                    f"{path} is missing or differs from what was stored; remove .dvc/cache and try "
                    "again, and if that fails make the snapshot anew"
                )
        return index


def take_snapshot(root: Path, tier: str, remote: str | None, largest_set: int) -> Contents:
    """Store a tier; returns what was stored.

    Args:
        root: folder of the checkout.
        tier: its finished outputs are stored; what runs at this moment is left out.
        remote: see `ArtefactStore.remote`.
        largest_set: bytes; the images of a larger synthesised set are left out.

    Raises:
        SnapshotError: the tier has no finished output.
        StoreError, UnknownNameError: see `ArtefactStore`.
        OSError: a file went while it was read, or the disk is full.
    """
    store = ArtefactStore(root)
    name = store.remote(remote)
    contents = contents_of(root, tier, records_of_tier(finished_outputs(root), tier), largest_set)
    if not contents.archives:
        raise SnapshotError(
            f"tier {tier!r} has no finished output here; run it first: "
            f"snakemake --cores all reports/all_tables.html --config tier={tier}"
        )
    folder = SnapshotFolder(root, tier)
    before = {pointer: pointer.read_bytes() for pointer in folder.pointers}
    try:
        stage(folder, contents)
        full = [part for part in folder.parts if part.is_dir()]
        for part in set(folder.parts) - set(full):
            part.with_name(f"{part.name}.dvc").unlink(missing_ok=True)
        store.add(full)
        store.push(folder.pointers, name)
    except StoreError:
        for pointer in folder.pointers:  # they lead nowhere
            pointer.unlink()
        for pointer, content in before.items():
            pointer.write_bytes(content)
        raise
    finally:
        folder.remove_copies()
    tables = sorted((root / "results" / tier / "tables").glob("*.json"))
    metrics = {path.stem: table_metrics(TableResult.read(path)) for path in tables}
    write_json(folder.path / "metrics.json", metrics)
    return contents


def stage(folder: SnapshotFolder, contents: Contents) -> None:
    """Lay the files out as DVC is to see them; equal contents give equal files."""
    for part in folder.parts:
        shutil.rmtree(part, ignore_errors=True)
    version, without = metadata.version("snakemake"), contents.sets_without_images
    runs = contents.checkpoints, contents.curves
    index = SnapshotIndex(FORMAT, folder.tier, version, *runs, without, {})
    for target, path in index.plain_files(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        _place(folder.root / path, target)
    for name, paths in contents.archives.items():
        pack(folder.archives / f"{name}.tar", {path: folder.root / path for path in paths})
    hashes = {p.relative_to(folder.path).as_posix(): file_sha256(p) for p in folder.files()}
    write_json(folder.archives / INDEX, asdict(replace(index, sha256=hashes)))


def _place(source: Path, target: Path) -> None:
    """Link a file, so that gigabytes are not copied; copy it where that cannot be."""
    try:
        # DVC replaces the link by a copy of its own: it never writes to a result.
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def check_tier(tier: str) -> str:
    """Return the name of a tier; raises `UnknownNameError` with the nearest names."""
    check_names("tier", [tier], names_in("tiers"))
    return tier


def command_parser(description: str) -> argparse.ArgumentParser:
    """Options that storing and restoring share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--tier", default=read_yaml(CONFIG / "config.yaml")["tier"], help="default: config.yaml's"
    )
    parser.add_argument(
        "--remote", metavar="NAME_OR_ADDRESS", help="default: DVC's, else the one named last"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = command_parser("Store what a tier has finished.")
    parser.add_argument(
        "--largest-set",
        type=float,
        default=4.0,
        metavar="GIB",
        help="the images of a larger synthesised set are left out (default 4)",
    )
    options = parser.parse_args(argv)
    try:
        tier = check_tier(options.tier)
        if is_running(ROOT):
            print("Snakemake is running here, or was killed: unfinished outputs are left out.")
        contents = take_snapshot(ROOT, tier, options.remote, int(options.largest_set * GIB))
    except (SnapshotError, StoreError, UnknownNameError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    files = sum(map(len, contents.archives.values()))
    print(f"{tier}: {len(contents.checkpoints)} checkpoints and {files} other files are stored.")
    for name, size in contents.sets_without_images.items():
        print(f"  without the images of {name} ({size / GIB:.1f} GiB): they can be made again")
    print(f"Now commit the pointers: git add snapshots/{tier} && git commit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
