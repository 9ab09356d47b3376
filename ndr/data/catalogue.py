"""The catalogue of image sets: what `config/datasets.yaml` says, checked.

Planning reads it while the workflow is parsed, so this module imports neither NumPy nor PyTorch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, ClassVar, Literal

from ndr.data.fetch.source import Download, Sha256, Terms
from ndr.data.manifest import Manifest
from ndr.nearest_name import UnknownNameError, check_names, named_entry
from ndr.specs.typed_file import (
    SpecError,
    at_least,
    canonical_json,
    filled,
    named,
    plain,
    read_yaml_spec,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What every set has."""

    not_in_identity: ClassVar[tuple[str, ...]] = ()
    """Keys of a kind of set, beside words for readers, that change neither a pixel nor a name."""

    title: str
    paper_name: str = ""
    """The set of the paper that it is, or stands in for."""
    licence: str
    attribution: tuple[str, ...] = ()
    """Lines that a report with these images must print."""
    citation: str = ""

    @property
    def made_from(self) -> tuple[str, ...]:
        """Sets that must be prepared before this one."""
        return ()

    def identity_content(self) -> dict[str, Any]:
        """The part of the entry that its identity hashes."""
        left_out = {field.name for field in fields(Entry)} | set(self.not_in_identity)
        return {key: value for key, value in plain(self).items() if key not in left_out}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedSet(Entry):
    """Photographs inside installed Python packages, read in place."""

    not_in_identity = ("packages",)

    kind: Literal["packaged"]
    images: Annotated[dict[str, str], filled]
    """Image name to `<python package>/<path inside>`."""
    packages: dict[str, str] = field(default_factory=dict)
    """Python package to what installs it, e.g. `skimage: scikit-image==0.26.0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disparity:
    """A measured disparity map (pixels) that belongs to an image of the source set."""

    file: str
    """`<python package>/<path inside>` of an .npz file with one array (H, W)."""
    sha256: Sha256
    offset: float = 0.0
    """Difference of the two principal points in pixels: depth goes as 1 / (disparity + offset)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisedSet(Entry):
    """Images of another set, degraded by a seeded synthesis."""

    kind: Literal["synthesised"]
    source: str = field(metadata=named("from"))
    degradation: str
    variants: Annotated[int, at_least(1)] = 1
    """Degraded versions per image."""
    limit: Annotated[int, at_least(1)] | None = None
    """Take the first images of the source only."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Named arguments of the synthesis that differ from its defaults. A name that ends in
    `_cycle`, at any depth, holds a list: degraded image n of the set (from 0, counted over images
    and their variants) gets its value n modulo the list's length."""
    disparity: dict[str, Disparity] = field(default_factory=dict)
    """Measured disparity by image name; depth is generated for the others."""
    apply_to: Literal["clean", "degraded"] = "clean"
    """What is degraded: the clean images, or further the degraded images of a set of pairs."""

    @property
    def made_from(self) -> tuple[str, ...]:
        """The set whose images are degraded."""
        return (self.source,)

    def identity_content(self) -> dict[str, Any]:
        """The part of the entry that its identity hashes; `apply_to` only where it is not clean."""
        content = Entry.identity_content(self)  # slots and super() do not go together
        if self.apply_to == "clean":
            del content["apply_to"]
        return content

    def __post_init__(self) -> None:
        if self.disparity and (self.degradation != "haze" or self.apply_to != "clean"):
            raise SpecError(
                f"disparity serves haze, not {self.degradation!r}, and clean images: remove it"
            )
        _check_cycles(self.parameters)


