"""Whole sets by the command line: mirrors, terms, records, kills and full disks."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ndr.data.catalogue import load_catalogue
from ndr.data.fetch import set_fetching
from ndr.data.fetch.__main__ import main
from ndr.data.fetch.fetch_errors import FetchError
from ndr.data.fetch.set_fetching import FetchPlaces, fetch_set
from ndr.data.fetch.transfer import PIECE, Waits
from ndr.records.downloads import FetchedSet
from tests.data.fetch.made_archives import write_tar, write_zip
from tests.data.fetch.misbehaving_server import MisbehavingServer, Served

RANDOM = random.Random(3)
CLEAN = {f"gt/{number}.png": RANDOM.randbytes(100_000) for number in range(4)}
RAINY = {f"rainy/{number}.png": RANDOM.randbytes(30_000) for number in range(4)}
TERMS = {"title": "Research only", "text": "No commerce.", "url": "https://example.org/terms"}
LAYOUTS = [
    {"clean": ["gt/*.png"], "degraded": ["rainy/*.png"]},
    {"dataset": "rain", "clean": ["test/clean/*.png"], "degraded": ["test/degraded/*.png"]},
]


class Project:
    """A catalogue with one set `rain` of four pairs in two archives, and its folders."""

    def __init__(self, root: Path, server: MisbehavingServer) -> None:
        self.root, self.server = root, server
        self.originals, self.downloads = root / "originals", root / "downloads"
        self.done = self.originals / "rain" / "fetched.json"
        archives = root / "published"
        archives.mkdir()
        files = (write_zip(archives / "gt.zip", CLEAN), write_tar(archives / "rain.tar.gz", RAINY))
        server.files |= {f"/{path.name}": Served(path.read_bytes()) for path in files}
        self.entry: dict[str, Any] = {
            "kind": "folder",
            "title": "rain",
            "licence": "none",
            "expected": 4,
            "published": ["https://example.org"],
            "layouts": [
                {**layout, "clean_name": r"(?P<key>\d+)", "degraded_name": r"(?P<key>\d+)"}
                for layout in LAYOUTS
            ],
            "downloads": [self.download(path.name) for path in files],
        }

    def download(self, file: str, **facts: Any) -> dict[str, Any]:
        sources = [{"url": f"{self.server.url}/{file}"}]
        return {"file": file, "unpack_to": ".", "sources": sources, **facts}

    @property
    def catalogue(self) -> Path:
        path = self.root / "datasets.yaml"
        content = {"terms": {"research": TERMS}, "sets": {"rain": self.entry}}
        path.write_text(yaml.safe_dump(content))
        return path

    def arguments(self, *more: str) -> list[str]:
        folders = ["--originals", str(self.originals), "--downloads", str(self.downloads)]
        names = ["--set", "rain", "--catalogue", str(self.catalogue), "--done", str(self.done)]
        return [*names, *folders, *more]

    def fetch(self, *more: str) -> FetchedSet:
        main(self.arguments(*more))
        return FetchedSet.read(self.done)

    def images(self) -> dict[str, bytes]:
        folder = self.originals / "rain"
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.png")}
        return {name: path.read_bytes() for name, path in found.items()}


@pytest.fixture
def project(tmp_path: Path, server: MisbehavingServer) -> Project:
    return Project(tmp_path, server)


def test_set_from_two_archives(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    done = project.fetch()
    assert project.images() == CLEAN | RAINY
    assert (done.set, done.source, done.images, done.expected) == (
        "rain",
        "downloads",
        4,
        4,
    )
    first = done.files[0]
    content = project.server.files["/gt.zip"].content
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    assert first.bytes == len(content)
    assert first.source == f"{project.server.url}/gt.zip"
    assert first.placed == 4
    assert "4 of 4 images" in capsys.readouterr().out
    assert not [path for path in project.originals.iterdir() if path.name.startswith(".")]


def test_second_run_does_nothing_and_remembers(project: Project) -> None:
    first = project.fetch()
    requests = len(project.server.answers)
    project.done.unlink()
    for archive in project.downloads.rglob("*.zip"):
        archive.unlink()
    again = project.fetch()
    assert len(project.server.answers) == requests
    assert again == first, "what was made from the set would be made again"


def test_unpacked_files_that_got_lost_come_from_the_kept_archive(project: Project) -> None:
    project.fetch()
    (project.originals / "rain/gt/2.png").unlink()
    (project.originals / "rain/rainy/2.png").unlink()
    requests = len(project.server.answers)
    project.fetch()
    assert project.images() == CLEAN | RAINY
    assert len(project.server.answers) == requests


def place(folder: Path, numbers: range) -> None:
    for side, files in (("clean", CLEAN), ("degraded", RAINY)):
        (folder / side).mkdir(parents=True)
        for number in numbers:
            path = folder / side / f"{number}.png"
            path.write_bytes(list(files.values())[number])


def test_set_in_a_mirror_is_used_in_place(project: Project, tmp_path: Path) -> None:
    place(tmp_path / "mirror/rain/test", range(4))
    done = project.fetch("--mirror", str(tmp_path / "mirror"))
    assert (done.source, done.files) == ("mirror", ())
    assert done.folder == str(tmp_path / "mirror/rain")
    assert not project.server.answers
    assert not project.images()


def test_part_of_a_set_in_a_mirror(project: Project, tmp_path: Path) -> None:
    place(tmp_path / "mirror/rain/test", range(3))
    done = project.fetch("--mirror", str(tmp_path / "mirror"), "--partial")
    assert (done.source, done.images, done.expected) == ("mirror", 3, 4)
    assert not project.server.answers
    done = project.fetch("--mirror", str(tmp_path / "mirror"))
    assert (done.source, done.images) == ("downloads", 4)


def test_set_placed_by_hand_needs_no_terms(project: Project) -> None:
    project.entry["terms"] = "research"
    place(project.originals / "rain/test", range(4))
    (project.originals / "rain/test").rename(project.originals / "placed")
    (project.originals / "placed/clean").rename(project.originals / "rain/gt")
    (project.originals / "placed/degraded").rename(project.originals / "rain/rainy")
    assert project.fetch().source == "placed by hand"
    assert not project.server.answers


def test_mirror_with_the_archives(project: Project) -> None:
    for file in ("gt.zip", "rain.tar.gz"):
        project.server.files[f"/lab/rain/{file}"] = project.server.files.pop(f"/{file}")
    done = project.fetch("--mirror", f"{project.server.url}/lab")
    assert done.files[1].source == f"{project.server.url}/lab/rain/rain.tar.gz"
    assert project.images() == CLEAN | RAINY


def test_terms_are_accepted_by_name(project: Project) -> None:
    project.entry["terms"] = "research"
    with pytest.raises(SystemExit) as refusal:
        project.fetch()
    for part in ("Research only", "https://example.org/terms", "accepted_terms: [research]"):
        assert part in str(refusal.value)
    with pytest.raises(SystemExit, match="did you mean 'research'"):
        project.fetch("--accept-terms", "researching")
    assert not project.server.answers
    assert project.fetch("--accept-terms", "research").images == 4


def test_truncated_archive_then_next_source(project: Project) -> None:
    whole = project.server.files["/gt.zip"]
    project.server.files["/broken.zip"] = Served(whole.content[: len(whole.content) // 2])
    sources = [{"url": f"{project.server.url}/{name}.zip"} for name in ("broken", "gt")]
    project.entry["downloads"][0]["sources"] = sources
    done = project.fetch()
    assert done.files[0].source.endswith("/gt.zip")
    assert project.images() == CLEAN | RAINY
    rejected = project.downloads / "rain/gt.zip.rejected"
    assert rejected.stat().st_size == len(whole.content) // 2


def test_a_name_that_no_disk_takes_leads_to_the_next_source(
    project: Project, tmp_path: Path
) -> None:
    long = write_zip(tmp_path / "long.zip", {**CLEAN, f"gt/{'n' * 300}.png": b"x"})
    project.server.files["/long.zip"] = Served(long.read_bytes())
    sources = [{"url": f"{project.server.url}/{name}.zip"} for name in ("long", "gt")]
    project.entry["downloads"][0]["sources"] = sources
    assert project.fetch().files[0].source.endswith("/gt.zip")
    assert project.images() == CLEAN | RAINY


def test_unsafe_archive_reaches_nothing(project: Project, tmp_path: Path) -> None:
    evil = write_zip(tmp_path / "evil.zip", {**CLEAN, "../../evil.png": b"evil"})
    project.server.files["/gt.zip"].content = evil.read_bytes()
    with pytest.raises(SystemExit, match=r"gt\.zip: member '\.\./\.\./evil\.png' leaves"):
        project.fetch()
    assert not list(tmp_path.rglob("evil.png"))
    assert not project.images()
    assert not project.done.exists()


def test_file_that_is_no_archive_is_placed_as_it_is(project: Project) -> None:
    project.server.files["/5.png"] = Served(b"image")
    del project.entry["downloads"][0]["unpack_to"]
    with pytest.raises(SystemExit, match=r"partner '0' is missing"):
        project.fetch()
    placed = project.originals / "rain/gt.zip"
    assert placed.read_bytes() == project.server.files["/gt.zip"].content


def test_archive_without_the_expected_layout(project: Project) -> None:
    for file in project.entry["downloads"]:
        file["unpack_to"] = "elsewhere"
    with pytest.raises(SystemExit, match=r"none of its layouts .*found elsewhere; correct unpack"):
        project.fetch()
    assert not project.done.exists()


def test_too_few_images(project: Project) -> None:
    project.entry["expected"] = 5
    with pytest.raises(SystemExit, match="holds 4 images instead of 5"):
        project.fetch()
    assert project.fetch("--partial").expected == 5


def test_run_that_broke_between_two_archives_goes_on(project: Project) -> None:
    served = project.server.files.pop("/rain.tar.gz")
    with pytest.raises(SystemExit, match="404"):
        project.fetch()
    assert project.images() == CLEAN
    project.server.files["/rain.tar.gz"] = served
    project.fetch()
    assert project.images() == CLEAN | RAINY
    assert len(project.server.of("/gt.zip")) == 1


def test_set_without_downloads(project: Project) -> None:
    del project.entry["downloads"]
    with pytest.raises(SystemExit, match=r"knows no download(.|\n)*example.org(.|\n)*gt/\*.png"):
        project.fetch()


def test_set_that_is_not_published(tmp_path: Path) -> None:
    content = {"kind": "packaged", "title": "t", "licence": "l", "images": {"a": "b/c.png"}}
    (tmp_path / "datasets.yaml").write_text(yaml.safe_dump({"sets": {"photographs": content}}))
    places = FetchPlaces(tmp_path / "originals", tmp_path / "downloads")
    with pytest.raises(FetchError, match="packaged: only published sets"):
        fetch_set(load_catalogue(tmp_path / "datasets.yaml"), "photographs", places)


def test_no_network(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_fetching, "Waits", lambda: Waits((), 0))
    for file in project.entry["downloads"]:
        file["sources"] = [{"url": "http://127.0.0.1:9/x"}, {"url": "http://localhost:9/y"}]
    with pytest.raises(SystemExit) as failure:
        project.fetch()
    for part in ("127.0.0.1:9/x", "localhost:9/y", "check the network", "place the file at"):
        assert part in str(failure.value)


def run_in_a_process(project: Project, before: str = "") -> subprocess.Popen[str]:
    code = f"import sys\n{before}\nfrom ndr.data.fetch.__main__ import main\nmain(sys.argv[1:])\n"
    return subprocess.Popen(
        [sys.executable, "-c", code, *project.arguments()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_download_killed_at_half_resumes(project: Project) -> None:
    served = project.server.files["/gt.zip"]
    half = len(served.content) // 2
    served.hold_after = half
    process = run_in_a_process(project)
    assert served.held.wait(30)
    folder = project.downloads / "rain"
    for _ in range(1000):
        size = sum(path.stat().st_size for path in folder.glob("gt.zip.*.partial"))
        if size > half - PIECE:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = sum(path.stat().st_size for path in folder.glob("gt.zip.*.partial"))
    assert half - PIECE < kept <= half + 4096
    assert not (folder / "gt.zip").exists()
    assert not project.done.exists()

    served.hold_after = None
    project.fetch()
    assert project.images() == CLEAN | RAINY
    first, second = project.server.of("/gt.zip")
    assert (second.status, second.range) == (206, f"bytes={kept}-")
    assert second.sent == len(served.content) - kept
    assert first.sent >= half


def test_full_disk_keeps_what_is_here(project: Project) -> None:
    """A limit on the size of files stands in for the full disk: writing fails half-way."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))"
    process = run_in_a_process(project, limit)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot write" in output
    assert "make room" in output
    assert "trying" in output
    assert len(project.server.answers) == 1, "no other attempt would have helped"
    project.fetch()
    assert project.images() == CLEAN | RAINY
    _, second = project.server.of("/gt.zip")
    assert second.range == "bytes=70000-"
    assert second.sent == len(project.server.files["/gt.zip"].content) - 70_000
