"""Comparison of a set's files with a list that others publish, of which only the hash is known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from ndr.data.pairing import FoundPair
from ndr.data.set_entries import PublishedList


class PublishedListError(ValueError):
    """A set with the right number of images that are not those of the published list."""


def _line(groups: Mapping[str, str], published: PublishedList) -> str:
    fields = dict(groups)
    for field, ranges in published.ranges.items():
        number = int(groups["key"])
        for value, (first, last) in ranges.items():
            if first <= number <= last:
                fields[field] = value
                break
        else:
            raise PublishedListError(
                f"{field} of {groups['key']!r}: expected a number in one of the ranges "
                f"{', '.join(f'{first}-{last}' for first, last in ranges.values())}"
            )
    return published.line.format_map(fields)


def list_lines(groups: Iterable[Mapping[str, str]], published: PublishedList) -> list[str]:
    """The distinct lines of a list in byte order.

    Args:
        groups: of each image, the named groups of its file's name.
        published: how a line is made of them, and which lines stand there besides.

    Raises:
        PublishedListError: a key outside of all ranges.
    """
    lines = {_line(image, published) for image in groups}
    for rule in published.also:
        lines |= {rule.line.format(number=number) for number in range(rule.first, rule.last + 1)}
    return sorted(lines, key=str.encode)


def lines_sha256(lines: Sequence[str]) -> str:
    r"""Hash of lines, each ended by a line feed.

    >>> lines_sha256(["a"]) == hashlib.sha256(b"a\n").hexdigest()
    True
    """
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def check_published_list(name: str, pairs: Sequence[FoundPair], published: PublishedList) -> None:
    """Raise unless the files of a complete set are those of the published list.

    Args:
        name: the set.
        pairs: all its images.
        published: the list.

    Raises:
        PublishedListError: other files; both hashes, and what to do.
    """
    lines = list_lines((pair.groups for pair in pairs), published)
    found = lines_sha256(lines)
    if found != published.sha256:
        raise PublishedListError(
            f"set {name!r}: as many images as expected, but not those of {published.source}: "
            f"expected sha256 {published.sha256} of its sorted lines, found {found} of "
            f"{len(lines)} lines from {lines[0]!r} to {lines[-1]!r}; fetch the published files"
        )
