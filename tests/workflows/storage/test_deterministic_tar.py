"""Tar files: equal contents give equal bytes, and nothing is unpacked to where it must not be."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from workflows.storage.artefact_store import ArchiveError, members, pack


def test_names_and_contents_decide_alone(tmp_path: Path) -> None:
    for number, (folder, order) in enumerate((("one", "ab"), ("two", "ba"))):
        for name in order:
            path = tmp_path / folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"content of {name}")
            path.chmod(0o600 if number else 0o755)
            os.utime(path, (number * 1000, number * 1000))
        files = {f"x/{name}": tmp_path / folder / name for name in order}
        pack(tmp_path / f"{folder}.tar", files)
    one = (tmp_path / "one.tar").read_bytes()
    assert one == (tmp_path / "two.tar").read_bytes()
    (tmp_path / "two" / "a").write_text("other content")
    pack(tmp_path / "two.tar", files)
    assert one != (tmp_path / "two.tar").read_bytes()


def test_what_is_packed_comes_out(tmp_path: Path) -> None:
    long_name = "x/" + "y" * 200
    (tmp_path / "a").write_bytes(bytes(range(256)) * 9000)
    (tmp_path / "b").touch()
    pack(tmp_path / "a.tar", {long_name: tmp_path / "a", "b": tmp_path / "b"})
    found = {}
    for member in members(tmp_path / "a.tar"):
        assert member.equals(tmp_path / Path(member.name).name[:1].replace("y", "a"))
        member.write(tmp_path / "out" / member.name)
        found[member.name] = (tmp_path / "out" / member.name).read_bytes()
    assert found == {long_name: (tmp_path / "a").read_bytes(), "b": b""}


def test_other_content_is_not_equal(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    pack(tmp_path / "a.tar", {"a": tmp_path / "a"})
    (tmp_path / "same_size").write_text("xyz")
    (tmp_path / "longer").write_text("abcd")
    for member in members(tmp_path / "a.tar"):
        assert member.equals(tmp_path / "a")
        assert not member.equals(tmp_path / "same_size")
        assert not member.equals(tmp_path / "longer")
        assert not member.equals(tmp_path)


def archive_with(path: Path, *names: str, kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "/etc/passwd"
            tar.addfile(member, io.BytesIO())
    return path


@pytest.mark.parametrize("name", ["../outside", "/absolute", "a/../../outside"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    archive = archive_with(tmp_path / "a.tar", name)
    with pytest.raises(ArchiveError, match="leads out"):
        list(members(archive))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_only_files_are_unpacked(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(ArchiveError, match="expected files only"):
        list(members(archive_with(tmp_path / "a.tar", "a", kind=kind)))


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="twice"):
        list(members(archive_with(tmp_path / "a.tar", "a", "a")))


def test_truncated_and_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 5000)
    pack(tmp_path / "a.tar", {"a": tmp_path / "a"})
    content = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[:2000])
    archive = members(tmp_path / "cut.tar")
    member = next(archive)
    with pytest.raises(ArchiveError, match="cut off"):
        member.write(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "no.tar").write_text("a text")
    with pytest.raises(ArchiveError, match="no complete tar file"):
        list(members(tmp_path / "no.tar"))
