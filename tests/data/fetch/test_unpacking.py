"""Archives that want to leave their folder, fill the disk, or are not whole."""

from __future__ import annotations

import gzip
import lzma
import random
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ndr.data.fetch import unpacking as archive_members
from ndr.data.fetch.fetch_errors import BadFileError
from ndr.data.fetch.set_fetching import move_into
from ndr.data.fetch.unpacking import Limits, safe_path, unpack
from tests.data.fetch.made_archives import FILES, tar_entry, write_rar, write_tar, write_zip

WRITERS = {
    "a.zip": write_zip,
    "a.tar": write_tar,
    "a.tar.gz": write_tar,
    "a.tgz": write_tar,
    "a.tar.xz": write_tar,
    "a.tar.bz2": write_tar,
    "a.rar": write_rar,
}


@pytest.fixture(params=WRITERS)
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "a.rar":
        pytest.importorskip("libarchive", exc_type=(ImportError, OSError, AttributeError))
    return request.param


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "originals" / ".unpacking"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(archive: Path, target: Path, match: str, limits: Limits | None = None) -> None:
    """Unpacking fails, says which archive and why, and leaves nothing anywhere."""
    before = set(archive.parent.rglob("*"))
    with pytest.raises(BadFileError, match=rf"{archive.name}: .*{match}"):
        unpack(archive, archive.name, target, limits=limits)
    assert not target.exists()
    assert set(archive.parent.rglob("*")) == before | {target.parent}


def test_every_format(name: str, tmp_path: Path, target: Path) -> None:
    archive = WRITERS[name](tmp_path / name)
    target.mkdir(parents=True)
    (target / "left_by_a_broken_run").touch()
    assert unpack(archive, name, target) == len(FILES)
    assert contents(target) == FILES


def test_chosen_members(name: str, tmp_path: Path, target: Path) -> None:
    archive = WRITERS[name](tmp_path / name)
    assert unpack(archive, name, target, only=("set/*.png",)) == 2
    assert contents(target).keys() == {"set/a.png", "set/deep/b.png"}
    with pytest.raises(BadFileError, match=r"no member matches \*\.jpg"):
        unpack(archive, name, target, only=("*.jpg",))


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("../evil.png", "leaves the folder"),
        ("set/../../evil.png", "leaves the folder"),
        ("..\\evil.png", "leaves the folder"),
        ("/evil.png", "absolute"),
        ("C:/evil.png", "absolute"),
        ("C:\\evil.png", "absolute"),
    ],
)
def test_paths_out_of_the_folder(
    name: str, member: str, reason: str, tmp_path: Path, target: Path
) -> None:
    archive = WRITERS[name](tmp_path / name, {**FILES, member: b"evil"})
    refused(archive, target, reason)


@pytest.mark.parametrize("link", ["/etc/passwd", "../../outside", "../..", "C:/x"])
def test_links_out_of_the_folder(link: str, tmp_path: Path, target: Path) -> None:
    entry = tar_entry("set/link", tarfile.SYMTYPE, link)
    refused(write_tar(tmp_path / "a.tar", extra=[entry]), target, "link out")
    refused(write_zip(tmp_path / "a.zip", links={"set/link": link}), target, "link out")


def test_links_out_of_the_folder_in_rar(tmp_path: Path, target: Path) -> None:
    pytest.importorskip("libarchive", exc_type=(ImportError, OSError, AttributeError))
    refused(write_rar(tmp_path / "a.rar", links={"set/link": "/etc"}), target, "link out")


def test_hard_links_out_of_the_folder(tmp_path: Path, target: Path) -> None:
    entry = tar_entry("set/link", tarfile.LNKTYPE, "../outside")
    refused(write_tar(tmp_path / "a.tar", extra=[entry]), target, "link out")


def test_file_through_a_link_to_a_folder(tmp_path: Path, target: Path) -> None:
    """The classic: a link to a folder, then a file below the link."""
    outside = tmp_path / "outside"
    outside.mkdir()
    entries = [tar_entry("door", tarfile.SYMTYPE, str(outside)), tar_entry("door/evil")]
    refused(write_tar(tmp_path / "a.tar", extra=entries), target, "link out")
    inside = [tar_entry("door", tarfile.SYMTYPE, "set"), tar_entry("door/evil")]
    refused(write_tar(tmp_path / "a.tar", extra=inside), target, "no file before it")
    assert not list(outside.iterdir())


