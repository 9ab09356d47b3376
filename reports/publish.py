"""Put the report where anybody can read it: `python -m reports.publish --out public`.

Copies the page and what it shows and offers into a folder that any static host serves: the report
of a tier below its name, and an index of the tiers that are there. `make publish DIR=public`.
"""

from __future__ import annotations

import argparse
import html.parser
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import jinja2

from ndr.atomic_file import write_text
from ndr.records.record import Record, ResultFileError

TEMPLATES = Path(__file__).resolve().parent / "templates"
PAGE = Path("reports/all_tables.html")
ASSET = re.compile(r"\bassets/[\w./-]+")
CARD = "assets/card.png"
"""The picture that a link to the page shows elsewhere (Open Graph)."""
TIER = re.compile(r"[a-z0-9_]+")
ABOUT = "report.json"


class PublishError(ValueError):
    """A page that cannot be published; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class PublishedReport(Record):
    """`<folder>/<tier>/report.json`: what the index says of a report."""

    FILE: ClassVar[str] = "file of a published report"

    tier: str
    title: str
    description: str


class _Metadata(html.parser.HTMLParser):
    """Title and `<meta>` of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or given.get("property")
        if tag == "meta" and name:
            self.found[name] = given.get("content") or ""
        self._in_title = tag == "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.found["title"] = data
            self._in_title = False


def about(text: str, page: Path) -> PublishedReport:
    """What a page says of itself.

    Raises:
        PublishError: it is no page of this suite.
    """
    reader = _Metadata()
    reader.feed(text)
    found = reader.found
    tier = found.get("report-tier", "")
    if not TIER.fullmatch(tier):
        raise PublishError(f"{page} names no tier: expected a page by `python -m reports.build`")
    return PublishedReport(tier, found.get("title", ""), found.get("description", ""))


def assets_of(text: str, page: Path) -> list[str]:
    """Addresses of the files that a page shows or offers.

    Raises:
        PublishError: one of them is not beside the page.
    """
    names = sorted(set(ASSET.findall(text)))
    missing = [name for name in names if not (page.parent / name).is_file()]
    if missing:
        raise PublishError(
            f"{page} shows {missing[0]}, which is not beside it ({len(missing)} such files); build "
            "the page again"
        )
    return names


def with_address(text: str, address: str, tier: str) -> str:
    """The page with the whole address of its picture, which other sites ask for."""
    whole = f"{address.rstrip('/')}/{tier}/{CARD}"
    return text.replace(f'content="{CARD}"', f'content="{whole}"')


def _checked_address(address: str) -> str:
    parts = urlsplit(address)
    if address and (parts.scheme not in ("http", "https") or not parts.netloc or '"' in address):
        raise PublishError(
            f"expected the address of the published folder, e.g. https://name.example.org/report; "
            f"found {address!r}"
        )
    return address


def publish(page: Path, folder: Path, address: str = "") -> Path:
    """Copy a report into a folder and renew the folder's index.

    A report of the same tier is replaced as a whole; those of other tiers stay.

    Args:
        page: by `python -m reports.build`, with its assets beside it.
        folder: what is to be served.
        address: of that folder once it is published; empty: not known.

    Returns:
        The index.

    Raises:
        PublishError: no page of this suite, a file of it is missing, or no address.
        OSError: a file cannot be read or written.
    """
    text = page.read_text(encoding="utf-8")
    report = about(text, page)
    names = assets_of(text, page)
    if _checked_address(address):
        text = with_address(text, address, report.tier)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{report.tier}.", dir=folder))
    try:
        for name in names:
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page.parent / name, target)
        write_text(temporary / "index.html", text)
        report.write(temporary / ABOUT)
        temporary.chmod(0o755)
        target = folder / report.tier
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    # GitHub's own generator would leave out files whose names begin with an underscore.
    write_text(folder / ".nojekyll", "")
    index = folder / "index.html"
    write_text(index, _index(folder, address))
    return index


def _index(folder: Path, address: str) -> str:
    reports = [PublishedReport.read(path) for path in sorted(folder.glob(f"*/{ABOUT}"))]
    cards = [one for one in reports if (folder / one.tier / CARD).is_file()]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("published_index.html.j2").render(
        reports=reports,
        with_card={one.tier for one in cards},
        card=CARD,
        address=address.rstrip("/"),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; exit code 2: there is no page, or it cannot be published."""
    parser = argparse.ArgumentParser(prog="python -m reports.publish", description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help="the folder that is to be served")
    parser.add_argument(
        "--address", default="", help="where the folder will be, for the picture of links to it"
    )
    arguments = parser.parse_args(argv)
    try:
        index = publish(arguments.page, arguments.out, arguments.address)
    except (PublishError, ResultFileError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print(index)
    return 0


if __name__ == "__main__":
    sys.exit(main())
