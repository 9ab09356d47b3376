"""The catalogue of image sets: what `config/datasets.yaml` says, checked.

Planning reads it while the workflow is parsed, so this module imports neither NumPy nor PyTorch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ndr.data.manifest import Manifest
from ndr.nearest_name import UnknownNameError, check_names, unknown_name


class CatalogueError(ValueError):
    """A catalogue that contradicts itself; the message names the entry and the key."""


class _Checked(BaseModel):
    """A section of the catalogue: frozen, and a misspelt key is an error with the nearest one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        if isinstance(content, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            check_names("key", (str(key) for key in content), known)
        return content


class _Entry(_Checked):
    """What every set has."""

    identity_keys: ClassVar[tuple[str, ...]]
    """Keys that can change a pixel or a name; the others are words for readers."""

    title: str
    paper_name: str = ""
    """The set of the paper that it is, or stands in for."""
    licence: str
    attribution: tuple[str, ...] = ()
    """Lines that a report with these images must print."""
    citation: str = ""

    def identity_content(self) -> dict[str, Any]:
        """The part of the entry that its identity hashes."""
        return self.model_dump(mode="json", include=set(self.identity_keys), by_alias=True)


class PackagedSet(_Entry):
    """Photographs inside installed Python packages, read in place."""

    identity_keys = ("kind", "images")

    kind: Literal["packaged"]
    images: Annotated[dict[str, str], Field(min_length=1)]
    """Image name to `<python package>/<path inside>`."""
    packages: dict[str, str] = {}
    """Python package to what installs it, e.g. `skimage: scikit-image==0.26.0`."""


class Disparity(_Checked):
    """A measured disparity map (pixels) that belongs to an image of the source set."""

    file: str
    """`<python package>/<path inside>` of an .npz file with one array (H, W)."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    offset: float = 0.0
    """Difference of the two principal points in pixels: depth goes as 1 / (disparity + offset)."""


class SynthesisedSet(_Entry):
    """Images of another set, degraded by a seeded synthesis."""

    identity_keys = (
        "kind",
        "source",
        "degradation",
        "variants",
        "limit",
        "parameters",
        "disparity",
    )

    kind: Literal["synthesised"]
    source: str = Field(alias="from")
    degradation: str
    variants: Annotated[int, Field(ge=1)] = 1
    """Degraded versions per image."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Take the first images of the source only."""
    parameters: dict[str, Any] = {}
    """Named arguments of the synthesis that differ from its defaults."""
    disparity: dict[str, Disparity] = {}
    """Measured disparity by image name; depth is generated for the others."""

    @model_validator(mode="after")
    def _disparity_is_for_haze(self) -> SynthesisedSet:
        if self.disparity and self.degradation != "haze":
            raise ValueError(f"disparity serves haze, not {self.degradation!r}: remove it")
        return self


class Layout(_Checked):
    """One way in which the files of a set are published: globs and names, as data."""

    dataset: str | None = None
    """Folder to look for in the mirrors, if not the set's own name in the originals."""
    clean: Annotated[tuple[str, ...], Field(min_length=1)]
    """Globs relative to the set's folder."""
    degraded: tuple[str, ...] = ()
    """Globs of the degraded images; none where the degradation is synthetic."""
    clean_name: str
    """Regular expression for the clean file's name without its ending, with a group `key`."""
    degraded_name: str = ""
    """The same for the degraded file; further groups become parameters."""

    @model_validator(mode="after")
    def _patterns_have_a_key(self) -> Layout:
        if bool(self.degraded) != bool(self.degraded_name):
            raise ValueError("degraded and degraded_name stand together, or neither does")
        for pattern in filter(None, (self.clean_name, self.degraded_name)):
            try:
                groups = re.compile(pattern).groupindex
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
            if "key" not in groups:
                raise ValueError(f"{pattern!r} has no group (?P<key>...)")
        return self


class FolderSet(_Entry):
    """A published set whose files the user places in a folder, or that a mirror holds."""

    identity_keys = (
        "kind",
        "expected",
        "expected_clean",
        "only_committed",
        "name",
        "scene",
        "layouts",
    )

    kind: Literal["folder"]
    expected: Annotated[int, Field(ge=1)]
    """Images (of pairs: degraded images) of the complete set."""
    expected_clean: Annotated[int, Field(ge=1)] | None = None
    """Clean images, where several pairs share one."""
    only_committed: bool = False
    """The set is a part of what the layouts find: the names in its committed manifest."""
    name: str = "{key}"
    """Name of an image, put together from the groups of the file's name."""
    scene: str = "{key}"
    """Scene of an image; pixel-identical clean images are one scene besides."""
    layouts: Annotated[tuple[Layout, ...], Field(min_length=1)]
    published: Annotated[tuple[str, ...], Field(min_length=1)]
    """Where the set can be had."""

    @model_validator(mode="after")
    def _names_use_groups_of_the_patterns(self) -> FolderSet:
        for layout in self.layouts:
            groups = re.compile(layout.degraded_name or layout.clean_name).groupindex
            for text in (self.name, self.scene):
                fields = (field for _, field, _, _ in Formatter().parse(text) if field is not None)
                check_names(f"group in {text!r}", fields, groups)
        return self


SetEntry = PackagedSet | SynthesisedSet | FolderSet


class _File(_Checked):
    sets: dict[str, Annotated[SetEntry, Field(discriminator="kind")]]


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All sets by name, and the folder of the committed manifests."""

    entries: Mapping[str, SetEntry]
    manifests: Path

    def __post_init__(self) -> None:
        for name in self.entries:
            if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name):
                raise CatalogueError(
                    f"set {name!r}: expected lower-case letters and digits, joined by single '_'"
                )
            try:
                self.sources(name)
            except UnknownNameError as error:
                raise CatalogueError(f"set {name!r}: from: {error}") from error

    def entry(self, name: str) -> SetEntry:
        """The entry of a set; raises `UnknownNameError` with the nearest names."""
        if name not in self.entries:
            raise unknown_name("set", name, self.entries)
        return self.entries[name]

    def committed_manifest(self, name: str) -> Path:
        """Where the committed manifest of a set lies, if it has one."""
        return self.manifests / f"{name}.csv"

    def sources(self, name: str) -> list[str]:
        """The set itself, then the set that it is made from, and so on."""
        chain = [name]
        while isinstance(entry := self.entry(chain[-1]), SynthesisedSet):
            if entry.source in chain:
                raise CatalogueError(f"set {name!r} is made from itself: {', '.join(chain)}")
            chain.append(entry.source)
        return chain

    def identity(self, name: str, suite_seed: int) -> str:
        """Hash of everything that decides the images of a set (64 hexadecimal digits).

        Packaged sets and folder sets with a committed manifest: the hash of that manifest.
        Synthesised sets: of the entry, the identity of the source, and the suite's seed. Folder
        sets without a manifest: of the entry. Words for readers (title, licence ...) do not count.

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
            for source in self.sources(name):
                lines.update(dict.fromkeys(self.entry(source).attribution))
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
        sets = TypeAdapter(_File).validate_python(content).sets
        return Catalogue(sets, path.parent / "manifests")
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
