"""Evaluate runs on their test sets: `python -m ndr.evaluate --help`.

Writes for each run `per_image.csv` (one row per image, protocol and metric), pictures of restored
images, and the provenance of both. What follows a `--spec-json`, up to the next, belongs to its
run; what stands before the first holds for all. `@FILE` stands for the lines of a file, one
argument each. A run that fails leaves those of the others complete, and the exit status is 1.

A process that the system kills can write nothing. With `--killed` another one writes in its place
that there are no numbers, and why.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.allocator import keep_freed_memory
from ndr.atomic_file import write_text
from ndr.device import DEVICES, chosen_device
from ndr.evaluation.degraded_images import PreparedSets
from ndr.evaluation.loaded_method import EXPECTED_ERRORS, load_method, restoring_parameters
from ndr.evaluation.scoring import METRIC_WEIGHTS, evaluate
from ndr.metrics.protocol import protocol_versions
from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.downloads import FetchedWeights
from ndr.records.per_image import scores_text
from ndr.records.provenance import EvaluationProvenance, Stopwatch, Tiles, text_sha256
from ndr.specs.run_spec import EvaluationSpec
from ndr.specs.typed_file import SpecError

logger = logging.getLogger("ndr.evaluate")

KILLED = (
    "the process that scored it was killed (exit status 137), most likely because memory ran out: "
    "run fewer jobs at a time or free memory, delete"
)
"""Reason of a run whose process ended without a word; what to delete follows."""


def argument_parser() -> argparse.ArgumentParser:
    """Command line of the evaluation."""
    parser = argparse.ArgumentParser(
        prog="python -m ndr.evaluate", description=__doc__, allow_abbrev=False
    )
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
        help="weights of metrics, and records of their fetching (default: %(default)s)",
    )
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument(
        "--killed", action="store_true", help="write that the process that scored this was killed"
    )
    return parser


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """One run of the command line."""

    spec: EvaluationSpec
    options: argparse.Namespace
    command: str
    """What evaluates this run alone."""


def fetched_file(official_weights: str | None) -> tuple[str | None, str]:
    """The authors' checkpoint, and why there is none where it could not be fetched."""
    if official_weights is None or not official_weights.endswith(".json"):
        return official_weights, ""
    record = FetchedWeights.read(official_weights)
    return record.file, record.reason


def _source(options: argparse.Namespace) -> str:
    """Where a run's numbers would have come from."""
    if options.checkpoint is not None:
        return CheckpointHeader.read(options.checkpoint).source
    return "no_training" if options.official_weights is None else "official_weights"


def write_failure(job: EvaluationJob, reason: str, stopwatch: Stopwatch) -> None:
    """Results of a run that cannot be scored: no numbers, and the reason for each."""
    spec = job.spec
    names, scores = [test_set.name for test_set in spec.test_sets], scores_text(())
    provenance = EvaluationProvenance(
        **stopwatch.facts(job.command),
        run=spec.run,
        evaluation_sha256=spec.sha256(),
        training_run=spec.training_run,
        training_sha256=spec.training_sha256,
        source=_source(job.options),
        official_weights=spec.official_weights,
        checkpoint_sha256=None,
        images=dict.fromkeys(names, (0, 0)),
        tasks={test_set.name: test_set.task for test_set in spec.test_sets},
        failures=dict.fromkeys(names, reason),
        protocols=spec.protocols,
        protocol_versions=protocol_versions(spec.protocols),
        precision=spec.precision,
        scores_sha256=text_sha256(scores),
    )
    Path(job.options.pictures).mkdir(parents=True, exist_ok=True)
    provenance.write(job.options.provenance)
    write_text(job.options.out, scores)
    logger.warning("%s: %s", spec.run, reason)


