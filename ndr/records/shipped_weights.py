"""What the suite says of the networks that it has trained and ships, in `weights/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from ndr.records.checkpoint_header import metadata_of
from ndr.records.provenance import TrainingProvenance
from ndr.records.record import Record
from ndr.specs.json_text import parsed_json
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import SpecError

METADATA_KEY = "ndr_shipped"
"""The one metadata key, another than a checkpoint's: neither is taken for the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedHeader(Record):
    """The metadata of `weights/<run>.safetensors`: what was trained, on what, and how it went."""

    FILE: ClassVar[str] = "file of trained weights of this suite"
    AGAIN: ClassVar[str] = "take it from git again"

    key: str
    """`ndr.shipped_weights.shipped_key` of the spec."""
    spec: RunSpec
    training: TrainingProvenance
    curve: str
    """The losses over the steps, as `curve.csv` has them."""
    validation: dict[str, float]
    """PSNR on validation images by task or noise level, in dB."""
    validation_gain: dict[str, float]
    """The same, less the PSNR of the degraded input."""
    computed: tuple[str, ...] = ()
    """Buffers that the file lacks because the network computes them when it is made."""

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read the metadata without the weights; errors as `CheckpointHeader.read`."""
        try:
            return cls.of_content(parsed_json(metadata_of(path, METADATA_KEY)))
        except (TypeError, ValueError) as error:
            raise cls.refused(path, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedFile:
    """One entry of the index."""

    run: str
    key: str
    file: str
    """Below the folder of the index."""
    sha256: str
    bytes: int
    method: str
    seconds_per_step: float
    """On one thread of the processor that trained it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedIndex(Record):
    """`weights/index.json`: which runs are shipped, and their files' hashes."""

    FILE: ClassVar[str] = "index of trained weights"
    AGAIN: ClassVar[str] = "take it from git again"

    runs: tuple[ShippedFile, ...]

    @classmethod
    def of_content(cls, content: Any) -> Self:
        """Build the index; a run or a key that stands twice is refused."""
        index = super(ShippedIndex, cls).of_content(content)
        for name in ("run", "key", "file"):
            found = [getattr(each, name) for each in index.runs]
            twice = sorted({value for value in found if found.count(value) > 1})
            if twice:
                raise SpecError(f"{name} {twice[0]!r} stands twice")
        return index
