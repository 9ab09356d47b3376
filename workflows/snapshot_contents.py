"""Which files a snapshot of a tier holds, and under which names.

Snakemake's own records decide: a snapshot holds every finished output of the tier, with all that
it was made from inside the checkout, and the records themselves. Beside them go what the rules
write without declaring it: synthesised images, and the measured times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from workflows.snakemake_records import OutputRecord

SETS = "data/sets"
PUBLISHED = ("data/originals", "data/downloads", "data/weights")
"""Folders of what others publish: a snapshot holds the notes about it (`*.json`), no image."""
RECORDS = "snakemake_records"
RESTORED = ("results", "benchmarks", "data", "reports", ".snakemake/metadata")
"""Folders that a snapshot may be unpacked into; of `reports/` only the page, which is no code."""
_CHECKPOINT = re.compile(r"results/[^/]+/runs/([^/]+)/checkpoint\.safetensors")
_CURVE = re.compile(r"results/[^/]+/runs/([^/]+)/curve\.csv")


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
    """Collect what a snapshot holds.

    Args:
        root: folder of the checkout.
        tier: the tier.
        records: its records (`records_of_tier`).
        largest_set: bytes; the images of a larger synthesised set stay behind.
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
    _add_images(root, contents, _sets(records), largest_set)
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


def _sets(records: Iterable[str]) -> list[str]:
    """Prepared sets among the outputs."""
    return sorted({path.split("/")[2] for path in records if path.startswith(f"{SETS}/")})


def _add_images(root: Path, contents: Contents, sets: list[str], largest: int) -> None:
    """Add the images that were made for a set; published ones lie elsewhere and stay there."""
    for name in sets:
        declared = contents.archives.get(f"sets/{name}", set())
        images = [path for path in files_of(root, f"{SETS}/{name}") if path not in declared]
        size = sum((root / path).stat().st_size for path in images)
        if size > largest:
            contents.sets_without_images[name] = size
            continue
        for path in images:
            contents.add(f"sets/{name}", path)


def may_be_restored(path: str) -> bool:
    """Whether a snapshot may write this file: products only, never code or configuration."""
    if path.startswith("reports/"):
        return path == "reports/all_tables.html" or path.startswith("reports/assets/")
    return any(path.startswith(f"{folder}/") for folder in RESTORED)