def test_links_inside_become_copies(tmp_path: Path, target: Path) -> None:
    entries = [
        tar_entry("set/symbolic.png", tarfile.SYMTYPE, "deep/b.png"),
        tar_entry("hard.png", tarfile.LNKTYPE, "set/a.png"),
    ]
    assert unpack(write_tar(tmp_path / "a.tar", extra=entries), "a.tar", target) == 5
    assert not (target / "set/symbolic.png").is_symlink()
    assert (target / "set/symbolic.png").read_bytes() == FILES["set/deep/b.png"]
    assert (target / "hard.png").stat().st_nlink == 1


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices(kind: bytes, tmp_path: Path, target: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", extra=[tar_entry("set/device", kind)])
    refused(archive, target, "device")


def test_a_zip_whose_members_lie_before_its_beginning(tmp_path: Path, target: Path) -> None:
    archive = write_zip(tmp_path / "a.zip")
    content = archive.read_bytes()
    # The last four bytes but two: where the central directory begins.
    archive.write_bytes(content[:-6] + struct.pack("<I", 2**31) + content[-2:])
    refused(archive, target, "damaged")


def test_bomb_by_ratio(tmp_path: Path, target: Path) -> None:
    bomb = {"zeros.bmp": bytes(18 * 2**20)}
    refused(write_zip(tmp_path / "a.zip", bomb), target, "decompression bomb")
    refused(write_tar(tmp_path / "a.tar.gz", bomb), target, "decompression bomb")


def test_bomb_behind_the_last_member(tmp_path: Path, target: Path) -> None:
    plain = write_tar(tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").unlink()
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(plain + bytes(18 * 2**20)))
    refused(archive, target, "decompression bomb")


def test_size_and_count_limits(name: str, tmp_path: Path, target: Path) -> None:
    archive = WRITERS[name](tmp_path / name)
    refused(archive, target, "more than 100 B; .* raise unpacked_bytes", Limits(bytes=100))
    refused(archive, target, "more than 2 members", Limits(files=2))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_truncated(name: str, part: float, tmp_path: Path, target: Path) -> None:
    files = {f"set/{number:02}.png": lzma.compress(bytes([number])) * 40 for number in range(12)}
    archive = WRITERS[name](tmp_path / name, files)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * part)])
    refused(archive, target, "")


@pytest.mark.parametrize("cut", [512, 1024, 1536, 1700])
def test_tar_cut_between_members(cut: int, tmp_path: Path, target: Path) -> None:
    """The standard reader takes such a file for a whole one: the end mark is missing."""
    archive = write_tar(tmp_path / "a.tar", {"a": b"1", "b": b"2"})
    archive.write_bytes(archive.read_bytes()[:cut])
    refused(archive, target, "")


