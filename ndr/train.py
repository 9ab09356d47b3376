"""Train one run: `python -m ndr.train --spec-json ... `.

Called again after it was stopped or killed, the same command goes on where it was. With several
GPUs on one machine: `torchrun --nproc-per-node=4 -m ndr.train ...`.

Exit codes: 0 done, 1 broke down (NaN, full disk), 2 wrong input, 128 + n stopped by signal n.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ndr.allocator import keep_freed_memory
from ndr.nearest_name import UnknownNameError, check_names
from ndr.records.provenance import Stopwatch
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import SpecError

if TYPE_CHECKING:
    from ndr.training.processes import Processes
    from ndr.training.progress import Interruption

log = logging.getLogger("ndr.train")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"expected seconds, at least 0, found {text}")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ndr.train", description=__doc__.split("\n", maxsplit=1)[0]
    )
    option = parser.add_argument
    option("--spec-json", required=True, metavar="JSON", help="the run, as canonical JSON")
    option("--source-fingerprint", required=True, metavar="HEX", help="hash of the source code")
    option("--sets", required=True, type=Path, metavar="DIR", help="folder of the prepared sets")
    option("--checkpoint", required=True, type=Path, metavar="FILE", help="final weights")
    option("--curve", required=True, type=Path, metavar="FILE", help="losses over the steps, csv")
    option("--representation", required=True, type=Path, metavar="FILE", help="D over the steps")
    option("--provenance", required=True, type=Path, metavar="FILE", help="facts of the run, json")
    option("--resume", required=True, type=Path, metavar="DIR", help="folder of unfinished states")
    option(
        "--resume-every",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="time between saved states (default 60; 0: after each step)",
    )
    option("--device", default="auto", choices=("auto", "cpu", "cuda"))
    option(
        "--workers",
        type=int,
        default=0,
        choices=range(65),
        metavar="N",
        help="processes that read batches ahead, 0 to 64 (default 0)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    # Trained networks are committed as they are done, and a training reads none.
    stopwatch = Stopwatch(apart_from=("weights",))
    keep_freed_memory()
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    try:
        spec = RunSpec.from_json(arguments.spec_json)
        return _train(arguments, spec, stopwatch)  # imports PyTorch: a wrong spec is told before
    except (SpecError, UnknownNameError, FileNotFoundError) as error:
        return _told(error, 2)


def _train(arguments: argparse.Namespace, spec: RunSpec, stopwatch: Stopwatch) -> int:
    """Train, and turn what can be expected to go wrong into a message and an exit code."""
    from ndr.data.image_files import ImageFileError
    from ndr.data.manifest import ManifestError
    from ndr.device import DeviceError
    from ndr.method import CheckpointError
    from ndr.training.loop import NonFiniteError
    from ndr.training.processes import ProcessError, joined_processes
    from ndr.training.progress import Interrupted, Interruption

    try:
        with joined_processes(arguments.device) as processes, Interruption() as interruption:
            _run(arguments, spec, processes, interruption, stopwatch)
    except Interrupted as stop:
        return _told(stop, stop.exit_code)
    except (CheckpointError, DeviceError, ImageFileError, ManifestError, ProcessError) as error:
        return _told(error, 2)
    except (NonFiniteError, OSError) as error:
        # A file that is not there is an OSError, but wrong input.
        return _told(error, 2 if isinstance(error, FileNotFoundError) else 1)
    return 0


def _run(
    arguments: argparse.Namespace,
    spec: RunSpec,
    processes: Processes,
    interruption: Interruption,
    stopwatch: Stopwatch,
) -> None:
    """Begin or go on, do the steps, write the results; when they are complete the state goes."""
    from ndr.data.mixture import CACHE_BYTES, Mixture
    from ndr.method import TIERS
    from ndr.training.loop import train
    from ndr.training.optimisation import initialised_method, set_up_numerics
    from ndr.training.progress import EnergyMeter
    from ndr.training.resume_state import Destination, ResumeFile, TrainingState, write_results

    check_names("tier", [spec.tier], TIERS)
    set_up_numerics(spec.cpu_threads)
    mixture = Mixture(spec, arguments.sets, CACHE_BYTES // max(1, arguments.workers))
    state = TrainingState(spec, initialised_method(spec).to(processes.device))
    resume = ResumeFile(
        arguments.resume, spec.sha256(), arguments.source_fingerprint, mixture.data_sha256
    )
    # One process looks at the file, and sets it aside if it is damaged, before the others do.
    content = resume.read() if processes.leads else None
    if processes.agreed(content is not None):
        content = content or resume.read()
        assert content is not None
        state.load(content, str(resume.path))
        log.info("%s goes on after step %d of %d", spec.run, state.step, spec.recipe.last_step)
    energy = EnergyMeter.of(processes.device)
    train(
        state,
        mixture,
        processes,
        resume,
        interruption,
        workers=arguments.workers,
        save_every=arguments.resume_every,
    )
    if not processes.leads:
        return
    destination = Destination(
        arguments.checkpoint, arguments.curve, arguments.representation, arguments.provenance
    )
    facts = {
        "device": str(processes.device),
        "processes": processes.count,
        "workers": arguments.workers,
        # One meter sees one GPU, and only since this process began.
        "energy_joules": None if processes.count > 1 or state.resumed_at else energy.joules,
    }
    try:
        write_results(destination, state, resume.identity, stopwatch, facts)
    except OSError:
        with contextlib.suppress(OSError):
            resume.save(state)  # the steps are done: running again has only to write
        raise
    resume.remove()
    log.info(
        "%s: %d steps in %.1f s, result in %s",
        spec.run, state.step, state.seconds, arguments.checkpoint,
    )  # fmt: skip


def _told(error: Exception, code: int) -> int:
    log.error("%s", error)
    return code


if __name__ == "__main__":
    sys.exit(main())
