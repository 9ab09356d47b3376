"""What does D of a run represent? `python -m ndr.represent --help`.

Writes the numbers (JSON), each with its controls, and arrays for the figures (NPZ).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ndr.device import DEVICES, chosen_device
from ndr.evaluation.degraded_images import PreparedSets
from ndr.evaluation.loaded_method import EXPECTED_ERRORS, load_method
from ndr.evaluation.running import fixed_arithmetic
from ndr.method import CheckpointError
from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.representation import RepresentationFile
from ndr.specs.run_spec import EvaluationSpec
from ndr.study.clean_views import make_views, source_of_pictures
from ndr.study.figure_arrays import PICTURES, figure_arrays, write_arrays
from ndr.study.measurement import Subject, measure
from ndr.study.network_responses import network_of
from ndr.training.optimisation import initialised_method, learning_rate

logger = logging.getLogger("ndr.represent")


def argument_parser() -> argparse.ArgumentParser:
    """Command line of the measurement."""
    parser = argparse.ArgumentParser(prog="python -m ndr.represent", description=__doc__)
    parser.add_argument("--spec-json", required=True, help="evaluation spec of the run as JSON")
    parser.add_argument(
        "--checkpoint", required=True, metavar="FILE", help="final checkpoint of the run"
    )
    parser.add_argument(
        "--representation",
        required=True,
        metavar="FILE",
        help="snapshots of D that the training kept (representation.safetensors)",
    )
    parser.add_argument("--sets", required=True, metavar="DIR", help="folder of prepared sets")
    parser.add_argument("--out-json", required=True, metavar="FILE", help="numbers to write")
    parser.add_argument("--out-npz", required=True, metavar="FILE", help="arrays to write")
    parser.add_argument(
        "--figure-images",
        type=int,
        default=PICTURES,
        choices=range(17),
        metavar="N",
        help="images per test set whose maps are written, 0 to 16 (default: %(default)s)",
    )
    parser.add_argument("--device", default="auto", choices=DEVICES)
    return parser


def read_history(path: str | Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Steps (T,) and D (T, N, M) that a training kept.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: damaged, not written by a training of this suite, or left out of what is
            shipped.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not Path(path).is_file():
        raise FileNotFoundError(f"no snapshots of D at {path}; train the run first")
    try:
        content = load_file(path)
        if not content:
            raise CheckpointError(
                f"{path} is empty: this network is shipped without NDR-Degrad and the snapshots of "
                "D; train it (--config sources=retrained)"
            )
        return content["steps"], content["D"]
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(
            f"{path}: expected the arrays steps and D ({error}); delete the file and train again"
        ) from error


def run(arguments: argparse.Namespace) -> None:
    """Measure and write both files; the numbers come last, as the sign that all is done."""
    spec = EvaluationSpec.from_json(arguments.spec_json)
    device = chosen_device(arguments.device)
    loaded = load_method(spec, arguments.checkpoint, None, device)
    network_of(loaded.method, spec.run)
    training = CheckpointHeader.read(arguments.checkpoint).spec
    untrained = initialised_method(training).eval().requires_grad_(False).to(device)
    steps, history = read_history(arguments.representation)
    subject = Subject(
        spec.run,
        loaded.method,
        untrained,
        steps,
        history,
        lambda step: learning_rate(training.recipe, step),
        device,
    )
    sets = PreparedSets(arguments.sets, [spec])
    source = source_of_pictures(spec)
    views = make_views(
        sets.pairs(source),
        spec.suite_seed,
        scale=loaded.method.scale,
        noise_variant=source.noise.variant if source.noise else "float_clip",
        x2_order=training.setting.x2_order,
    )
    # Always in full precision: half of it would be seen in correlations of small differences.
    with fixed_arithmetic("fp32", spec.cpu_threads, torch.device(device)):
        content = measure(subject, views, spec.suite_seed)
        arrays = figure_arrays(
            loaded.method,
            spec,
            sets,
            (steps, history),
            torch.device(device),
            pictures=arguments.figure_images,
        )
        write_arrays(arguments.out_npz, arrays)
    RepresentationFile(
        **content,
        run=spec.run,
        tier=spec.tier,
        setting=training.setting.name,
        changes=training.changes,
        steps=training.recipe.steps,
        evaluation_sha256=spec.sha256(),
        training_sha256=spec.training_sha256,
        checkpoint_sha256=loaded.checkpoint_sha256,
    ).write(arguments.out_json)
    logger.info(
        "%s: %d views of %d pictures of %s, numbers in %s",
        spec.run,
        len(views.pictures),
        len(views.names),
        views.set,
        arguments.out_json,
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