def test_damaged_in_the_middle(tmp_path: Path, target: Path) -> None:
    for name in ("a.zip", "a.tar.gz", "a.tar.xz", "a.tar.bz2"):
        archive = WRITERS[name](tmp_path / name, {"a.png": random.Random(1).randbytes(9000)})
        damaged = bytearray(archive.read_bytes())
        damaged[len(damaged) // 3] ^= 0xFF
        archive.write_bytes(damaged)
        refused(archive, target, "")


def test_checksum_behind_the_compressed_bytes(tmp_path: Path, target: Path) -> None:
    archive = write_tar(tmp_path / "a.tar.gz")
    damaged = bytearray(archive.read_bytes())
    damaged[-8] ^= 0xFF
    archive.write_bytes(damaged)
    refused(archive, target, "CRC")


def test_no_archive_at_all(tmp_path: Path, target: Path) -> None:
    for name in WRITERS:
        (tmp_path / name).write_bytes(b"<html>Sign in to continue</html>" * 40)
        refused(tmp_path / name, target, "expected a zip, tar or rar .* found b'<html>Sign")


def test_another_format_than_the_name_says(tmp_path: Path, target: Path) -> None:
    archive = write_tar(tmp_path / "a.tar.gz").rename(tmp_path / "a.rar")
    assert unpack(archive, "a.rar", target) == len(FILES)


def test_empty_archive(tmp_path: Path, target: Path) -> None:
    refused(write_zip(tmp_path / "a.zip", {}), target, "no files")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_name_that_fills_the_memory(kind: bytes, tmp_path: Path, target: Path) -> None:
    entry = tar_entry("long", kind)
    entry.size = 2**31
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(entry.tobuf() + bytes(2**20))
    refused(tmp_path / "a.tar.gz", target, "header of 2.00 GiB")


def test_a_bomb_that_is_not_chosen(tmp_path: Path, target: Path) -> None:
    archive = write_tar(tmp_path / "a.tar.gz", {"a.png": b"x", "b": bytes(2**25)})
    with pytest.raises(BadFileError, match=r"decompression bomb"):
        unpack(archive, "a.tar.gz", target, only=("*.png",))
    assert not target.exists()


@pytest.mark.parametrize("second", ["set/a.png", "./set/a.png", "set//a.png"])
def test_a_name_that_stands_there_twice(second: str, tmp_path: Path, target: Path) -> None:
    extra = [tar_entry("set/a.png"), tar_entry(second)]
    refused(write_tar(tmp_path / "a.tar", {}, extra), target, "stands there twice")
    if second != "set/a.png":
        refused(write_zip(tmp_path / "a.zip", FILES | {second: b""}), target, "stands there twice")
        pytest.importorskip("libarchive", exc_type=(ImportError, OSError, AttributeError))
        refused(write_rar(tmp_path / "a.rar", FILES | {second: b""}), target, "stands there twice")


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
@pytest.mark.parametrize("after_file", [True, False])
def test_a_link_to_itself(kind: bytes, after_file: bool, tmp_path: Path, target: Path) -> None:
    files = {"a": b"content"} if after_file else {"b": b"content"}
    archive = write_tar(tmp_path / "a.tar", files, [tar_entry("a", kind, "a")])
    refused(archive, target, "stands there twice" if after_file else "which is no file before it")


@pytest.mark.parametrize("name", ["n" * 300, "/".join(["folder"] * 900)])
def test_a_name_that_no_disk_takes(name: str, tmp_path: Path, target: Path) -> None:
    refused(write_tar(tmp_path / "a.tar", {name: b"x"}), target, "a name that cannot be written")


def test_file_that_is_also_a_folder(tmp_path: Path, target: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"set": b"1", "set/a.png": b"2"})
    refused(archive, target, "both a file and a folder")


def test_clutter_of_a_mac_is_left_out(tmp_path: Path, target: Path) -> None:
    clutter = {"__MACOSX/set/a.png": b"x", "set/._a.png": b"x", "set/.DS_Store": b"x"}
    assert unpack(write_zip(tmp_path / "a.zip", {**FILES, **clutter}), "a.zip", target) == 3
    assert contents(target) == FILES


def test_missing_rar_library_is_named(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "libarchive", None)
    archive = write_rar(tmp_path / "a.rar")
    with pytest.raises(archive_members.MissingReaderError, match="apt install libarchive"):
        unpack(archive, "a.rar", target)
    assert not target.exists()


def test_full_disk(tmp_path: Path, target: Path) -> None:
    """A limit on the size of files stands in for the full disk: writing fails half-way."""
    archive = write_zip(tmp_path / "a.zip", {"large.bmp": bytes(300_000)})
    code = (
        "import resource, sys, pathlib\n"
        "from ndr.data.fetch.unpacking import unpack\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "unpack(pathlib.Path(sys.argv[1]), 'a.zip', pathlib.Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", code, str(archive), str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "DiskError: cannot write" in result.stderr
    assert "make room" in result.stderr
    assert not target.exists()


def test_safe_path() -> None:
    assert safe_path("./set//a.png").as_posix() == "set/a.png"
    assert safe_path("set\\a.png").as_posix() == "set/a.png"


def test_move_into_merges_and_replaces(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    for path, text in {new / "gt/1": "new", new / "rain/1": "new", old / "gt/0": "old"}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (old / "gt/1").write_text("old")
    move_into(new, old)
    found = {name: content.decode() for name, content in contents(old).items()}
    assert found == {"gt/0": "old", "gt/1": "new", "rain/1": "new"}
    assert not new.exists()


def test_members_may_be_skipped(name: str, tmp_path: Path) -> None:
    """Readers stay in step when the bytes of a member are not read."""
    archive = WRITERS[name](tmp_path / name)
    seen: list[str] = []
    opened: Callable = archive_members.opened_archive
    with opened(archive, name) as (members, _):
        for member in members:
            seen += [member.path] if member.kind == "file" else []
    assert seen == list(FILES)
