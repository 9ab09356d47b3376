from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ndr.data.manifest import COLUMNS, Manifest, ManifestError, ManifestRow

HASH = "0123456789abcdef" * 4
ROW = ManifestRow("rain-2", "2", "clean/a b.png", "degraded/2.png", 8, 6, HASH, HASH, HASH, HASH)
PARAMETERS = '{"airlight": 0.8, "note": "a, \\"b\\""}'


def test_write_and_read_back(tmp_path: Path) -> None:
    rows = (
        ROW,
        dataclasses.replace(ROW, name="rain-10", parameters=PARAMETERS),
        dataclasses.replace(
            ROW, name="alone", degraded="", degraded_sha256="", degraded_pixels_sha256=""
        ),
    )
    Manifest(rows, tmp_path, {"expected": "100"}).write(tmp_path / "manifest.csv")
    read = Manifest.read(tmp_path / "manifest.csv")
    assert read.rows == rows
    assert read.folder == tmp_path
    assert read.expected == 100
    assert read.rows[1].parameter_values == {"airlight": 0.8, "note": 'a, "b"'}
    assert read.rows[0].parameter_values == {}


def test_the_columns_are_the_agreed_ones() -> None:
    assert ",".join(COLUMNS) == (
        "name,scene,clean,degraded,width,height,clean_sha256,degraded_sha256,"
        "clean_pixels_sha256,degraded_pixels_sha256,parameters,clean_bytes,degraded_bytes"
    )


def test_identity_is_that_of_the_rows(tmp_path: Path) -> None:
    plain = Manifest((ROW,), tmp_path)
    noted = Manifest((ROW,), tmp_path / "elsewhere", {"decoder": "another"})
    assert plain.sha256 == noted.sha256
    path = tmp_path / "manifest.csv"
    path.write_bytes(noted.text().replace("\n", "\r\n").encode())
    assert Manifest.read(path).sha256 == plain.sha256
    for change in ({"width": 9}, {"scene": "3"}, {"parameters": "{}"}):
        assert Manifest((dataclasses.replace(ROW, **change),), tmp_path).sha256 != plain.sha256


def test_an_unprepared_set_says_how_to_prepare_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ndr\.data\.prepare --set kodak"):
        Manifest.read(tmp_path / "kodak" / "manifest.csv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name,scene", "title,scene", "expected the columns"),
        (",8,6,", ",8,", "expected 13 values, found 12"),
        (",8,6,", ",8,six,", "height: expected pixels, found 'six'"),
        (",8,6,", ",0,6,", "width: expected pixels, found '0'"),
        (HASH, "abc", "expected 64 hexadecimal digits"),
        ("degraded/2.png", "", "expected 64 hexadecimal digits"),
        ("rain-2", "../rain", "expected letters, digits"),
        ("rain-10", "rain-2", "duplicate name 'rain-2'"),
        ("clean/a b.png", "", "clean"),
        ('"{}"', "[1]", "no JSON object"),
    ],
)
def test_damage_is_named_with_the_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    rows = (
        dataclasses.replace(ROW, parameters='{"a": 1}'),
        dataclasses.replace(ROW, name="rain-10"),
    )
    text = Manifest(rows, tmp_path).text().replace('"{""a"": 1}"', '"{}"')
    assert old in text
    (tmp_path / "manifest.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(ManifestError) as caught:
        Manifest.read(tmp_path / "manifest.csv")
    assert message in str(caught.value)
    assert str(tmp_path / "manifest.csv") in str(caught.value)


def test_a_cut_off_manifest_is_refused(tmp_path: Path) -> None:
    text = Manifest((ROW, dataclasses.replace(ROW, name="b")), tmp_path).text()
    for length in range(0, len(text) - 1, 7):
        (tmp_path / "manifest.csv").write_text(text[:length])
        complete_rows = text[:length].count("\n") - 1
        if text[:length].endswith("\n") and complete_rows > 0:
            continue  # a whole line less: no text can tell, the atomic rename prevents it
        with pytest.raises(ManifestError):
            Manifest.read(tmp_path / "manifest.csv")


def test_binary_and_empty_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="not a text file"):
        Manifest.read(path)
    path.write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(ManifestError, match="holds no image"):
        Manifest.read(path)
    path.write_text("# expected: many\n" + ",".join(COLUMNS) + "\n")
    with pytest.raises(ManifestError, match="expected '# key: value'"):
        Manifest.read(path)
