"""What a checkpoint says of itself, read without PyTorch and without its weights."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from ndr.records.record import Record
from ndr.specs.json_text import parsed_json
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import LATER, SpecError

METADATA_KEY = "ndr"
"""The one metadata key. safetensors writes several keys in a random order, and equal trainings
are to give equal files."""
MAX_HEADER_BYTES = 100 * 2**20


def metadata_of(path: str | Path, key: str = METADATA_KEY) -> str:
    """One text of a safetensors file's header: 8 bytes of length (little-endian), and JSON.

    Raises:
        FileNotFoundError: no such file.
        SpecError: no safetensors file, or without that key.
    """
    with Path(path).open("rb") as file:
        try:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MAX_HEADER_BYTES:
                raise SpecError(f"a header of {length} bytes")
            found = parsed_json(file.read(length)).get("__metadata__", {})
            if key not in found:
                raise SpecError(f"expected metadata {key!r}, found keys {sorted(found)}")
            return str(found[key])
        except (struct.error, AttributeError, TypeError, ValueError) as error:
            raise SpecError(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointHeader(Record):
    """The metadata of `runs/<run>/checkpoint.safetensors`: nothing of time or machine."""

    FILE: ClassVar[str] = "checkpoint of a run of this suite"

    run: str
    spec_sha256: str
    source_fingerprint: str
    data_sha256: str
    steps_done: int
    parameters: int
    spec: RunSpec
    shipped: bool = field(default=False, metadata=LATER)
    """Whether it was unpacked from the networks that the suite ships."""

    @property
    def source(self) -> str:
        """Where numbers of these weights come from, by the word of the results."""
        return "shipped" if self.shipped else "retrained"

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read the header alone.

        Raises:
            FileNotFoundError: no such file.
            ResultFileError: no safetensors file, or not of this suite or version.
        """
        try:
            return cls.of_content(parsed_json(metadata_of(path)))
        except (TypeError, ValueError) as error:
            raise cls.refused(path, error) from error
