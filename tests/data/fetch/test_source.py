"""What the catalogue may say of a download, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from ndr.data.fetch.source import (
    Download,
    GoogleDriveFile,
    GoogleDriveFolder,
    HuggingFaceFile,
    ManualSource,
    UrlSource,
)
from ndr.specs.typed_file import SpecError, build, plain

URL = {"url": "https://example.org/a.zip"}


def make(**changes: Any) -> Download:
    content = {"file": "a.zip", "unpack_to": ".", "sources": [URL]}
    return build(
        Download, {key: value for key, value in {**content, **changes}.items() if value is not None}
    )


def test_every_kind_of_source() -> None:
    sources = make(
        sources=[
            URL,
            {"google_drive": "1idKFDkAHJGAFDn1OyXZxsTbOSBx9GS8N"},
            {"google_drive_folder": "1-_Tw-LHJF4vh8fpogKgZx1EQ9MhsJI_f", "path": "a.zip"},
            {"hugging_face": "eugenesiow/Urban100", "path": "data/Urban100_HR.tar.gz"},
            {"manual": "Open the page and ask."},
        ]
    ).sources
    kinds = (UrlSource, GoogleDriveFile, GoogleDriveFolder, HuggingFaceFile, ManualSource)
    assert tuple(type(source) for source in sources) == kinds
    assert sources[3].repository_type == "dataset"


def test_entry_survives_writing_and_reading() -> None:
    entry = make(shared=True, only=["*.png"], sha256="0" * 64, bytes=7)
    assert build(Download, plain(entry)) == entry


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": []}, "sources: expected at least one entry"),
        ({"sources": [{"urll": "https://example.org/a"}]}, "did you mean 'url'"),
        ({"sources": [{**URL, "manual": "x"}]}, "url, manual, found several"),
        ({"sources": [{**URL, "pth": "x"}]}, "unknown key 'pth'"),
        ({"sources": [{"url": "ftp://example.org/a"}]}, "expected http://"),
        ({"sources": [{"url": "https://example.org"}]}, "and a path"),
        ({"sources": [{"google_drive": "id with blanks"}]}, r"sources\.0\.google_drive: .* like"),
        ({"sources": [{"google_drive_folder": "0123456789"}]}, r"packed as a \.tar"),
        ({"sources": [{"hugging_face": "a/b", "path": "../c"}]}, "no '..'"),
        ({"sha": "0"}, "did you mean 'shared'"),
        ({"sha256": "0" * 63}, "sha256: expected text like"),
        ({"file": "../a.zip"}, "file: expected text like"),
        ({"file": "a.zip.sha256"}, "fetcher's own"),
        ({"file": "a.png"}, "unpack_to needs one of"),
        ({"unpack_to": "/somewhere"}, "below the set's folder"),
        ({"unpack_to": "a/../.."}, "below the set's folder"),
        ({"unpack_to": None, "only": ["*.png"]}, "only chooses members"),
        ({"bytes": 0}, "bytes: expected at least 1, found 0"),
    ],
)
def test_contradictions(changes: dict[str, Any], message: str) -> None:
    if changes.get("unpack_to", 0) is None:
        with pytest.raises(SpecError, match=message):
            make(**changes)
        return
    with pytest.raises(SpecError, match=message):
        make(**changes)
