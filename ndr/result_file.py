"""Reads back a JSON file that the suite wrote; any other file is refused, with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from ndr.run_spec import CanonicalSpec, SpecError

SpecT = TypeVar("SpecT", bound=CanonicalSpec)


class ResultFileError(ValueError):
    """A file of results that is damaged or of another version of the suite."""


def read_result_file(
    kind: type[SpecT], path: str | Path, *, schema: int, what: str, again: str = "run again"
) -> SpecT:
    """Build `kind` from the file under `path`.

    Args:
        kind: dataclass of the file's content; it has a key `schema`.
        path: the file.
        schema: the version that this code reads.
        what: the kind of file in words, e.g. "table file", for the message.
        again: how to make the file anew, after deleting it.

    Raises:
        FileNotFoundError: no such file.
        ResultFileError: not JSON, of another schema version, or with unknown or missing keys.
    """
    content = Path(path).read_bytes()
    advice = f"delete {path} and {again}"
    try:
        text = content.decode("utf-8")
        found = json.loads(text)["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise ResultFileError(f"{path} is no {what} ({error!r}); {advice}") from error
    # Before the keys: those of another version are expected to differ.
    if found != schema:
        raise ResultFileError(f"{path}: expected schema {schema}, found {found!r}; {advice}")
    try:
        return kind.from_json(text)
    except SpecError as error:
        raise ResultFileError(f"{path}: {error}; {advice}") from error
