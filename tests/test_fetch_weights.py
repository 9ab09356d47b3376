"""Authors' weights: from mirrors and servers, verified; what is unavailable is written down."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from ndr.data.fetch.transfer import Waits
from ndr.fetch_weights import download_of, fetched, main, official_weights
from ndr.method import OfficialWeights
from ndr.nearest_name import UnknownNameError
from ndr.records.downloads import FetchedWeights
from ndr.registry import method_classes

CONTENT = b"weights" * 100
WEIGHTS = OfficialWeights(
    "net",
    "http://127.0.0.1:9/net.pth",  # nobody listens on the discard port
    "MIT",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    bytes=len(CONTENT),
)
NO_WAITS = Waits(delays=(), sleep=lambda seconds: None)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "net.pth").write_bytes(CONTENT)
    return folder


def test_a_flat_mirror_gives_the_file(mirror: Path, tmp_path: Path) -> None:
    answer = fetched("dncnn", WEIGHTS, tmp_path / "weights", (str(mirror),), NO_WAITS)
    assert answer.reason == ""
    assert Path(answer.file) == tmp_path / "weights" / "dncnn" / "net.pth"
    assert Path(answer.file).read_bytes() == CONTENT
    assert answer.sha256 == WEIGHTS.sha256


def test_another_file_is_not_taken(mirror: Path, tmp_path: Path) -> None:
    (mirror / "net.pth").write_bytes(CONTENT[:-1] + b"x")
    answer = fetched("dncnn", WEIGHTS, tmp_path / "weights", (str(mirror),), NO_WAITS)
    assert answer.file is None
    assert WEIGHTS.sha256 in answer.reason
    assert not (tmp_path / "weights" / "dncnn" / "net.pth").exists()


def test_without_any_source_the_answer_says_where_it_is_published(tmp_path: Path) -> None:
    answer = fetched("dncnn", WEIGHTS, tmp_path, (), NO_WAITS)
    assert answer.file is None
    assert answer.reason.startswith(f"net.pth, published at {WEIGHTS.url}, is unavailable")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://host/v1.0/net.pth", "url"),
        ("https://host/v1.0/net.pth?download=1", "url"),
        ("https://drive.google.com/file/d/1hXaBHmKxpNsoDXS68hc/view", "google_drive"),
        ("https://drive.google.com/open?id=1hXaBHmKxpNsoDXS68hc", "google_drive"),
        ("https://drive.google.com/drive/folders/1hXaBHmKxpNsoDXS68hc", "manual"),
        ("https://host/models.zip", "manual"),
    ],
)
def test_a_url_says_how_the_file_is_fetched(url: str, kind: str) -> None:
    source = download_of(dataclasses.replace(WEIGHTS, url=url)).sources[0]
    assert dataclasses.fields(source)[0].name == kind


def test_every_published_checkpoint_has_a_download_and_known_settings() -> None:
    from workflows.configuration import read_settings

    settings = read_settings().settings
    names = set()
    for cls in method_classes():
        for weights in cls.info.official_weights:
            assert download_of(weights).file == weights.file
            assert set(weights.settings) <= set(settings)
            assert (cls.info.name, weights.name) not in names
            names.add((cls.info.name, weights.name))
    assert len(names) > 25


def test_the_command_writes_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "hat.json"
    arguments = ["--method", "hat", "--weights", "hat_srx2", "--folder", str(tmp_path)]
    assert main([*arguments, "--out", str(out)]) == 0
    answer = FetchedWeights.read(out)
    assert (answer.method, answer.weights, answer.file) == ("hat", "hat_srx2", None)
    assert "take the checkpoint" in answer.reason


def test_misspelt_checkpoints_name_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'ffdnet_color'"):
        official_weights("ffdnet", "ffdnet_colour")
