"""Prepare a set of images: check or make its files, and write its manifest last.

Run it as `python -m ndr.data.prepare --set photographs_test --suite-seed 9 --sets data/sets`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.console import printable, start_logging
from ndr.data.catalogue import (
    Catalogue,
    FolderSet,
    PackagedSet,
    SubsetSet,
    SynthesisedSet,
    load_catalogue,
)
from ndr.data.derived_sets import subset_manifest, synthesised_manifest
from ndr.data.folder_set import folder_manifest, for_committing
from ndr.data.manifest import FILE_NAME, Manifest, ManifestError
from ndr.data.mirrors import add_mirror_options, given_mirrors, local_folder
from ndr.data.own_set import own_set, with_own_sets
from ndr.data.sample_photographs import check_photographs, photograph_manifest

log = logging.getLogger(__name__)

SMALLEST_SIDE = 16
"""Pixels that every protocol and metric can measure, see `ndr.metrics.protocol`."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where sets are read from and written to."""

    sets: Path
    """Prepared sets: `<sets>/<set>/manifest.csv`."""
    originals: Path = Path("data/originals")
    """Published sets as they were downloaded: `<originals>/<set>/`."""
    mirrors: tuple[Path, ...] = ()
    """Folders in the layout `<dataset>/<split>/{clean,degraded}/`."""

    def manifest(self, name: str) -> Manifest:
        """Read the manifest of a prepared set."""
        return Manifest.read(self.sets / name / FILE_NAME)


def commit_manifest(catalogue: Catalogue, name: str, places: Places) -> Path:
    """Write the committed manifest of a published set from a trusted, complete copy."""
    entry = catalogue.entry(name)
    if not isinstance(entry, FolderSet):
        raise ValueError(
            f"only published sets are committed from files, {name!r} is {entry.kind}; for "
            "packaged ones run python -m ndr.data.sample_photographs"
        )
    manifest = folder_manifest(
        name,
        entry,
        places.sets / name,
        originals=places.originals,
        mirrors=places.mirrors,
        partial=False,
    )
    path = catalogue.committed_manifest(name)
    for_committing(manifest).write(path)
    return path


def remove_manifest(folder: Path) -> None:
    """Remove what an earlier preparation, finished or cut off, left of a manifest.

    Without it nobody takes the rest of the folder for complete.
    """
    (folder / FILE_NAME).unlink(missing_ok=True)
    for partial in folder.glob(".manifest.*"):
        partial.unlink()


def _warn_of_small_images(name: str, manifest: Manifest) -> None:
    """Say which images some protocols cannot measure, before anything is trained for them."""
    small = [row for row in manifest.rows if min(row.width, row.height) < SMALLEST_SIDE]
    if small:
        log.warning(
            "%s: %d of %d images are smaller than %d pixels, first %s (%dx%d): protocols that look "
            "at more pixels together leave them out, and such a test set has no number there",
            *(name, len(small), len(manifest.rows), SMALLEST_SIDE),
            *(small[0].name, small[0].width, small[0].height),
        )


def prepare_set(
    catalogue: Catalogue, name: str, places: Places, suite_seed: int, partial: bool = False
) -> Manifest:
    """Prepare one set and write its manifest; an earlier preparation of it is replaced.

    What it is made from must be prepared. With `partial` a published set may be there in part.

    Raises:
        UnknownNameError: no such set.
        ValueError, OSError: what is wrong with the files, see the kinds of sets.
    """
    entry = catalogue.entry(name)
    folder = places.sets / name
    sources = {source: places.manifest(source) for source in entry.made_from}
    committed_path = catalogue.committed_manifest(name)
    committed = None
    if isinstance(entry, PackagedSet) or (
        isinstance(entry, FolderSet) and committed_path.is_file()
    ):
        committed = Manifest.read(committed_path), committed_path
    earlier = None
    if isinstance(entry, FolderSet):
        # What an earlier preparation found, where it was finished and can be read.
        with contextlib.suppress(FileNotFoundError, ManifestError):
            earlier = Manifest.read(folder / FILE_NAME)
    remove_manifest(folder)
    if isinstance(entry, SynthesisedSet):
        for written in ("clean", "degraded"):
            if (folder / written).exists():
                shutil.rmtree(folder / written)
        manifest = synthesised_manifest(name, entry, sources[entry.source], folder, suite_seed)
    elif isinstance(entry, SubsetSet):
        without = {other: sources[other] for other in entry.without}
        manifest = subset_manifest(name, entry, sources[entry.source], without, folder)
    elif isinstance(entry, PackagedSet):
        manifest = photograph_manifest(entry, folder)
        assert committed is not None  # it was read above
        check_photographs(committed[0], manifest, committed_path)
    else:
        manifest = folder_manifest(
            name,
            entry,
            folder,
            originals=places.originals,
            mirrors=places.mirrors,
            partial=partial,
            committed=committed,
            earlier=earlier,
        )
    identity = {"identity": catalogue.identity(name, suite_seed)}
    manifest = dataclasses.replace(manifest, notes={**manifest.notes, **identity})
    manifest.write(folder / FILE_NAME)
    _warn_of_small_images(name, manifest)
    return manifest


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Prepare a set of images.")
    parser.add_argument("--set", required=True, dest="name", metavar="NAME")
    parser.add_argument("--catalogue", type=Path, default=Path("config/datasets.yaml"))
    parser.add_argument("--suite-seed", type=int, required=True)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the prepared sets")
    parser.add_argument("--originals", type=Path, default=Path("data/originals"))
    add_mirror_options(parser, "a folder with the set; addresses are passed over")
    parser.add_argument(
        "--partial", action="store_true", help="accept a published set of which a part is there"
    )
    parser.add_argument(
        "--own", type=Path, metavar="DIR", help="a set of one's own: its folder, not the catalogue"
    )
    parser.add_argument(
        "--own-scale", type=int, default=1, help="its clean images over the degraded ones, in size"
    )
    parser.add_argument(
        "--commit-manifest",
        action="store_true",
        help="do not prepare: write the committed manifest of a published set",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare one set; errors end with their message and exit status 1."""
    options = _parser().parse_args(arguments)
    start_logging()
    try:
        catalogue = load_catalogue(options.catalogue)
        originals = options.originals
        if options.own is not None:
            own = own_set(options.name, options.own, options.own_scale)
            catalogue = with_own_sets(catalogue, {options.name: own})
            originals = Path(own.folder).parent
        folders = (local_folder(mirror) for mirror in given_mirrors(options))
        places = Places(options.sets, originals, tuple(path for path in folders if path))
        if options.commit_manifest:
            print(commit_manifest(catalogue, options.name, places))
            return
        manifest = prepare_set(catalogue, options.name, places, options.suite_seed, options.partial)
    except (ValueError, OSError) as error:
        sys.exit(printable(f"{options.name}: {error}"))
    print(
        f"{options.name}: {len(manifest.rows)} of {manifest.expected} images, "
        f"identity {manifest.sha256[:16]}"
    )


if __name__ == "__main__":
    main()
