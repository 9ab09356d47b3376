"""What fetching leaves beside the files that it brings: where each is from, or why none is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ndr.records.record import Record
from ndr.specs.typed_file import named


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained(Record):
    """A verified file, and where it came from: `data/downloads/<set>/<file>.json`."""

    FILE: ClassVar[str] = "record of a download"
    AGAIN: ClassVar[str] = "fetch the set again"

    file: str
    location: str = field(metadata=named("path"))
    bytes: int
    sha256: str
    source: str
    time: str
    """UTC, when it arrived."""

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return Path(self.location)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile(Obtained):
    """The same, once its content lies among the originals: `<file>.placed.json`."""

    placed: int
    """Files that came of it."""
    unpacked_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedSet(Record):
    """`data/originals/<set>/fetched.json`."""

    FILE: ClassVar[str] = "record of a fetched set"
    AGAIN: ClassVar[str] = "fetch the set again"

    set: str
    source: str
    """`downloads`, `mirror` or `placed by hand`."""
    folder: str
    images: int
    expected: int
    files: tuple[PlacedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedWeights(Record):
    """`data/weights/<method>__<weights>.json`: a checkpoint that a method's authors publish."""

    FILE: ClassVar[str] = "record of ndr.fetch_weights"
    AGAIN: ClassVar[str] = "fetch the weights again"

    method: str
    weights: str
    licence: str
    url: str
    file: str | None = None
    """None where it is unavailable."""
    sha256: str | None = None
    reason: str = ""
    """Why it is unavailable; empty where it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFile:
    """A file that a metric needs."""

    url: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMetric(Record):
    """`data/weights/metrics/<metric>.json`: the weights of a metric."""

    FILE: ClassVar[str] = "record of ndr.fetch_metric_weights"
    AGAIN: ClassVar[str] = "delete it and run again"

    metric: str
    files: tuple[MetricFile, ...] = ()
    reason: str = ""
    """Why the metric cannot be computed; empty where all is there."""
