"""The one reader of typed content: what fits is built, what does not is named by its place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from ndr.specs.typed_file import (
    LATER,
    CanonicalSpec,
    SpecError,
    at_least,
    build,
    filled,
    like,
    named,
    plain,
    read_yaml,
    read_yaml_spec,
)
from tests.conftest import REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Disc:
    kind: Literal["disc"]
    radius: Annotated[float, at_least(0.5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    kind: Literal["square"]
    side: Annotated[int, at_least(1)]


@dataclass(frozen=True, slots=True)
class ByUrl:
    url: str


@dataclass(frozen=True, slots=True)
class ByName:
    name: Annotated[str, like("[a-z]+")]
    again: ByName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(CanonicalSpec):
    shapes: Annotated[tuple[Disc | Square, ...], filled]
    places: dict[str, ByUrl | ByName] = field(default_factory=dict)
    pair: tuple[int, str] | None = None
    mean: bool | Mapping[str, float] = False
    change: bool | int | float | str = 0
    anything: Any = None
    twice: Literal[1, 2] = 1
    source: str = field(default="", metadata=named("from"))
    newer: int = field(default=3, metadata=LATER)


SQUARE = {"kind": "square", "side": 2}


def whole(**content: Any) -> Whole:
    return build(Whole, {"shapes": [SQUARE], **content})


def test_everything_is_built_and_comes_back() -> None:
    content = {
        "shapes": [{"kind": "disc", "radius": 1}, SQUARE],
        "places": {"a": {"url": "x"}, "b": {"name": "b", "again": {"name": "c"}}},
        "pair": [1, "one"],
        "mean": {"a": 1},
        "change": 0.5,
        "anything": {"deep": [1]},
        "from": "there",
        "newer": 4,
    }
    found = build(Whole, content)
    assert found.shapes == (Disc(kind="disc", radius=1.0), Square(kind="square", side=2))
    assert isinstance(found.shapes[0].radius, float)
    assert found.places["b"] == ByName("b", ByName("c"))
    assert (found.pair, found.mean, found.source) == ((1, "one"), {"a": 1.0}, "there")
    assert build(Whole, plain(found)) == found
    assert Whole.from_json(found.canonical_json()) == found


def test_a_later_field_at_its_default_changes_no_identity() -> None:
    assert "newer" not in plain(whole())
    assert plain(whole(newer=4))["newer"] == 4
    assert whole(mean=True).mean is True


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"shapes": []}, "shapes: expected at least one entry"),
        ({"shapes": SQUARE}, r"shapes: expected a list, found \{"),
        ({"shapes": [SQUARE, 3]}, r"shapes\.1\.kind: expected one of 'disc', 'square', found None"),
        ({"shapes": [{"kind": "cube"}]}, r"shapes\.0\.kind: expected one of .*, found 'cube'"),
        ({"shapes": [{**SQUARE, "side": 0}]}, r"^shapes\.0\.side: expected at least 1, found 0$"),
        ({"shapes": [{**SQUARE, "side": True}]}, r"side: expected a whole number, found True"),
        ({"shapes": [{"kind": "disc", "radius": 0}]}, "radius: expected at least 0.5, found 0"),
        ({"shapes": [{"kind": "disc"}]}, r"shapes\.0: expected the key 'radius' of Disc"),
        ({"shapes": [{**SQUARE, "sid": 1}]}, r"shapes\.0: unknown key 'sid': did you mean 'side'"),
        ({"places": {"a": {"ur": 1}}}, r"places\.a: unknown kind 'ur': did you mean 'url'"),
        ({"places": {"a": {"url": "", "name": ""}}}, "one of the keys url, name, found several"),
        ({"places": {"a": {"name": "a1"}}}, r"places\.a\.name: expected text like \[a-z\]\+"),
        (
            {"places": {3: {"url": "x"}}},
            "places: expected text as a key, found 3; put it in quotes",
        ),
        ({"places": []}, r"places: expected keys with values, found \[\]"),
        ({"pair": [1]}, r"pair: expected 2 entries, found \[1\]"),
        ({"pair": ["1", "one"]}, r"pair\.0: expected a whole number, found '1'"),
        ({"mean": {"a": "b"}}, r"mean\.a: expected a number, found 'b'"),
        ({"mean": 3}, "mean: expected true or false, found 3"),
        ({"change": float("nan")}, "change: expected a finite number, found nan"),
        ({"source": "x"}, "unknown key 'source'"),
        ({"shapes": None}, "shapes: expected a list, found None"),
        ({"shapes": [{"kind": ["disc"]}]}, r"shapes\.0\.kind: expected one of .*found \['disc'\]"),
        ({"twice": True}, "twice: expected one of 1, 2, found True"),
        ({"pair": list(range(100))}, r"pair: expected 2 entries, found \[0, .{70,80} \.\.\.$"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(content: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        whole(**content)


def test_threads_may_read_the_first_objects_of_a_kind_together() -> None:
    @dataclass
    class Wide:
        a: int
        b: int
        c: int

    content = [{"a": 1, "b": 2, "c": number} for number in range(200)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # another thread's turn after almost every step
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda each: build(Wide, each), content))
    finally:
        sys.setswitchinterval(interval)
    assert [each.c for each in found] == list(range(200))


def test_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "whole.yaml"
    path.write_text("shapes: [{kind: square, side: 2}]\nfrom: here\n")
    assert read_yaml_spec(Whole, path).source == "here"
    path.write_text("shapes: [{kind: square, side: two}]\n")
    with pytest.raises(SpecError, match=r"whole\.yaml: shapes\.0\.side: expected a whole number"):
        read_yaml_spec(Whole, path)
    path.write_text("shapes: [")
    with pytest.raises(SpecError, match=r"whole\.yaml: no valid YAML"):
        read_yaml_spec(Whole, path)
    with pytest.raises(FileNotFoundError):
        read_yaml_spec(Whole, tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, "- " * 20_000, "a: " + "{b: " * 100 + "1" + "}" * 100),
        *("day: 2001-02-32", "!!bool x", "9" * 10_000, "? [a]\n: 1", "!!timestamp x"),
    ],
)
def test_a_file_that_no_parser_takes_is_told_in_a_line(text: str, tmp_path: Path) -> None:
    """In a process of its own: libyaml ends it for nested text."""
    path = tmp_path / "whole.yaml"
    path.write_text(text)
    code = (
        "import pathlib, sys\nfrom ndr.specs.typed_file import SpecError, read_yaml\n"
        "try:\n    read_yaml(pathlib.Path(sys.argv[1]))\n"
        "except SpecError as error:\n    print(error)"
    )
    words = [sys.executable, "-c", code, str(path)]
    result = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    assert line.startswith(f"{path}: no valid YAML: ")


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(60)),
        "a: &a [*a]",
    ],
)
def test_aliases_that_stand_for_too_much_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"bomb\.yaml: its aliases stand for more than"):
        read_yaml(path)


@pytest.mark.parametrize("code", ["\\u202e", "\\u2067", "\\e[2J", "\\x9b", "\\0"])
def test_texts_that_change_what_stands_around_them_are_refused(code: str, tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(f'title: fine\nlabel: "Method{code}"\n')
    with pytest.raises(SpecError, match=r"table\.yaml: .*line 2: the control character U\+"):
        read_yaml(path)
    path.write_text('label: "\u05d0\u05d1 \u0627\u0628\n\ttwo lines"\n')
    assert read_yaml(path)["label"].startswith("\u05d0")
