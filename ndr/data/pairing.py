"""Which published files belong together: globs and name patterns applied to a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ndr.data.catalogue import Layout


class PairingError(ValueError):
    """Files whose names break the pairing rule; the message names the file."""


@dataclass(frozen=True, slots=True)
class FoundPair:
    """Files of one image, and what their names say."""

    name: str
    scene: str
    clean: Path
    degraded: Path | None
    parameters: str
    """JSON of the named groups beside `key`, e.g. airlight and beta; empty where there are none."""


def _files(root: Path, globs: Iterable[str]) -> list[Path]:
    """Files that match any of the globs, sorted: the order of a directory listing means nothing."""
    return sorted({path for glob in globs for path in root.glob(glob) if path.is_file()})


def _groups(path: Path, pattern: str) -> dict[str, str]:
    match = re.fullmatch(pattern, path.stem)
    if match is None:
        raise PairingError(
            f"{path}: expected a name like {pattern!r} before the ending, found {path.stem!r}; "
            "rename the file, or remove it if it does not belong to the set"
        )
    return {key: value for key, value in match.groupdict().items() if value is not None}


def _parameters(groups: dict[str, str]) -> str:
    values = {key: float(value) for key, value in groups.items() if key != "key"}
    return json.dumps(values, sort_keys=True) if values else ""


def _by_key(paths: list[Path], pattern: str) -> dict[str, Path]:
    by_key: dict[str, Path] = {}
    for path in paths:
        key = _groups(path, pattern)["key"]
        if key in by_key:
            raise PairingError(
                f"{path} and {by_key[key]} are both the clean image {key!r}; remove one of them"
            )
        by_key[key] = path
    return by_key


def layout_is_there(root: Path, layout: Layout) -> bool:
    """Whether the folder holds any file of this layout."""
    return any(
        path.is_file() for glob in (*layout.clean, *layout.degraded) for path in root.glob(glob)
    )


def find_pairs(
    root: Path, layout: Layout, name: str = "{key}", scene: str = "{key}"
) -> list[FoundPair]:
    """Find the images of a set and pair them by the `key` that their names share.

    One clean image may serve several degraded ones (RESIDE). Every file must have its partner.

    Args:
        root: folder that the layout's globs start from.
        layout: globs and name patterns.
        name: format of an image's name, filled with the groups of the degraded file's name (of
            the clean file's, where nothing is degraded).
        scene: format of its scene, likewise.

    Returns:
        The pairs, in the order of their names (numbers by value).

    Raises:
        PairingError: a name that the pattern does not know, a missing partner, two files for one
            name; the message names the file.
    """
    clean = _by_key(_files(root, layout.clean), layout.clean_name)
    pairs: dict[str, FoundPair] = {}
    if layout.degraded:
        sources = [(path, layout.degraded_name) for path in _files(root, layout.degraded)]
    else:
        sources = [(path, layout.clean_name) for path in clean.values()]
    used: set[str] = set()
    for path, pattern in sources:
        groups = _groups(path, pattern)
        key = groups["key"]
        if key not in clean:
            raise PairingError(
                f"{path}: its clean partner {key!r} is missing: expected a file of "
                f"{' or '.join(layout.clean)} in {root}; copy the missing file there"
            )
        pair = FoundPair(
            name.format_map(groups),
            scene.format_map(groups),
            clean[key],
            path if layout.degraded else None,
            _parameters(groups),
        )
        if pair.name in pairs:
            other = pairs[pair.name]
            raise PairingError(
                f"{path} and {other.degraded or other.clean} are both the image {pair.name!r}; "
                "remove one of them"
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
