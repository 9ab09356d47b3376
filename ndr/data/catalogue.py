"""The catalogue of image sets: what `config/datasets.yaml` says, checked.

Planning reads it while the workflow is parsed, so this module imports neither NumPy nor PyTorch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from ndr.data.checked_section import CheckedSection
from ndr.data.fetch.source import Terms
from ndr.data.manifest import Manifest
from ndr.data.set_entries import FolderSet, PackagedSet, SubsetSet, SynthesisedSet
from ndr.nearest_name import UnknownNameError, check_names, unknown_name


class CatalogueError(ValueError):
    """A catalogue that contradicts itself; the message names the entry and the key."""


SetEntry = PackagedSet | SynthesisedSet | SubsetSet | FolderSet


class _File(CheckedSection):
    terms: dict[str, Terms] = Field(default_factory=dict)
    sets: dict[str, Annotated[SetEntry, Field(discriminator="kind")]]


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All sets by name, the folder of the committed manifests, and the licences by name."""

    entries: Mapping[str, SetEntry]
    manifests: Path
    terms: Mapping[str, Terms] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, entry in self.entries.items():
            if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name):
                raise CatalogueError(
                    f"set {name!r}: expected lower-case letters and digits, joined by single '_'"
                )
            try:
                self.sources(name)
            except UnknownNameError as error:
                raise CatalogueError(f"set {name!r}: from: {error}") from error
            if isinstance(entry, FolderSet) and entry.terms is not None:
                try:
                    check_names("licence", [entry.terms], self.terms)
                except UnknownNameError as error:
                    raise CatalogueError(f"set {name!r}: terms: {error}") from error

    def entry(self, name: str) -> SetEntry:
        """The entry of a set; raises `UnknownNameError` with the nearest names."""
        if name not in self.entries:
            raise unknown_name("set", name, self.entries)
        return self.entries[name]

    def committed_manifest(self, name: str) -> Path:
        """Where the committed manifest of a set lies, if it has one."""
        return self.manifests / f"{name}.csv"

    def sources(self, name: str) -> list[str]:
        """All sets that must be prepared before this one, in an order that serves."""
        order: dict[str, None] = {}
        self._add_sources(name, (name,), order)
        return list(order)

    def _add_sources(self, name: str, above: tuple[str, ...], order: dict[str, None]) -> None:
        for source in self.entry(name).made_from:
            if source in above:
                raise CatalogueError(
                    f"set {source!r} is made from itself: {', '.join((*above, source))}"
                )
            if source not in order:
                self._add_sources(source, (*above, source), order)
                order[source] = None

    def identity(self, name: str, suite_seed: int) -> str:
        """Hash of everything that decides the images of a set (64 hexadecimal digits).

        Packaged sets and folder sets with a committed manifest: the hash of that manifest.
        Synthesised sets: of the entry, the identity of the source, and the suite's seed. Subsets:
        of the entry and the identities of all its sources. Folder sets without a manifest: of the
        entry. Words for readers (title, licence ...) and downloads do not count.

        Raises:
            UnknownNameError: no such set.
            FileNotFoundError: a packaged set without its committed manifest.
        """
        entry = self.entry(name)
        if isinstance(entry, SynthesisedSet):
            content = {
                "set": name,  # the synthesis is seeded by it
                "entry": entry.identity_content(),
                "source": self.identity(entry.source, suite_seed),
                "suite_seed": suite_seed,
            }
            return _hash(content)
        if isinstance(entry, SubsetSet):
            sources = [self.identity(source, suite_seed) for source in entry.made_from]
            return _hash({"set": name, "entry": entry.identity_content(), "sources": sources})
        manifest = self.committed_manifest(name)
        if manifest.is_file():
            return Manifest.read(manifest).sha256
        if isinstance(entry, PackagedSet):
            raise FileNotFoundError(
                f"{manifest}: the committed manifest of {name!r} is missing; write it: "
                f"python -m ndr.data.sample_photographs --write {self.manifests}"
            )
        return _hash({"set": name, "entry": entry.identity_content()})

    def attributions(self, set_names: Iterable[str]) -> list[str]:
        """Lines that a report with images of these sets must print, each once, in their order."""
        lines: dict[str, None] = {}
        for name in set_names:
            entry = self.entry(name)
            lines.update(dict.fromkeys(entry.attribution))
            while isinstance(entry, SynthesisedSet | SubsetSet):
                entry = self.entry(entry.source)
                lines.update(dict.fromkeys(entry.attribution))
        return list(lines)


def load_catalogue(path: str | Path) -> Catalogue:
    """Read and check the catalogue; committed manifests lie beside it in `manifests/`.

    Raises:
        FileNotFoundError: no such file.
        CatalogueError: no YAML, a misspelt key (with the nearest valid one), a wrong value.
    """
    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
        file = _File.model_validate(content)
        return Catalogue(file.sets, path.parent / "manifests", file.terms)
    except yaml.YAMLError as error:
        raise CatalogueError(f"{path}: not a YAML file: {error}") from error
    except ValidationError as error:
        raise CatalogueError(f"{path}: {_first_problems(error)}") from error
    except CatalogueError as error:
        raise CatalogueError(f"{path}: {error}") from error


def _first_problems(error: ValidationError, count: int = 5) -> str:
    problems = [
        f"{'.'.join(str(part) for part in problem['loc'])}: "
        + problem["msg"].removeprefix("Value error, ")
        for problem in error.errors(include_url=False)[:count]
    ]
    return "; ".join(problems)


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
