"""Fetch a published set: mirrors first, then its sources; verified, unpacked, recorded.

Run it as `python -m ndr.data.fetch --set urban100 --done data/originals/urban100/fetched.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm.contrib.logging import logging_redirect_tqdm

from ndr.console import printable, start_logging
from ndr.data.catalogue import Catalogue, FolderSet, load_catalogue
from ndr.data.fetch.obtaining import pinned_by
from ndr.data.fetch.set_fetching import FetchPlaces, fetch_set
from ndr.data.mirrors import add_mirror_options, given_mirrors


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ndr.data.fetch", description="Fetch a published set of images."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--set", dest="name", metavar="NAME")
    what.add_argument(
        "--pins", action="store_true", help="list what each download is compared with, and end"
    )
    parser.add_argument("--catalogue", type=Path, default=Path("config/datasets.yaml"))
    parser.add_argument("--originals", type=Path, default=Path("data/originals"))
    parser.add_argument("--downloads", type=Path, default=Path("data/downloads"))
    add_mirror_options(
        parser, "a folder with prepared sets, or a folder or address with the archives"
    )
    parser.add_argument(
        "--accept-terms",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="terms of use that you have read and accept",
    )
    parser.add_argument("--partial", action="store_true", help="a part of the set is enough")
    parser.add_argument(
        "--done", type=Path, help="JSON file that is written last of all (with --set)"
    )
    return parser


def _print_pins(catalogue: Catalogue, downloads: Path) -> None:
    entries = {n: e for n, e in sorted(catalogue.entries.items()) if isinstance(e, FolderSet)}
    lines = [
        (name, file.file, entry.terms or "none asked", pinned_by(name, file, downloads))
        for name, entry in entries.items()
        for file in entry.downloads
    ]
    for name, file, terms, pin in lines:
        print(f"{name:<28} {file:<36} {terms:<21} {pin}")
    pinned = sum(line[-1] == "published sha256" for line in lines)
    print(f"{pinned} of {len(lines)} downloads have a published sha256.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Fetch one set; errors end with their message and exit status 1."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.pins:
        _print_pins(load_catalogue(options.catalogue), options.downloads)
        return
    if options.done is None:
        parser.error("--set needs --done")
    start_logging()
    try:
        places = FetchPlaces(options.originals, options.downloads, given_mirrors(options))
        with logging_redirect_tqdm():
            done = fetch_set(
                load_catalogue(options.catalogue),
                options.name,
                places,
                accepted=options.accept_terms,
                partial=options.partial,
            )
        done.write(options.done)
    except (ValueError, OSError) as error:
        sys.exit(printable(f"{options.name}: {error}"))
    except KeyboardInterrupt:
        sys.exit(f"{options.name}: interrupted; run again, a download goes on where it stopped")
    print(f"{options.name}: {done.images} of {done.expected} images in {done.folder}")


if __name__ == "__main__":
    main()
