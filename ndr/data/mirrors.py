"""Mirrors of published files: named on a command line, or by a variable of the environment.

The workflow hands its mirrors on by variables. Command lines are recorded, logged and stored with
the results, and where somebody keeps files is nobody else's business.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ndr.specs.json_text import parsed_json
from ndr.specs.typed_file import build

VARIABLE = "NDR_MIRRORS_"
"""Beginning of the variables; a hash of the mirrors follows, so that others are told apart."""


def local_folder(mirror: str) -> Path | None:
    """Folder of a mirror on this machine, None for one on a server.

    >>> str(local_folder("file:///a%20b")), local_folder("https://host/a")
    ('/a b', None)
    """
    parts = urlsplit(mirror)
    if parts.scheme in ("http", "https"):
        return None
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(mirror)


def handed_on(mirrors: Sequence[str]) -> list[str]:
    """Put mirrors into this process's environment; the options that lead a command to them.

    >>> handed_on([])
    []
    """
    if not mirrors:
        return []
    text = json.dumps(list(mirrors))
    variable = VARIABLE + hashlib.sha256(text.encode()).hexdigest()[:8].upper()
    os.environ[variable] = text
    return [f"--mirrors-of={variable}"]


def add_mirror_options(
    parser: argparse.ArgumentParser, what: str = "a folder or address that holds the file"
) -> None:
    """The options of a command that takes mirrors; `what` says what they may be."""
    parser.add_argument(
        "--mirror", action="append", default=[], metavar="FOLDER|URL", help=f"tried first: {what}"
    )
    parser.add_argument(
        "--mirrors-of",
        metavar="VARIABLE",
        help="variable of the environment with further mirrors, a JSON list of texts",
    )


def given_mirrors(options: argparse.Namespace) -> tuple[str, ...]:
    """All mirrors that a command was given, those of the command line first.

    Raises:
        ValueError: the variable is not set, or holds no list of texts.
    """
    if options.mirrors_of is None:
        return tuple(options.mirror)
    text = os.environ.get(options.mirrors_of)
    if text is None:
        raise ValueError(
            f"--mirrors-of: the variable {options.mirrors_of} is not set; set it to a JSON list, "
            "or name the mirrors by --mirror"
        )
    try:
        return (*options.mirror, *build(tuple[str, ...], parsed_json(text)))
    except ValueError as error:
        raise ValueError(
            f"--mirrors-of: expected a JSON list of texts in the variable {options.mirrors_of}, "
            f"found something else ({error})"
        ) from None
