"""Fetch the weights that a method's authors publish: `python -m ndr.fetch_weights --help`.

Writes a JSON file that says where the verified file lies, or why it is unavailable: a table
whose other rows can be filled does not fail because one host is gone.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ndr.data.fetch.fetch_errors import FetchError
from ndr.data.fetch.obtaining import obtain
from ndr.data.fetch.source import Download
from ndr.data.fetch.transfer import Waits, new_session
from ndr.data.mirrors import add_mirror_options, given_mirrors
from ndr.method import WEIGHT_ENDINGS, OfficialWeights
from ndr.nearest_name import named_entry
from ndr.records.downloads import FetchedWeights
from ndr.registry import method_class
from ndr.specs.typed_file import build

_DRIVE_FILE = re.compile(
    r"https://drive\.google\.com/(?:file/d/|open\?id=|uc\?(?:export=download&)?id=)([A-Za-z0-9_-]{10,})"
)


def official_weights(method: str, name: str) -> OfficialWeights:
    """The published checkpoint of that name.

    Raises:
        UnknownNameError: unknown method or checkpoint, with the nearest names.
    """
    known = {weights.name: weights for weights in method_class(method).info.official_weights}
    return named_entry(f"checkpoint of {method}", name, known)


def download_of(weights: OfficialWeights) -> Download:
    """The file to fetch, and where it is published.

    Folders and archives on sharing sites hold many files; which one it is only a person can see.

    >>> download_of(OfficialWeights("net", "https://host/v1/net.pth", "MIT")).sources[0].url
    'https://host/v1/net.pth'
    """
    match = _DRIVE_FILE.match(weights.url)
    source: dict[str, str]
    if match is not None:
        source = {"google_drive": match[1]}
    elif weights.url.split("?")[0].endswith(WEIGHT_ENDINGS):
        source = {"url": weights.url}
    else:
        source = {"manual": f"open {weights.url} and take the checkpoint {weights.name!r}"}
    content: dict[str, Any] = {"file": weights.file, "sources": [source]}
    if weights.sha256 is not None:
        content["sha256"] = weights.sha256
    if weights.bytes is not None:
        content["bytes"] = weights.bytes
    return build(Download, content)


def fetched(
    method: str, weights: OfficialWeights, folder: Path, mirrors: tuple[str, ...], waits: Waits
) -> FetchedWeights:
    """Bring the file to `<folder>/<method>/`; what went wrong is part of the answer."""
    answer = FetchedWeights(
        method=method, weights=weights.name, licence=weights.licence, url=weights.url
    )
    download = download_of(weights)
    # A mirror of weights is one flat folder, or has a folder per method.
    flat = tuple(
        mirror
        for mirror in mirrors
        if Path(mirror).is_dir() and (Path(mirror) / weights.file).is_file()
    )
    with new_session() as session:
        place = "." if flat else method
        try:
            found = obtain(
                place,
                download,
                folder / method if flat else folder,
                lambda path: None,
                mirrors=flat or mirrors,
                waits=waits,
                session=session,
            )
        except FetchError as error:
            reason = f"{weights.file}, published at {weights.url}, is unavailable: {error}"
            return dataclasses.replace(answer, reason=reason)
    return dataclasses.replace(answer, file=found.location, sha256=found.sha256)


def argument_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m ndr.fetch_weights", description=__doc__)
    parser.add_argument("--method", required=True)
    parser.add_argument("--weights", required=True, help="name of the published checkpoint")
    parser.add_argument("--folder", type=Path, default=Path("data/weights"))
    add_mirror_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; an unavailable file is written down and is no error."""
    options = argument_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    log = logging.getLogger("ndr.fetch_weights")
    try:
        weights = official_weights(options.method, options.weights)
        mirrors = given_mirrors(options)
        answer = fetched(options.method, weights, options.folder, mirrors, Waits())
        if answer.reason:
            log.warning("%s", answer.reason)
        answer.write(options.out)
    except (ValueError, OSError) as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