def _check_cycles(parameters: Mapping[str, Any]) -> None:
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            _check_cycles(value)
        elif str(key).endswith("_cycle") and not (isinstance(value, list) and value):
            raise SpecError(f"{key}: expected a list of values, found {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetSet(Entry):
    """The images of a set that are not, pixel by pixel, clean images of others."""

    kind: Literal["subset"]
    source: str = field(metadata=named("from"))
    without: Annotated[tuple[str, ...], filled]
    """Sets whose clean images, known by the hash of their pixels, are left out."""
    expected: Annotated[int, at_least(1)] | None = None
    """Images that stay when all sets are complete, where that is known."""

    @property
    def made_from(self) -> tuple[str, ...]:
        """The set, then those that are left out."""
        return (self.source, *self.without)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way in which the files of a set are published: globs and names, as data."""

    dataset: str | None = None
    """Folder to look for in the mirrors, if not the set's own name in the originals."""
    clean: tuple[str, ...] = ()
    """Globs relative to the set's folder; none for photographs without ground truth."""
    degraded: tuple[str, ...] = ()
    """Globs of the degraded images; none where the degradation is synthetic."""
    clean_name: str = ""
    """Regular expression for the clean file's name without its ending, with a group `key`."""
    degraded_name: str = ""
    """The same for the degraded file; further groups become parameters."""
    name_parts: Annotated[int, at_least(1)] = 1
    """How many last parts of a path the expressions see: 2 for `<folder>/<file>`."""

    def __post_init__(self) -> None:
        if not self.clean and not self.degraded:
            raise SpecError("expected globs of clean or of degraded images, found none")
        for side in ("clean", "degraded"):
            if bool(getattr(self, side)) != bool(getattr(self, f"{side}_name")):
                raise SpecError(f"{side} and {side}_name stand together, or neither does")
        for pattern in filter(None, (self.clean_name, self.degraded_name)):
            if "key" not in compiled(pattern).groupindex:
                raise SpecError(f"{pattern!r} has no group (?P<key>...)")


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression of the catalogue; raises ValueError where it is none."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SpecError(f"{pattern!r} is no regular expression: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedLines:
    """Lines of a list that a rule gives: one per number."""

    line: str
    """Format with the field `number`."""
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedList:
    """A list of a set's files that others publish, known by its hash.

    The suite makes the lines from the files that it found and compares hashes; the list itself
    is not part of it.
    """

    line: str
    """One line per image: a format with the groups of the file's name."""
    sha256: Sha256
    """Of the distinct lines in byte order, each ended by a line feed."""
    source: str
    """Where the list is published."""
    ranges: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Further fields of `line`: value by the range (first, last) in which the key's number lies."""
    also: tuple[NumberedLines, ...] = ()
    """Lines of the list that are not of this set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSet(Entry):
    """A published set, found in a folder by one of its layouts, and how it is fetched."""

    not_in_identity: ClassVar[tuple[str, ...]] = (
        *("published_list", "published", "terms", "downloads", "clean_border"),
    )

    kind: Literal["folder"]
    reference: bool = True
    """Whether there is ground truth; without, all images are degraded photographs."""
    scale: Annotated[int, at_least(1)] = 1
    """Side of a clean image over that of its degraded one."""
    clean_border: Annotated[int, at_least(0)] = 0
    """Pixels on each side that clean images have more than degraded ones in some copies: cut off.
    Copies without them have the same pixels, and so are the same set."""
    expected: Annotated[int, at_least(1)]
    """Images (of pairs: degraded images) of the complete set."""
    also_expected: tuple[int, ...] = ()
    """Other numbers of images that complete copies have."""
    expected_clean: Annotated[int, at_least(1)] | None = None
    """Clean images, where several pairs share one."""
    only_committed: bool = False
    """The set is a part of what the layouts find: the names in its committed manifest."""
    keys: str = ""
    """The set is a part of what the layouts find: regular expression for its keys."""
    name: str = "{key}"
    """Name of an image, put together from the groups of the file's name."""
    scene: str = "{key}"
    """Scene of an image; pixel-identical clean images are one scene besides."""
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    """Number that the text of a group stands for, e.g. -1.5 for `N1.5`; else it is one itself."""
    layouts: Annotated[tuple[Layout, ...], filled]
    published_list: PublishedList | None = None
    published: Annotated[tuple[str, ...], filled]
    """Where the set can be had."""
    terms: str | None = None
    """Name of the licence that must be accepted once before a download; None: free."""
    downloads: tuple[Download, ...] = ()
    """All files of the set; they lie below `data/originals/<set>/` once fetched."""

    def __post_init__(self) -> None:
        for layout in self.layouts:
            if bool(layout.clean) != self.reference:
                raise SpecError(
                    "a layout names clean images where there is ground truth (reference: true), "
                    f"and none otherwise; found reference: {str(self.reference).lower()}"
                )
            groups = re.compile(layout.degraded_name or layout.clean_name).groupindex
            for text in (self.name, self.scene):
                check_names(f"group in {text!r}", _format_fields(text), groups)
            if self.published_list is not None:
                line = self.published_list.line
                known = [*groups, *self.published_list.ranges]
                check_names(f"group in {line!r}", _format_fields(line), known)
        if self.keys:
            compiled(self.keys)
        pairs = all(layout.clean and layout.degraded for layout in self.layouts)
        if self.scale != 1 and not pairs:
            raise SpecError("scale says how much smaller degraded images are: it needs pairs")


def _format_fields(text: str) -> list[str]:
    return [field for _, field, _, _ in Formatter().parse(text) if field is not None]


SetEntry = PackagedSet | SynthesisedSet | SubsetSet | FolderSet


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    terms: dict[str, Terms] = field(default_factory=dict)
    sets: dict[str, SetEntry]


def _hash(content: Any) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All sets by name, the folder of the committed manifests, and the licences by name."""

    entries: Mapping[str, SetEntry]
    manifests: Path
    terms: Mapping[str, Terms] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, entry in self.entries.items():
            if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name):
                raise SpecError(
                    f"set {name!r}: expected lower-case letters and digits, joined by single '_'"
                )
            try:
                self.sources(name)
            except UnknownNameError as error:
                raise SpecError(f"set {name!r}: from: {error}") from error
            if isinstance(entry, FolderSet) and entry.terms is not None:
                try:
                    check_names("licence", [entry.terms], self.terms)
                except UnknownNameError as error:
                    raise SpecError(f"set {name!r}: terms: {error}") from error

    def entry(self, name: str) -> SetEntry:
        """The entry of a set; raises `UnknownNameError` with the nearest names."""
        return named_entry("set", name, self.entries)

    def committed_manifest(self, name: str) -> Path:
        """Where the committed manifest of a set lies, if it has one."""
        return self.manifests / f"{name}.csv"

    def sources(self, name: str, above: tuple[str, ...] = ()) -> list[str]:
        """All sets that must be prepared before this one, in an order that serves.

        `above` are the sets that are made from this one.
        """
        order: dict[str, None] = {}
        above = (*above, name)
        for source in self.entry(name).made_from:
            if source in above:
                raise SpecError(
                    f"set {source!r} is made from itself: {', '.join((*above, source))}"
                )
            order.update(dict.fromkeys([*self.sources(source, above), source]))
        return list(order)

    def identity(self, name: str, suite_seed: int) -> str:
        """Hash of everything that decides the images of a set (64 hexadecimal digits).

        Packaged sets and folder sets with a committed manifest: the hash of that manifest.
        Synthesised sets: of the entry, the identity of the source, and the suite's seed. Subsets:
        of the entry and the identities of all its sources. Folder sets without a manifest: of the
        entry. Words for readers (title, licence ...) and downloads do not count.
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
        SpecError: no YAML, a misspelt key (with the nearest valid one), a wrong value.
    """
    path = Path(path)
    file = read_yaml_spec(_File, path)
    try:
        return Catalogue(file.sets, path.parent / "manifests", file.terms)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error
