"""What image sets weigh: bytes still to be downloaded, and bytes on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class DataVolumes:
    """Volumes of the sets that are not prepared yet."""

    root: Path
    """Folder of the checkout."""
    catalogue: Catalogue
    mirrors: Sequence[str]
    """`data_mirrors` of the configuration; a set in a folder there is used in place."""
    png_share: Mapping[str, float]
    """See `config/costs.yaml`."""
    _shared_files: set[str] = field(default_factory=set)

    def needed(self, sets: Iterable[str]) -> list[str]:
        """The sets, and all that they are made from, each once."""
        names: dict[str, None] = {}
        for name in sets:
            names.update(dict.fromkeys([*self.catalogue.sources(name), name]))
        return list(names)

    def of(self, name: str) -> SetVolume:
        """Volumes of one set, without what it is made from; asked for once per set."""
        if (self.root / SETS / name / FILE_NAME).is_file():
            return SetVolume()
        entry = self.catalogue.entry(name)
        if isinstance(entry, SynthesisedSet):
            return SetVolume(disk=self._synthesised(name, entry))
        if isinstance(entry, FolderSet) and not self._is_here(name, entry):
            download = self._download(name, entry)
            # The archive stays beside what it was unpacked to; images hardly pack smaller.
            return SetVolume(download, download + download)
        return SetVolume()

    def _is_here(self, name: str, entry: FolderSet) -> bool:
        places = [self.root / ORIGINALS / name]
        places += [
            Path(mirror) / layout.dataset
            for mirror in self.mirrors
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
        """From the sizes of its sources' images; unknown where no manifest tells them."""
        prepared = self.root / SETS / entry.source / FILE_NAME
        for path in (prepared, self.catalogue.committed_manifest(entry.source)):
            if path.is_file():
                rows = Manifest.read(path).rows[: entry.limit]
                pixels = sum(3 * row.width * row.height for row in rows)
                share = self.png_share.get(entry.degradation, self.png_share["other"])
                return Volume(round(pixels * entry.variants * share))
        return Volume(unknown=frozenset({name}))
