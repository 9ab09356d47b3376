"""Error messages for misspelt names: what was found, and the nearest names that exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar


class UnknownNameError(ValueError):
    """A name in the configuration or on the command line that nothing answers to."""


def unknown_name(
    kind: str, name: str, known: Iterable[str], all_names: str = ""
) -> UnknownNameError:
    """Build the error for `name`, which is none of `known`.

    Args:
        kind: what the name stands for, e.g. "method" or "tier".
        name: the name as it was given.
        known: every name that would have been accepted.
        all_names: what names them all, where they are too many for a message.

    Returns:
        An exception to raise; its message names up to three close matches, else all names, or says
        where they are.

    >>> str(unknown_name("tier", "quik", ["smoke", "quick"]))
    "unknown tier 'quik': did you mean 'quick'?"
    >>> str(unknown_name("target", "?", ["table_05"], "`snakemake --list` names all"))
    "unknown target '?': `snakemake --list` names all"
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        hint = "did you mean " + " or ".join(repr(match) for match in close) + "?"
    elif known:
        hint = all_names or "expected one of " + ", ".join(known)
    else:
        hint = "none exist"
    return UnknownNameError(f"unknown {kind} {name!r}: {hint}")


EntryT = TypeVar("EntryT")


def named_entry(kind: str, name: str, known: Mapping[str, EntryT]) -> EntryT:
    """What stands under `name`; raises `UnknownNameError` with the nearest names."""
    if name not in known:
        raise unknown_name(kind, name, known)
    return known[name]


def check_names(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise `UnknownNameError` for the first of `names` that is not in `known`."""
    known = set(known)
    for name in names:
        if name not in known:
            raise unknown_name(kind, name, known)
