"""Damaged copies of files: one per number, the same for one seed on every machine."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

Damage = Callable[[bytes, random.Random], bytes]
_HEAD = 256
"""Bytes at the beginning that every other damage is about: sizes and offsets stand there."""
_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def _place(content: bytes, chance: random.Random) -> int:
    end = min(len(content), _HEAD) if chance.random() < 0.5 else len(content)
    return chance.randrange(max(end, 1))


def _flipped(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 8, 32))):
        damaged[_place(content, chance)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _cut_at_the_front(content: bytes, chance: random.Random) -> bytes:
    return content[_place(content, chance) :]


def _emptied(content: bytes, chance: random.Random) -> bytes:
    """A block of zeros or ones, as a disk leaves it."""
    start, length = _place(content, chance), chance.choice((1, 4, 64, 512, len(content)))
    block = bytes([chance.choice((0, 255))]) * length
    return (content[:start] + block + content[start + length :])[: len(content)]


def _spliced(content: bytes, chance: random.Random) -> bytes:
    """A part twice, or not at all."""
    start, length = _place(content, chance), chance.randrange(1, 65)
    part = content[start : start + length]
    return content[:start] + part * chance.choice((0, 2, 3)) + content[start + length :]


def _extreme(content: bytes, chance: random.Random) -> bytes:
    """A number of 1, 2, 4 or 8 bytes at the ends of its range, in either order of bytes."""
    start, size = _place(content, chance), chance.choice((1, 2, 4, 8))
    value = chance.choice(_EXTREMES) & (256**size - 1)
    number = value.to_bytes(size, chance.choice(("little", "big")))
    return content[:start] + number + content[start + size :]


_BYTES: tuple[Damage, ...] = (
    *(_flipped, _flipped, _cut, _cut_at_the_front),
    *(_emptied, _spliced, _extreme),
)


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def _strange(chance: random.Random) -> Any:
    choices = (
        *(None, True, -1, 0, 1e308, -1e308, 10**40, "", "\u202e\x1b[2J", "x" * 5000, "../../x"),
        *([], {}, [[]], {"": None}, _nested(200), float("nan"), float("inf")),
    )
    return chance.choice(choices)


def _restructured(content: bytes, chance: random.Random) -> bytes:
    """A JSON file with a value, a key or an entry exchanged, doubled or left out."""
    try:
        value = json.loads(content)
    except ValueError:
        return _flipped(content, chance)
    node, keys = value, []
    while isinstance(node, (dict, list)) and node:
        keys.append(chance.choice(list(node) if isinstance(node, dict) else range(len(node))))
        node = node[keys[-1]]
        if chance.random() < 0.3:
            break
    if not keys:
        return json.dumps(_strange(chance)).encode()
    parent = value
    for key in keys[:-1]:
        parent = parent[key]
    action = chance.randrange(4)
    if action == 0:
        del parent[keys[-1]]
    elif action == 1 and isinstance(parent, dict):
        parent[str(keys[-1]) + "x"] = parent.pop(keys[-1])
    elif action == 2 and isinstance(parent, list):
        parent.append(parent[keys[-1]])
    else:
        parent[keys[-1]] = _strange(chance)
    return json.dumps(value).encode()


_DEEP = (b"[" * 100_000, b'{"a":' * 100_000, b"- " * 20_000, b"9" * 10_000)


def damaged(content: bytes, seed: int, number: int, text: bool) -> bytes:
    """The damaged copy of that number; `text` is for JSON, where structure is damaged too."""
    chance = random.Random(f"{seed}/{number}/{len(content)}")
    if text and chance.random() < 0.02:
        return chance.choice(_DEEP)
    if text and chance.random() < 0.5:
        return _restructured(content, chance)
    return chance.choice(_BYTES)(content, chance)
