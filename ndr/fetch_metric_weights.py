"""Fetch what a metric needs: `python -m ndr.fetch_metric_weights --help`.

The files go through the suite's fetcher: mirrors first, verified, resumed. Writes a JSON file that
names them, or says what is missing and how to get it: a table whose other metrics can be computed
does not fail because one host is gone.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ndr.data.fetch.fetch_errors import BadFileError, FetchError
from ndr.data.fetch.obtaining import obtain
from ndr.data.fetch.source import Download
from ndr.data.fetch.transfer import Waits, new_session
from ndr.data.mirrors import add_mirror_options, given_mirrors
from ndr.metrics.pyiqa_networks import PyiqaError, file_name, hash_in_name, missing_file
from ndr.metrics.quality_networks import WEIGHTS
from ndr.records.downloads import FetchedMetric, MetricFile
from ndr.records.provenance import file_sha256
from ndr.specs.typed_file import build

log = logging.getLogger("ndr.fetch_metric_weights")

METRIC_WEIGHTS = "data/weights/metrics"
"""Where the files of metrics lie, and the records of them."""


def _named_hash(start: str) -> Callable[[Path], None]:
    def accept(path: Path) -> None:
        sha256 = file_sha256(path)
        if not sha256.startswith(start):
            raise BadFileError(
                f"{path.name}: expected a sha256 that starts with {start}, as its publisher's "
                f"name says, found {sha256}"
            )

    return accept


def fetch_file(url: str, folder: Path, mirrors: tuple[str, ...], waits: Waits) -> MetricFile:
    """One published file, in `folder`.

    Args:
        url: where it is published. Digits of a hash in its name are compared with the file; of
            others the hash is recorded and compared from then on.
        folder: of the metrics' files.
        mirrors: folders or addresses that hold it, tried first.
        waits: pauses between attempts.

    Raises:
        FetchError: no source gave it; says what each answered and where to put the file.
    """
    name = file_name(url)
    download = build(Download, {"file": name, "sources": [{"url": url}]})
    with new_session() as session:
        found = obtain(
            ".",
            download,
            folder,
            _named_hash(hash_in_name(name)),
            mirrors=mirrors,
            waits=waits,
            session=session,
        )
    return MetricFile(url=url, file=found.location, sha256=found.sha256)


def fetched(
    metric: str, folder: Path, mirrors: tuple[str, ...] = (), waits: Waits | None = None
) -> FetchedMetric:
    """All files of a metric; what went wrong is part of the answer.

    Args:
        metric: DBCNN, MUSIQ, or a metric of pyiqa by its name there.
        folder: where the files go.
        mirrors: see `fetch_file`.
        waits: pauses between attempts; None: the usual ones.

    Raises:
        UnknownNameError: no such metric, with the nearest names.
    """
    answer = FetchedMetric(metric=metric)
    files: dict[str, MetricFile] = {}

    def needed() -> str:
        if metric in WEIGHTS:
            return "" if files else WEIGHTS[metric].url
        return missing_file(metric, {each.url: Path(each.file) for each in files.values()})

    try:
        while url := needed():
            if url in files:
                raise PyiqaError(f"pyiqa cannot make {metric} with the file of {url}")
            files[url] = fetch_file(url, folder, mirrors, waits or Waits())
    except FetchError as error:
        reason = f"{metric} needs {file_name(url)}, published at {url}: {error}"
        return dataclasses.replace(answer, files=tuple(files.values()), reason=reason)
    except PyiqaError as error:
        return dataclasses.replace(answer, files=tuple(files.values()), reason=str(error))
    return dataclasses.replace(answer, files=tuple(files.values()))


def argument_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m ndr.fetch_metric_weights", description=__doc__)
    parser.add_argument("--metric", required=True, help="DBCNN, MUSIQ, or a name of pyiqa's")
    parser.add_argument("--folder", type=Path, default=Path(METRIC_WEIGHTS))
    add_mirror_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; what is unavailable is written down and is no error."""
    options = argument_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        answer = fetched(options.metric, options.folder, given_mirrors(options))
        if answer.reason:
            log.warning("%s", answer.reason)
        answer.write(options.out)
    except (ValueError, OSError) as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
