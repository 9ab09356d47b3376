"""What image sets weigh: bytes still to be downloaded, and bytes on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ndr.data.catalogue import Catalogue, FolderSet, SynthesisedSet
from ndr.data.manifest import FILE_NAME, Manifest
from workflows import ORIGINALS, SETS


@dataclass(frozen=True, slots=True)
class Volume:
    """Bytes, and the names of what has no known size."""

    bytes: int = 0
    unknown: frozenset[str] = field(default_factory=frozenset)

    def __add__(self, other: Volume) -> Volume:
        return Volume(self.bytes + other.bytes, self.unknown | other.unknown)


@dataclass(frozen=True, slots=True)
class SetVolume:
    """One set as far as it is not there yet."""

    download: Volume = field(default_factory=Volume)
    disk: Volume = field(default_factory=Volume)


class DataVolumes:
    """Volumes of the sets that are not prepared yet.

    Args:
        root: folder of the checkout.
        catalogue: all sets.
        mirrors: `data_mirrors` of the configuration; a set in a folder there is used in place.
        png_share: see `config/costs.yaml`.
    """

    def __init__(
        self,
        root: Path,
        catalogue: Catalogue,
        mirrors: Iterable[str],
        png_share: Mapping[str, float],
    ) -> None:
        self._root = root
        self._catalogue = catalogue
        self._mirrors = tuple(mirrors)
        self._png_share = png_share
        self._shared_files: set[str] = set()

    def needed(self, sets: Iterable[str]) -> list[str]:
        """The sets, and all that they are made from, each once."""
        names: dict[str, None] = {}
        for name in sets:
            names.update(dict.fromkeys([*self._catalogue.sources(name), name]))
        return list(names)

    def of(self, name: str) -> SetVolume:
        """Volumes of one set, without what it is made from; asked for once per set."""
        if (self._root / SETS / name / FILE_NAME).is_file():
            return SetVolume()
        entry = self._catalogue.entry(name)
        if isinstance(entry, SynthesisedSet):
            return SetVolume(disk=self._synthesised(name, entry))
        if isinstance(entry, FolderSet) and not self._is_here(name, entry):
            download = self._download(name, entry)
            # The archive stays beside what it was unpacked to; images hardly pack smaller.
            return SetVolume(download, download + download)
        return SetVolume()

    def _is_here(self, name: str, entry: FolderSet) -> bool:
        places = [self._root / ORIGINALS / name]
        places += [
            Path(mirror) / layout.dataset
            for mirror in self._mirrors
            for layout in entry.layouts
            if layout.dataset
        ]
        return any(place.is_dir() and any(place.iterdir()) for place in places)

    def _download(self, name: str, entry: FolderSet) -> Volume:
        total = Volume() if entry.downloads else Volume(unknown=frozenset({name}))
        for download in entry.downloads:
            if download.shared:  # several sets lie in one file
                if download.file in self._shared_files:
                    continue
                self._shared_files.add(download.file)
            size = download.bytes
            total += Volume(size) if size is not None else Volume(unknown=frozenset({name}))
        return total

    def _synthesised(self, name: str, entry: SynthesisedSet) -> Volume:
        pixels = self._pixel_bytes(entry.source, entry.limit)
        if pixels is None:
            return Volume(unknown=frozenset({name}))
        share = self._png_share.get(entry.degradation, self._png_share["other"])
        return Volume(round(pixels * entry.variants * share))

    def _pixel_bytes(self, name: str, limit: int | None) -> int | None:
        """Bytes of the decoded images of a set; None where no manifest tells their sizes."""
        prepared = self._root / SETS / name / FILE_NAME
        for path in (prepared, self._catalogue.committed_manifest(name)):
            if path.is_file():
                rows = Manifest.read(path).rows[:limit]
                return sum(3 * row.width * row.height for row in rows)
        return None
