"""The published folder: nothing is missing, nothing dead, nobody else is asked."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest
from PIL import Image

from reports.build import build_page
from reports.publish import PublishError, main, publish
from tests.reports.browser import CHROMIUM, Browser
from tests.reports.fabricated_report import write_small_report
from tests.reports.page.conftest import write_figure
from tests.reports.page_elements import Element, parsed


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built page with pictures, tables as files and a figure."""
    folder = tmp_path_factory.mktemp("built") / "reports"
    report = write_small_report(tmp_path_factory.mktemp("report"))
    for table in report.tables:
        for kind in ("csv", "md"):
            path = report.results / "tables" / f"{table.name}.{kind}"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{table.name} as {kind}")
    figure = write_figure(report.results.parent / "drawn", name="figure_scatter", kind="scatter")
    html = build_page(
        report.description,
        report.tables,
        report.results,
        report.parameter_counts,
        figures=[figure],
        assets=folder / "assets",
    )
    (folder / "all_tables.html").write_text(html, encoding="utf-8")
    return folder / "all_tables.html"


@pytest.fixture(scope="module")
def folder(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("published") / "public"
    publish(page, out, "https://name.example.org/report/")
    return out


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The folder, served as any static host does."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def links(tree: Element) -> set[str]:
    """Addresses of a page that are files."""
    tags = {"a": "href", "img": "src", "link": "href"}
    found = {e.attributes.get(name, "") for tag, name in tags.items() for e in tree.all(tag)}
    return {link for link in found if link and not link.startswith(("#", "data:"))}


def fetched(address: str) -> bytes:
    with urlopen(address, timeout=10) as answer:  # a server of this test
        assert answer.status == 200
        return answer.read()


def test_every_link_of_the_served_folder_leads_somewhere(address: str, page: Path) -> None:
    index = parsed(fetched(address).decode())
    assert links(index) == {"quick/index.html", "quick/assets/card.png"}
    report = urljoin(address, "quick/index.html")
    text = fetched(report).decode()
    found = links(parsed(text)) | set(re.findall(r"assets/pictures/\w+\.webp", text))
    assert {"assets/tables/table_05.csv", "assets/figures/figure_scatter.svg"} <= found
    assert len(found) > 8
    for link in found:
        assert fetched(urljoin(report, link)) == (page.parent / link).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")
def test_a_browser_asks_nobody_but_the_host(address: str, tmp_path: Path) -> None:
    browser = Browser(tmp_path / "profile")
    try:
        for name in ("index.html", "quick/index.html"):
            browser.view(1440, 900)
            browser.open(f"{address}{name}")
            browser.run("scrollTo(0, document.body.scrollHeight)")
            asked = [one for one in browser.requested() if "favicon" not in one]
            assert asked
            assert all(one.startswith(address) for one in asked)
            assert browser.complaints() == []
            broken = browser.run(
                "[...document.images].filter(i => i.complete && !i.naturalWidth).length"
            )
            assert broken == 0
        browser.open(f"{address}quick/index.html?show=paper&cell=none#table_05")
        assert browser.run("location.search") == "?show=paper&cell=none"
    finally:
        browser.close()


def test_a_link_to_the_page_shows_its_title_and_a_picture(folder: Path) -> None:
    tree = parsed((folder / "quick" / "index.html").read_text(encoding="utf-8"))
    found = {e.attributes.get("property"): e.attributes["content"] for e in tree.all("meta")
             if "property" in e.attributes}  # fmt: skip
    assert found["og:title"] == "NDR-Restore: a reproduction, tier quick"
    assert found["og:description"].startswith("Trained on ")
    assert found["og:image"] == "https://name.example.org/report/quick/assets/card.png"
    with Image.open(folder / "quick" / "assets" / "card.png") as card:
        assert card.size == (1200, 630)


def test_tiers_stand_side_by_side_and_are_replaced_as_a_whole(page: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(page.parent, tmp_path / "reports")) / page.name
    out = tmp_path / "public"
    publish(source, out)
    (out / "quick" / "old.txt").write_text("of the report before")
    text = source.read_text(encoding="utf-8")
    other = source.with_name("other.html")
    other.write_text(text.replace('name="report-tier" content="quick"',
                                  'name="report-tier" content="smoke"'))  # fmt: skip
    publish(other, out)
    publish(source, out)
    assert not (out / "quick" / "old.txt").exists()
    titles = [e.text for e in parsed((out / "index.html").read_text()).all("h2")]
    assert titles == ["Tier quick", "Tier smoke"]
    assert not list(out.glob(".quick.*"))
    assert (out / ".nojekyll").is_file()


def test_what_cannot_be_published_says_why(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(shutil.copytree(page.parent, tmp_path / "reports")) / page.name
    (source.parent / "assets" / "card.png").unlink()
    with pytest.raises(PublishError, match=r"card\.png, which is not beside it"):
        publish(source, tmp_path / "public")
    assert not (tmp_path / "public" / "quick").exists()
    stranger = tmp_path / "page.html"
    stranger.write_text("<!DOCTYPE html><title>x</title>")
    assert main(["--page", str(stranger), "--out", str(tmp_path / "public")]) == 2
    assert "names no tier" in capsys.readouterr().err
    assert main(["--page", str(tmp_path / "none.html"), "--out", str(tmp_path / "public")]) == 2
    with pytest.raises(PublishError, match="expected the address"):
        publish(page, tmp_path / "public", "ftp://x")
