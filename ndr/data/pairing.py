"""Which published files belong together: globs and name patterns applied to a folder."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from ndr.data.catalogue import Layout
from ndr.data.manifest import safe_name


class PairingError(ValueError):
    """Files whose names break the pairing rule; the message names the file."""


@dataclass(frozen=True, slots=True)
class FoundPair:
    """Files of one image, and what their names say."""

    name: str
    scene: str
    clean: Path | None
    degraded: Path | None
    parameters: str
    """JSON of the named groups beside `key`, e.g. airlight and beta; empty where there are none."""
    groups: Mapping[str, str]
    """All named groups as they stand in the file's name."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The one or two files."""
        return tuple(path for path in (self.clean, self.degraded) if path is not None)


_CLUTTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"})


def is_clutter(path: PurePath) -> bool:
    """Hidden files and what systems leave in folders; a Mac's `._0001.png` would match a glob.

    >>> is_clutter(Path("rainy/._0001.png")), is_clutter(Path("__MACOSX/a.png"))
    (True, True)
    """
    return any(part.startswith(".") or part.lower() in _CLUTTER for part in path.parts)


def _found(root: Path, globs: Iterable[str]) -> Iterator[Path]:
    for glob in globs:
        for path in root.glob(glob):
            if path.is_file() and not is_clutter(path.relative_to(root)):
                yield path


def _files(root: Path, globs: Iterable[str]) -> list[Path]:
    """Files that match any of the globs, sorted: the order of a directory listing means nothing.

    Raises:
        PairingError: a name that is no text.
    """
    files = sorted(set(_found(root, globs)))
    for path in files:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise PairingError(
                f"{str(path)!a}: the bytes of its name are no UTF-8; rename the file or its folder"
            ) from None
    return files


def _groups(path: Path, pattern: str, parts: int) -> dict[str, str]:
    """Named groups of the last parts of a path without its ending, in composed characters."""
    name = unicodedata.normalize("NFC", "/".join((*path.parts[-parts:-1], path.stem)))
    match = re.fullmatch(pattern, name)
    if match is None:
        raise PairingError(
            f"{path}: expected a name like {pattern!r} before the ending, found {name!r}; "
            "rename the file, or remove it if it does not belong to the set"
        )
    return {key: value for key, value in match.groupdict().items() if value is not None}


def _parameters(
    path: Path, groups: Mapping[str, str], values: Mapping[str, Mapping[str, float]]
) -> str:
    numbers = {}
    for group, text in groups.items():
        if group == "key":
            continue
        try:
            numbers[group] = values[group][text] if group in values else float(text)
        except (KeyError, ValueError) as error:
            expected = ", ".join(values[group]) if group in values else "a number"
            raise PairingError(
                f"{path}: {group} in its name: expected {expected}, found {text!r}; rename the "
                "file, or remove it if it does not belong to the set"
            ) from error
    return json.dumps(numbers, sort_keys=True) if numbers else ""


def _by_key(root: Path, layout: Layout, keys: str) -> dict[str, Path]:
    """Clean files by the key in their names."""
    by_key: dict[str, Path] = {}
    for path in _files(root, layout.clean):
        key = _groups(path, layout.clean_name, layout.name_parts)["key"]
        if keys and not re.fullmatch(keys, key):
            continue
        if key in by_key:
            raise PairingError(
                f"{path} and {by_key[key]} are both the clean image {key!r}; remove one of them"
            )
        by_key[key] = path
    return by_key


def layout_is_there(root: Path, layout: Layout) -> bool:
    """Whether the folder holds any file of this layout."""
    return any(True for _ in _found(root, (*layout.clean, *layout.degraded)))


def find_pairs(
    root: Path,
    layout: Layout,
    name: str = "{key}",
    scene: str = "{key}",
    *,
    keys: str = "",
    values: Mapping[str, Mapping[str, float]] | None = None,
) -> list[FoundPair]:
    """Find the images of a set and pair them by the `key` that their names share.

    One clean image may serve several degraded ones (RESIDE). Every file must have its partner,
    but for layouts without clean images (real photographs) or without degraded ones.

    Args:
        root: folder that the layout's globs start from.
        layout: globs and name patterns.
        name: format of an image's name, filled with the groups of the degraded file's name (of
            the clean file's, where nothing is degraded).
        scene: format of its scene, likewise.
        keys: regular expression; files with another key belong to another set.
        values: number that the text of a group stands for; else the text is one.

    Returns:
        The pairs, in the order of their names (numbers by value).

    Raises:
        PairingError: a name that the pattern does not know, a missing partner, two files for one
            name; the message names the file.
    """
    clean = _by_key(root, layout, keys)
    pairs: dict[str, FoundPair] = {}
    if layout.degraded:
        sources = [(path, layout.degraded_name) for path in _files(root, layout.degraded)]
    else:
        sources = [(path, layout.clean_name) for path in clean.values()]
    used: set[str] = set()
    for path, pattern in sources:
        groups = _groups(path, pattern, layout.name_parts)
        key = groups["key"]
        if keys and not re.fullmatch(keys, key):
            continue
        if layout.clean and key not in clean:
            raise PairingError(
                f"{path}: its clean partner {key!r} is missing: expected a file of "
                f"{' or '.join(layout.clean)} in {root}; copy the missing file there"
            )
        pair = FoundPair(
            safe_name(name.format_map(groups)),
            safe_name(scene.format_map(groups)),
            clean.get(key),
            path if layout.degraded else None,
            _parameters(path, groups, values or {}),
            groups,
        )
        if pair.name in pairs:
            raise PairingError(
                f"{path} and {pairs[pair.name].files[-1]} are both the image {pair.name!r}; "
                "remove or rename one of them"
            )
        pairs[pair.name] = pair
        used.add(key)
    alone = sorted(clean.keys() - used)
    if alone:
        raise PairingError(
            f"{clean[alone[0]]}: its degraded partner is missing ({len(alone)} clean images have "
            f"none): expected a file of {' or '.join(layout.degraded)} in {root}; copy the "
            "missing file there"
        )
    return sorted(pairs.values(), key=lambda pair: _natural(pair.name))


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key that puts `rain-2` before `rain-10`."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]
