"""What a real browser does with the page: it asks no host for anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")
PRIVATE = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The browser's own services must not reach anybody either.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
LOADING = """<!DOCTYPE html><title>x</title><style>@import url(http://host.invalid/a.css);</style>
<body style="background: url(https://host.invalid/b.png)"><img src="http://host.invalid/c.png">
<script>fetch("https://host.invalid/d").catch(() => 0)</script>"""


def requested_hosts(html: Path, folder: Path) -> list[str]:
    """Addresses that the page at `html` asks for, files and inlined data left out.

    The browser's own requests (time, accounts) have no page as their initiator.
    """
    assert CHROMIUM is not None
    log = folder / "net_log.json"
    subprocess.run(
        [
            CHROMIUM,
            *PRIVATE,
            f"--user-data-dir={folder / 'profile'}",
            f"--log-net-log={log}",
            "--window-size=1200,900",
            f"--screenshot={folder / 'page.png'}",
            html.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert (folder / "page.png").stat().st_size > 0
    content = json.loads(log.read_text(encoding="utf-8"))
    start = content["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [e["params"] for e in content["events"] if e["type"] == start and "params" in e]
    return sorted(
        request["url"]
        for request in requests
        # The end of a request is logged without its address.
        if "url" in request
        and request.get("initiator") != "not an origin"
        and request["url"].split(":")[0] not in {"file", "data"}
    )


@needs_chromium
@pytest.mark.slow
def test_the_page_makes_no_request(page: str, tmp_path: Path) -> None:
    html = tmp_path / "all_tables.html"
    html.write_text(page, encoding="utf-8")
    assert requested_hosts(html, tmp_path) == []


@needs_chromium
@pytest.mark.slow
def test_the_log_would_show_a_request(tmp_path: Path) -> None:
    html = tmp_path / "loading.html"
    html.write_text(LOADING, encoding="utf-8")
    assert requested_hosts(html, tmp_path) == [
        "http://host.invalid/a.css",
        "http://host.invalid/c.png",
        "https://host.invalid/b.png",
        "https://host.invalid/d",
    ]


@needs_chromium
@pytest.mark.slow
def test_the_pages_policy_stops_what_would_be_slipped_in(page: str, tmp_path: Path) -> None:
    html = tmp_path / "all_tables.html"
    html.write_text(page.replace("</main>", LOADING.split("<body")[1] + "</main>"), "utf-8")
    assert requested_hosts(html, tmp_path) == []