def run(job: EvaluationJob, sets: PreparedSets) -> None:
    """Evaluate and write the files; the scores come last, as the sign that all is done."""
    stopwatch = Stopwatch()
    spec, options = job.spec, job.options
    if options.killed:
        reason = f"{KILLED} {Path(options.out).parent} and run again"
        write_failure(job, reason, stopwatch)
        return
    device = chosen_device(options.device)
    official, reason = fetched_file(options.official_weights)
    if reason:
        write_failure(job, reason, stopwatch)
        return
    loaded = load_method(spec, options.checkpoint, official, device)
    result = evaluate(
        spec, loaded, sets, options.pictures, device, metric_weights=options.metric_weights
    )
    scores = scores_text(result.scores)
    provenance = EvaluationProvenance(
        **stopwatch.facts(job.command),
        run=spec.run,
        evaluation_sha256=spec.sha256(),
        training_run=spec.training_run,
        training_sha256=spec.training_sha256,
        source=loaded.source,
        official_weights=loaded.official_weights,
        checkpoint_sha256=loaded.checkpoint_sha256,
        parameters=restoring_parameters(loaded.method),
        images=result.images,
        tasks={test_set.name: test_set.task for test_set in spec.test_sets},
        failures=result.failures,
        unavailable_metrics=result.unavailable_metrics,
        tiling=Tiles(**dataclasses.asdict(result.grid)) if result.grid else None,
        restore_seconds=round(result.restore_seconds, 3),
        seconds_per_megapixel=round(result.seconds_per_megapixel, 4),
        protocols=spec.protocols,
        protocol_versions=protocol_versions(spec.protocols),
        precision=spec.precision,
        device=str(device),
        scores_sha256=text_sha256(scores),
    )
    provenance.write(options.provenance)
    write_text(options.out, scores)
    logger.info(
        "%s: %d numbers of %d images in %s",
        spec.run,
        len(result.scores),
        sum(evaluated for evaluated, _ in result.images.values()),
        options.out,
    )


def arguments_by_run(arguments: Sequence[str]) -> list[list[str]]:
    """The command line of each run: what holds for all, and what is its own.

    >>> arguments_by_run(["--sets", "s", "--spec-json", "1", "--out", "a", "--spec-json", "2"])
    [['--sets', 's', '--spec-json', '1', '--out', 'a'], ['--sets', 's', '--spec-json', '2']]
    """
    starts = [index for index, text in enumerate(arguments) if text.startswith("--spec-json")]
    if not starts:
        return [list(arguments)]  # which lacks it, as is told where it is read
    ends = [*starts[1:], len(arguments)]
    shared = arguments[: starts[0]]
    return [[*shared, *arguments[start:end]] for start, end in zip(starts, ends, strict=True)]


def jobs_of(arguments: Sequence[str]) -> list[EvaluationJob]:
    """The runs of a command line; one that cannot be read ends the command.

    Raises:
        FileNotFoundError: no such file of arguments.
        SpecError: a spec that is none, or two runs that would write one file.
    """
    given: list[str] = []
    for text in arguments:
        file = text.removeprefix("@")
        given += [text] if file == text else Path(file).read_text(encoding="utf-8").splitlines()
    parser = argument_parser()
    jobs = []
    for own in arguments_by_run(given):
        options = parser.parse_args(own)
        command = shlex.join([Path(sys.executable).name, sys.argv[0], *own])
        jobs.append(EvaluationJob(EvaluationSpec.from_json(options.spec_json), options, command))
    for name in ("out", "pictures", "provenance"):
        files = Counter(str(Path(getattr(job.options, name))) for job in jobs)
        file, runs = files.most_common(1)[0]
        if runs > 1:
            raise SpecError(f"--{name}: expected a name per run, found {file} for {runs} runs")
    return jobs


def evaluate_all(jobs: Sequence[EvaluationJob]) -> int:
    """Evaluate one run after the other; returns how many failed."""
    folders = dict.fromkeys(job.options.sets for job in jobs)
    sets = {
        folder: PreparedSets(folder, [job.spec for job in jobs if job.options.sets == folder])
        for folder in folders
    }
    failed = 0
    for job in jobs:
        try:
            run(job, sets[job.options.sets])
        except EXPECTED_ERRORS as error:
            failed += 1
            text = str(error)
            logger.error("%s", text if job.spec.run in text else f"{job.spec.run}: {text}")
        except Exception:
            failed += 1
            logger.exception("%s: unexpected error", job.spec.run)
        sets[job.options.sets].kept.run_ended(job.spec)
    return failed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    keep_freed_memory()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        jobs = jobs_of(sys.argv[1:] if argv is None else argv)
    except (FileNotFoundError, SpecError) as error:
        logger.error("%s", error)
        return 1
    failed = evaluate_all(jobs)
    if failed and len(jobs) > 1:
        logger.error("%d of %d runs failed; the others are complete", failed, len(jobs))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
