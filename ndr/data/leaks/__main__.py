"""Look for test images in training sets, and for repeated scenes in test sets.

Run it as `python -m ndr.data.leaks --sets data/sets --train bsd400 wed --test rain100l_test
cbsd68 --out results/paper/leaks.json`. The sets must be prepared.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ndr.data.image_files import processors
from ndr.data.leaks.scan import scan
from ndr.records.leak_findings import IDENTICAL, NEAR_DUPLICATE, LeakFindings


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, found {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ndr.data.leaks", description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the prepared sets")
    parser.add_argument("--train", nargs="*", default=[], metavar="NAME", help="training sets")
    parser.add_argument("--test", nargs="+", required=True, metavar="NAME", help="test sets")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("data/cache/thumbnails"),
        help="thumbnails of earlier scans (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=_positive,
        default=processors(),
        help="pictures decoded at the same time (default: the cores, %(default)s)",
    )
    return parser


def summary(findings: LeakFindings) -> str:
    """What the scan found, in lines for a terminal."""
    lines = []
    for comparison in (*findings.trainings, *findings.tests):
        if comparison.matches:
            lines.append(
                f"{comparison.test} in {comparison.other}: {len(comparison.matches)} of "
                f"{comparison.test_images} images ({comparison.count(IDENTICAL)} identical, "
                f"{comparison.count(NEAR_DUPLICATE)} near duplicates)"
            )
    lines += [
        f"{facts.name}: {facts.images} of {facts.expected} images, {facts.pictures} pictures, "
        f"{facts.scenes} scenes, {len(facts.leaked)} in training sets"
        for facts in findings.test_sets
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Scan and write the file; errors end with their message and exit status 1."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        findings = scan(options.sets, options.train, options.test, options.cache, options.workers)
        findings.write(options.out)
    except (ValueError, OSError) as error:
        sys.exit(f"leak scan: {error}")
    print(summary(findings))


if __name__ == "__main__":
    main()
