"""What all files of results share: one version, one reader, one error that says what to do."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import ndr.records
from ndr.records.record import Record, ResultFileError
from tests.conftest import REPOSITORY


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Whole(Record):
    SCHEMA: ClassVar[int] = 2
    FILE: ClassVar[str] = "file of parts"
    AGAIN: ClassVar[str] = "count the parts again"

    parts: tuple[Part, ...]


WHOLE = Whole((Part("a", 0.1 + 0.2), Part("b", None)))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    WHOLE.write(tmp_path / "whole.json")
    assert Whole.read(tmp_path / "whole.json") == WHOLE
    content = json.loads((tmp_path / "whole.json").read_text())
    assert content["schema"] == 2
    assert content == WHOLE.content()
    assert Whole.read_if_there(tmp_path / "none.json") is None
    with pytest.raises(FileNotFoundError):
        Whole.read(tmp_path / "none.json")


def test_nothing_that_is_no_number_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Whole((Part("a", float("nan")),)).write(tmp_path / "whole.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "Expecting property name"),
        (b"\xff", "can't decode"),
        (b"[]", "expected a JSON object, found list"),
        (b"{}", "expected schema 2, found 1"),  # files without a number are of version 1
        (b'{"schema": 3, "other": 1}', "expected schema 2, found 3"),
        (b'{"schema": 2, "prats": []}', "unknown key 'prats': did you mean 'parts'"),
        (b'{"schema": 2}', "expected the key 'parts' of Whole, found none"),
        (b'{"schema": 2, "parts": [{"name": "a"}]}', r"parts\.0: expected the key 'value'"),
        (b'{"schema": 2, "parts": [{"name": "a", "value": "1"}]}', r"parts\.0\.value: .*'1'"),
        (b'{"schema": 2, "parts": [{"name": "a", "value": NaN}]}', "finite number, found nan"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "whole.json"
    path.write_bytes(text)
    with pytest.raises(ResultFileError, match=message) as caught:
        Whole.read_if_there(path)
    said = str(caught.value)
    assert said.startswith(f"{path} is damaged, or no file of parts of this version: ")
    assert said.endswith("; delete it and count the parts again")
    assert "\n" not in said


def test_records_say_what_they_are_and_need_no_pytorch() -> None:
    names = sorted(path.stem for path in Path(ndr.records.__path__[0]).glob("[a-z]*.py"))
    assert len(names) > 10
    script = "import sys\n" + "".join(f"import ndr.records.{name}\n" for name in names)
    script += (
        "from ndr.records.record import Record\n"
        "kinds, open_list = [], [Record]\n"
        "while open_list:\n"
        "    kinds += open_list[-1].__subclasses__()\n"
        "    open_list += open_list.pop().__subclasses__()\n"
        "assert len(kinds) > 10\n"
        "assert all(kind.FILE for kind in kinds)\n"
        "assert not {'torch', 'pandas', 'yaml'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True)


def test_a_record_is_changed_by_a_copy() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        WHOLE.parts = ()  # type: ignore[misc]
