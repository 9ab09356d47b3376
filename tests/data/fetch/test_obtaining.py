"""One file from whatever source gives it: order, checks, records, what is kept."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from ndr.data.fetch.fetch_errors import BadFileError, FetchError, ManualStepError, SourceError
from ndr.data.fetch.obtaining import obtain
from ndr.data.fetch.source import Download
from ndr.data.fetch.transfer import Waits
from ndr.records.downloads import Obtained
from ndr.specs.typed_file import build
from tests.data.fetch.misbehaving_server import MisbehavingServer, Served

CONTENT = bytes(range(256)) * 400
WRONG = CONTENT[::-1]
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WRONG_SHA256 = hashlib.sha256(WRONG).hexdigest()


class Desk:
    """Obtains `a.bin` of the set `tiny`."""

    def __init__(
        self, root: Path, server: MisbehavingServer, session: requests.Session, waits: Waits
    ) -> None:
        self.downloads, self.server = root / "downloads", server
        self.session, self.waits = session, waits
        self.folder = self.downloads / "tiny"
        self.target = self.folder / "a.bin"
        self.accepted: list[bytes] = []

    def accept(self, path: Path) -> None:
        self.accepted.append(path.read_bytes())

    def entry(self, *paths: str, **changes: Any) -> Download:
        sources = [{"url": f"{self.server.url}/{path}"} for path in paths]
        if manual := changes.pop("manual", None):
            sources.append({"manual": manual})
        return build(Download, {"file": "a.bin", "sources": sources, **changes})

    def get(self, entry: Download, *mirrors: str, set_name: str = "tiny") -> Obtained:
        return obtain(
            set_name,
            entry,
            self.downloads,
            self.accept,
            mirrors=mirrors,
            waits=self.waits,
            session=self.session,
        )

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - {"a.bin.lock"}


@pytest.fixture
def desk(
    tmp_path: Path, server: MisbehavingServer, session: requests.Session, waits: Waits
) -> Desk:
    return Desk(tmp_path, server, session, waits)


FINISHED = {"a.bin", "a.bin.json", "a.bin.sha256"}


def test_file_with_published_checksum(desk: Desk) -> None:
    desk.server.files["/a"] = Served(CONTENT)
    entry = desk.entry("a", sha256=SHA256, bytes=len(CONTENT))
    obtained = desk.get(entry)
    assert (obtained.path, obtained.sha256) == (desk.target, SHA256)
    assert obtained.source == f"{desk.server.url}/a"
    assert desk.target.read_bytes() == CONTENT
    assert desk.names() == FINISHED
    assert desk.get(entry) == obtained, "source and time are those of the download"
    assert len(desk.server.answers) == 1
    assert desk.accepted == [CONTENT] * 2


def test_wrong_checksum_shows_both_and_keeps_the_file_aside(desk: Desk) -> None:
    desk.server.files["/wrong"] = Served(WRONG)
    with pytest.raises(SourceError, match=f"expected sha256 {SHA256} .*found {WRONG_SHA256}"):
        desk.get(desk.entry("wrong", sha256=SHA256))
    assert (desk.folder / "a.bin.rejected").read_bytes() == WRONG
    assert desk.names() == {"a.bin.rejected"}
    assert not desk.accepted, "used before it was checked"


def test_next_source_after_every_kind_of_failure(desk: Desk) -> None:
    page = b"<html><title>Sign in</title>" + b" " * 2000
    desk.server.files |= {
        "/busy": Served(CONTENT, statuses=[500] * 9),
        "/forbidden": Served(CONTENT, statuses=[403] * 9),
        "/page": Served(page),
        "/short": Served(CONTENT[:-1]),
        "/wrong": Served(WRONG),
        "/dropped": Served(CONTENT, cuts=[0] * 9),
        "/good": Served(CONTENT),
    }
    paths = ("busy", "missing", "forbidden", "page", "short", "wrong", "dropped")
    entry = desk.entry(*paths, "good", sha256=SHA256, bytes=len(CONTENT))
    assert desk.get(entry).source.endswith("/good")
    assert desk.names() == FINISHED | {"a.bin.rejected"}
    desk.target.unlink()
    del desk.server.files["/good"]
    with pytest.raises(SourceError) as failure:
        desk.get(entry)
    for part in ("500", "404", "403", "'Sign in'", "offers 102399", WRONG_SHA256, "lost", "later"):
        assert part in str(failure.value)


def test_damaged_content_is_not_accepted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.server.files |= {"/bad": Served(WRONG), "/good": Served(CONTENT)}

    def accept(path: Path) -> None:
        if path.read_bytes() != CONTENT:
            raise BadFileError("a.bin: truncated")

    monkeypatch.setattr(desk, "accept", accept)
    assert desk.get(desk.entry("bad", "good")).source.endswith("/good")
    assert (desk.folder / "a.bin.sha256").read_text() == f"{SHA256}  a.bin\n"
    assert (desk.folder / "a.bin.rejected").read_bytes() == WRONG


def test_unpublished_checksum_is_recorded_and_compared_ever_after(desk: Desk) -> None:
    desk.server.files["/a"] = Served(CONTENT)
    desk.get(desk.entry("a"))
    assert (desk.folder / "a.bin.sha256").read_text() == f"{SHA256}  a.bin\n"
    desk.target.unlink()
    desk.server.files["/a"] = Served(WRONG)
    with pytest.raises(SourceError, match="recorded at the first download; delete it if"):
        desk.get(desk.entry("a"))
    (desk.folder / "a.bin.sha256").unlink()
    assert desk.get(desk.entry("a")).sha256 == WRONG_SHA256


def test_damaged_record_costs_no_file(desk: Desk) -> None:
    desk.server.files["/a"] = Served(CONTENT)
    desk.get(desk.entry("a"))
    for content in (b"", b"\xff\xfe" * 40):
        (desk.folder / "a.bin.sha256").write_bytes(content)
        with pytest.raises(FetchError, match="delete it if damaged"):
            desk.get(desk.entry("a"))
    assert desk.target.read_bytes() == CONTENT


def test_damaged_facts_of_a_download_are_told(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.server.files["/a"] = Served(CONTENT)
    desk.get(desk.entry("a"))
    (desk.folder / "a.bin.json").write_text('{"sha256": "cut')
    assert desk.get(desk.entry("a")).source == "placed by hand"
    assert "a.bin.json is damaged" in caplog.text


def test_file_that_changed_on_disk_is_fetched_again(desk: Desk) -> None:
    desk.server.files["/a"] = Served(CONTENT)
    desk.get(desk.entry("a"))
    desk.target.write_bytes(WRONG)
    desk.get(desk.entry("a"))
    assert desk.target.read_bytes() == CONTENT
    assert (desk.folder / "a.bin.rejected").read_bytes() == WRONG


def test_each_source_keeps_its_own_half(desk: Desk) -> None:
    half = len(CONTENT) // 2
    desk.server.files |= {
        "/a": Served(CONTENT, cuts=[half, 0, 0, 0, 0]),
        "/b": Served(WRONG, cuts=[half, 0, 0, 0, 0]),
    }
    entry = desk.entry("a", "b")
    with pytest.raises(SourceError, match="lost"):
        desk.get(entry)
    assert len([name for name in desk.names() if name.endswith(".partial")]) == 2
    desk.get(entry)
    assert desk.target.read_bytes() == CONTENT
    assert desk.names() == FINISHED
    assert desk.server.sent("/a") < len(CONTENT) * 1.2


def test_manual_source_says_what_to_do_and_verifies_it(desk: Desk) -> None:
    entry = desk.entry(manual="Open https://example.org and sign.", sha256=SHA256, bytes=102400)
    with pytest.raises(ManualStepError) as failure:
        desk.get(entry)
    for part in ("sign.", f"Save it as {desk.target}", "102400 bytes", SHA256, "run again"):
        assert part in str(failure.value)
    desk.target.write_bytes(b"<!doctype html><title>Login</title>")
    with pytest.raises(ManualStepError, match=r"a web page \(Login\).*kept aside"):
        desk.get(entry)
    desk.target.write_bytes(CONTENT)
    assert desk.get(entry).source == "placed by hand"


def test_manual_source_comes_after_the_others(desk: Desk) -> None:
    with pytest.raises(ManualStepError, match=r"404(.|\n)*Ask them\.\n  Save it as"):
        desk.get(desk.entry("missing", manual="Ask them."))
    desk.server.files["/missing"] = Served(CONTENT)
    assert desk.get(desk.entry("missing", manual="Ask them.")).sha256 == SHA256


def test_web_page_without_known_size_or_checksum(desk: Desk) -> None:
    desk.folder.mkdir(parents=True)
    desk.target.write_bytes(b"<html><title>Sign in</title></html>")
    with pytest.raises(ManualStepError, match=r"expected a file; .* web page \(Sign in\)"):
        desk.get(desk.entry(manual="Ask them."))


def test_mirrors_come_first_in_their_order(desk: Desk, tmp_path: Path) -> None:
    desk.server.files |= {"/lab/tiny/a.bin": Served(CONTENT), "/a": Served(CONTENT)}
    folder = tmp_path / "mirror"
    entry = desk.entry("a", sha256=SHA256)
    empty = str(tmp_path / "empty")
    assert desk.get(entry, empty, f"{desk.server.url}/lab/").source.endswith("/lab/tiny/a.bin")
    desk.target.unlink()
    (folder / "tiny").mkdir(parents=True)
    (folder / "tiny/a.bin").write_bytes(CONTENT)
    assert desk.get(entry, str(folder)).source == str(folder / "tiny/a.bin")
    desk.target.unlink()
    assert desk.get(entry, folder.as_uri()).source == str(folder / "tiny/a.bin")
    desk.target.unlink()
    (folder / "tiny/a.bin").write_bytes(WRONG)
    assert desk.get(entry, str(folder)).source.endswith("/a"), "a wrong mirror is passed over"
    assert [answer.address for answer in desk.server.answers] == ["/lab/tiny/a.bin", "/a"]


def test_file_url(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "with blank.bin").write_bytes(CONTENT)
    address = (tmp_path / "with blank.bin").as_uri()
    entry = build(Download, {"file": "a.bin", "sources": [{"url": address}]})
    assert desk.get(entry).sha256 == SHA256
    missing = build(Download, {"file": "b.bin", "sources": [{"url": "file:///no/b"}]})
    with pytest.raises(SourceError, match="/no/b: no such file"):
        desk.get(missing)


def test_two_sets_share_one_download_at_the_same_time(desk: Desk) -> None:
    served = desk.server.files["/a"] = Served(CONTENT, hold_after=len(CONTENT) // 2)
    entry = desk.entry("a", shared=True)
    found: dict[str, Obtained] = {}

    def fetch(name: str) -> None:
        found[name] = desk.get(entry, set_name=name)

    threads = [threading.Thread(target=fetch, args=(name,)) for name in ("one", "two")]
    threads[0].start()
    assert served.held.wait(10)
    threads[1].start()
    served.hold_after = None
    served.released.set()
    for thread in threads:
        thread.join(30)
    assert found["one"] == found["two"]
    assert found["one"].path == desk.downloads / "shared" / "a.bin"
    assert sum(answer.status == 200 for answer in desk.server.answers) == 1
    assert desk.server.sent("/a") <= len(CONTENT) + 2**16
    record = json.loads((desk.downloads / "shared/a.bin.json").read_text())
    assert record["sha256"] == SHA256
