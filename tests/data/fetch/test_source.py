"""What the catalogue may say of a download, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ndr.data.fetch.source import (
    Download,
    GoogleDriveFile,
    GoogleDriveFolder,
    HuggingFaceFile,
    ManualSource,
    UrlSource,
)

URL = {"url": "https://example.org/a.zip"}


def make(**changes: Any) -> Download:
    content = {"file": "a.zip", "unpack_to": ".", "sources": [URL]}
    return Download.model_validate(
        {key: value for key, value in {**content, **changes}.items() if value is not None}
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
    assert Download.model_validate(entry.model_dump(mode="json")) == entry


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": []}, "at least 1 item"),
        ({"sources": [{"urll": "https://example.org/a"}]}, "did you mean 'url'"),
        ({"sources": [{**URL, "manual": "x"}]}, "url, manual, not several"),
        ({"sources": [{**URL, "pth": "x"}]}, "unknown key 'pth'"),
        ({"sources": [{"url": "ftp://example.org/a"}]}, "expected http://"),
        ({"sources": [{"url": "https://example.org"}]}, "and a path"),
        ({"sources": [{"google_drive": "id with blanks"}]}, "match pattern"),
        ({"sources": [{"google_drive_folder": "0123456789"}]}, r"packed as a \.tar"),
        ({"sources": [{"hugging_face": "a/b", "path": "../c"}]}, "no '..'"),
        ({"sha": "0"}, "did you mean 'shared'"),
        ({"sha256": "0" * 63}, "match pattern"),
        ({"file": "../a.zip"}, "match pattern"),
        ({"file": "a.zip.sha256"}, "fetcher's own"),
        ({"file": "a.png"}, "unpack_to needs one of"),
        ({"unpack_to": "/somewhere"}, "below the set's folder"),
        ({"unpack_to": "a/../.."}, "below the set's folder"),
        ({"unpack_to": None, "only": ["*.png"]}, "only chooses members"),
        ({"bytes": 0}, "greater than or equal to 1"),
    ],
)
def test_contradictions(changes: dict[str, Any], message: str) -> None:
    if changes.get("unpack_to", 0) is None:
        with pytest.raises(ValidationError, match=message):
            make(**changes)
        return
    with pytest.raises(ValidationError, match=message):
        make(**changes)
