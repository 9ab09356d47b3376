"""Evaluate one run on its test sets: `python -m ndr.evaluate --help`.

Writes `per_image.csv` (one row per image, protocol and metric), pictures of restored images, and
the provenance of both.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from ndr.atomic_file import write_json
from ndr.data.image_files import ImageFileError
from ndr.data.manifest import ManifestError
from ndr.device import DEVICES, DeviceError, chosen_device
from ndr.evaluation.degraded_images import EvaluationError
from ndr.evaluation.restoring import load_method
from ndr.evaluation.scoring import METRIC_WEIGHTS, evaluate
from ndr.evaluation.tiling import TilingError
from ndr.method import CheckpointError
from ndr.metrics.protocol import protocol_versions
from ndr.nearest_name import UnknownNameError
from ndr.records.per_image import write_scores
from ndr.records.provenance import Stopwatch
from ndr.specs.run_spec import EvaluationSpec
from ndr.specs.typed_file import SpecError

logger = logging.getLogger("ndr.evaluate")

EXPECTED_ERRORS = (
    CheckpointError,
    DeviceError,
    EvaluationError,
    FileNotFoundError,
    ImageFileError,
    ManifestError,
    SpecError,
    TilingError,
    UnknownNameError,
)
"""Errors whose message says all that the user needs; others keep their traceback."""


def argument_parser() -> argparse.ArgumentParser:
    """Command line of the evaluation."""
    parser = argparse.ArgumentParser(prog="python -m ndr.evaluate", description=__doc__)
    parser.add_argument("--spec-json", required=True, help="evaluation spec as JSON")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--checkpoint", metavar="FILE", help="final checkpoint of the run")
    weights.add_argument(
        "--official-weights",
        metavar="FILE",
        help="the authors' checkpoint, or the record that ndr.fetch_weights wrote of it (.json)",
    )
    parser.add_argument("--sets", required=True, metavar="DIR", help="folder of prepared sets")
    parser.add_argument("--out", required=True, metavar="FILE", help="per_image.csv to write")
    parser.add_argument("--pictures", required=True, metavar="DIR", help="folder for pictures")
    parser.add_argument("--provenance", required=True, metavar="FILE", help="JSON file to write")
    parser.add_argument(
        "--metric-weights",
        metavar="DIR",
        default=METRIC_WEIGHTS,
        help="weights of metrics without reference (default: %(default)s)",
    )
    parser.add_argument("--device", default="auto", choices=DEVICES)
    return parser


def fetched_file(official_weights: str | None) -> tuple[str | None, str]:
    """The authors' checkpoint, and why there is none where it could not be fetched."""
    if official_weights is None or not official_weights.endswith(".json"):
        return official_weights, ""
    record = json.loads(Path(official_weights).read_text(encoding="utf-8"))
    return record["file"], record["reason"]


def write_failure(
    spec: EvaluationSpec, reason: str, arguments: argparse.Namespace, stopwatch: Stopwatch
) -> None:
    """Results of a run whose weights could not be had: no numbers, and the reason for each."""
    names = [test_set.name for test_set in spec.test_sets]
    provenance = stopwatch.record(
        run=spec.run,
        evaluation_sha256=spec.sha256(),
        training_run=None,
        training_sha256=None,
        source="official_weights",
        official_weights=spec.official_weights,
        checkpoint_sha256=None,
        images={name: [0, 0] for name in names},
        failures=dict.fromkeys(names, reason),
        protocols=list(spec.protocols),
        protocol_versions=protocol_versions(spec.protocols),
    )
    Path(arguments.pictures).mkdir(parents=True, exist_ok=True)
    write_json(arguments.provenance, provenance)
    write_scores(arguments.out, ())
    logger.warning("%s: %s", spec.run, reason)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate and write the files; the scores come last, as the sign that all is done."""
    stopwatch = Stopwatch()
    spec = EvaluationSpec.from_json(arguments.spec_json)
    device = chosen_device(arguments.device)
    official, reason = fetched_file(arguments.official_weights)
    if reason:
        write_failure(spec, reason, arguments, stopwatch)
        return
    loaded = load_method(spec, arguments.checkpoint, official, device)
    result = evaluate(
        spec,
        loaded,
        arguments.sets,
        arguments.pictures,
        device,
        metric_weights=arguments.metric_weights,
    )
    provenance = stopwatch.record(
        run=spec.run,
        evaluation_sha256=spec.sha256(),
        training_run=spec.training_run,
        training_sha256=spec.training_sha256,
        **loaded.record(),
        **result.record(),
        protocols=list(spec.protocols),
        protocol_versions=protocol_versions(spec.protocols),
        precision=spec.precision,
        device=str(device),
    )
    write_json(arguments.provenance, provenance)
    write_scores(arguments.out, result.scores)
    logger.info(
        "%s: %d numbers of %d images in %s",
        spec.run,
        len(result.scores),
        sum(evaluated for evaluated, _ in result.images.values()),
        arguments.out,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    arguments = argument_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        run(arguments)
    except EXPECTED_ERRORS as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
