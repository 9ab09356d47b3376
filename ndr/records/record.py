"""What all files of results share: a version, one writer, one reader, one error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

from ndr.atomic_file import write_json
from ndr.specs.json_text import parsed_json
from ndr.specs.typed_file import SpecError, build, plain


class ResultFileError(ValueError):
    """A file of results that is damaged or of another version; the message says what to do."""


class Record:
    """Base of the dataclasses that describe one kind of JSON file each."""

    __slots__ = ()

    SCHEMA: ClassVar[int] = 1
    """Raised when a key changes its meaning; files of another version are refused. Files without
    a number are of version 1."""
    FILE: ClassVar[str]
    """The kind of file in words, e.g. "table file", for messages."""
    AGAIN: ClassVar[str] = "run again"
    """How to make the file anew, once it is deleted."""

    def content(self) -> dict[str, Any]:
        """The record as JSON's types, with its version."""
        return {"schema": self.SCHEMA, **plain(self)}

    def write(self, path: str | Path) -> None:
        """Write the file atomically; NaN and infinity are refused."""
        write_json(path, self.content())

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read the file back.

        Raises:
            FileNotFoundError: no such file.
            ResultFileError: not JSON, of another version, or with unknown, missing or wrong keys.
        """
        content = Path(path).read_bytes()
        try:
            return cls.of_content(parsed_json(content))
        except ValueError as error:
            raise cls.refused(path, error) from error

    @classmethod
    def read_if_there(cls, path: str | Path) -> Self | None:
        """Like `read`; None where there is no such file."""
        try:
            return cls.read(path)
        except FileNotFoundError:
            return None

    @classmethod
    def of_content(cls, content: Any) -> Self:
        """Build the record from what `content` gave.

        Raises:
            SpecError: of another version, or with unknown, missing or wrong keys.
        """
        if not isinstance(content, dict):
            raise SpecError(f"expected a JSON object, found {type(content).__name__}")
        version = content.get("schema", 1)
        # Before the keys: those of another version are expected to differ.
        if version != cls.SCHEMA:
            raise SpecError(f"expected schema {cls.SCHEMA}, found {version!r}")
        return build(cls, {key: value for key, value in content.items() if key != "schema"})

    @classmethod
    def refused(cls, path: str | Path, error: Exception) -> ResultFileError:
        """The error that says why a file is none of this kind, and what to do."""
        return ResultFileError(
            f"{path} is damaged, or no {cls.FILE} of this version: {error}; delete it and "
            f"{cls.AGAIN}"
        )
