"""Restore photographs: `python -m ndr.restore photo.jpg --weights RUN --out restored.png`.

Takes files, folders and patterns, and writes a file or a folder. A photograph that cannot be
restored is reported in one line; the others go on, and the exit status is 1. See docs/restore.md.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ndr.allocator import keep_freed_memory
from ndr.console import printable, start_logging
from ndr.device import DEVICES, DeviceError, chosen_device
from ndr.evaluation.tiling import TilingError
from ndr.method import (
    PRESETS,
    TIERS,
    CheckpointError,
    ImageError,
    Method,
    RestorationError,
    SideInformation,
    Tiling,
)
from ndr.nearest_name import UnknownNameError
from ndr.photos.degradation_map import check_has_maps
from ndr.photos.photo_reading import DEFAULT_MEGAPIXELS, PhotoError
from ndr.photos.photo_restorer import OpenProgress, PhotoRestorer
from ndr.photos.photo_writing import DEFAULT_QUALITY, SUFFIXES
from ndr.photos.tile_stream import AUTO, Progress, chosen_tiles, measured_need
from ndr.photos.weight_source import WeightRequest, load_requested
from ndr.photos.work_list import COMPARISON, STRENGTH, VECTORS, PhotoJob, WorkList, work_list
from ndr.specs.run_spec import PRECISIONS
from ndr.specs.typed_file import SpecError

logger = logging.getLogger("ndr.restore")

SETUP_ERRORS = (
    CheckpointError,
    DeviceError,
    OSError,
    PhotoError,
    SpecError,
    TilingError,
    UnknownNameError,
)
"""Errors before the first photograph whose message says all; others keep their traceback."""
PHOTO_ERRORS = (ImageError, OSError, PhotoError, RestorationError, TilingError)
"""Errors of one photograph whose message says all; the others go on."""


def argument_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m ndr.restore", description=__doc__)
    parser.add_argument("photos", nargs="+", help="files, folders, or patterns such as 'trip/**/*'")
    parser.add_argument("--out", required=True, help="file to write, or folder")
    weights = parser.add_argument_group("weights")
    weights.add_argument(
        "--weights",
        metavar="FILE|RUN|official",
        help="checkpoint of a run, a run's id or folder; or an authors' checkpoint with --method, "
        "or the record that ndr.fetch_weights wrote of one (.json); official[:NAME]: fetch what "
        "the authors publish (of NDR-Restore, or of --method)",
    )
    weights.add_argument(
        "--mirror",
        action="append",
        default=[],
        metavar="FOLDER|URL",
        help="where official weights are looked for first",
    )
    weights.add_argument("--tier", choices=TIERS, help="where to look for a run's id")
    weights.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    weights.add_argument("--method", help="whose checkpoint it is, or a method without weights")
    weights.add_argument(
        "--preset", choices=PRESETS, help="sizes of an authors' network (default: as published)"
    )
    weights.add_argument(
        "--sigma", type=float, help="noise level, 0 to 255, for methods that need it"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--overwrite", action="store_true", help="replace files that exist")
    output.add_argument(
        "--format", choices=[suffix[1:] for suffix in SUFFIXES], help="in place of the photo's own"
    )
    output.add_argument(
        "--quality", type=int, default=DEFAULT_QUALITY, help="of JPEG and WebP, 1 to 100"
    )
    output.add_argument(
        "--compare", action="store_true", help=f"also write before and after (*{COMPARISON}.png)"
    )
    output.add_argument(
        "--degradation-map",
        action="store_true",
        help=f"also write U and S of NDR-Restore (*{STRENGTH}.png, *{VECTORS}.png)",
    )
    running = parser.add_argument_group("running")
    running.add_argument(
        "--tile",
        default=AUTO,
        metavar="auto|whole|PIXELS",
        help="large photographs go through in tiles; auto asks the method (default: auto)",
    )
    running.add_argument("--overlap", type=int, help="pixels that tiles share (default: chosen)")
    running.add_argument("--max-megapixels", type=float, default=DEFAULT_MEGAPIXELS)
    running.add_argument("--device", default="auto", choices=DEVICES)
    running.add_argument("--precision", default="fp32", choices=PRECISIONS)
    running.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's choice)")
    running.add_argument("--quiet", action="store_true", help="no progress, only what failed")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    keep_freed_memory()
    parser = argument_parser()
    options = parser.parse_args(argv)
    _check_numbers(parser, options)
    level = logging.WARNING if options.quiet else logging.INFO
    start_logging(level, "%(levelname)s %(message)s")
    try:
        endings = (COMPARISON,) * options.compare + (STRENGTH, VECTORS) * options.degradation_map
        suffix = None if options.format is None else f".{options.format}"
        work = work_list(options.photos, options.out, endings, suffix)
        restorer = photo_restorer(options)
    except SETUP_ERRORS as error:
        logger.error("%s", error)
        return 1
    _tell_what_is_left_alone(work)
    try:
        failed = restore_all(restorer, work.jobs, options.quiet)
        return 1 if failed or work.unreadable else 0
    except KeyboardInterrupt:
        logger.error("interrupted; finished photographs are complete, others were not written")
        return 130


def _tell_what_is_left_alone(work: WorkList) -> None:
    if work.passed_over:
        logger.info("%d files that are no photographs are left alone", work.passed_over)
    if work.other_pictures:
        shown = ", ".join(map(str, work.other_pictures[:10]))
        more = len(work.other_pictures) - 10
        logger.warning(
            "pictures of formats that are not read here are among them: %s%s; save them as PNG "
            "or TIFF",
            shown,
            f" and {more} more" if more > 0 else "",
        )
    for reason in work.unreadable:
        logger.error("%s", reason)


def _check_numbers(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if not 1 <= options.quality <= 100:
        parser.error(f"--quality: expected 1 to 100, found {options.quality}")
    if options.threads is not None and options.threads < 1:
        parser.error(f"--threads: expected at least 1, found {options.threads}")
    if options.sigma is not None and not 0 <= options.sigma <= 255:
        parser.error(f"--sigma: expected 0 to 255, found {options.sigma}")
    if not options.max_megapixels > 0:
        parser.error(f"--max-megapixels: expected more than 0, found {options.max_megapixels}")


def photo_restorer(options: argparse.Namespace) -> PhotoRestorer:
    """Load the method and fix what holds for all photographs.

    Raises:
        CheckpointError, DeviceError, OSError, PhotoError, TilingError, UnknownNameError: the
            weights, the device or the options cannot be used.
    """
    device = chosen_device(options.device)
    request = WeightRequest(
        options.weights,
        options.method,
        options.tier,
        options.results,
        options.preset,
        tuple(options.mirror),
    )
    loaded, words = load_requested(request, device)
    method = loaded.method
    logger.info("restoring with %s on %s", words, device)
    side = _side_information(method, options.sigma)
    if options.degradation_map:
        with torch.inference_mode():
            check_has_maps(method, device)
    return PhotoRestorer(
        method=method,
        device=device,
        tiles=chosen_tiles(
            method.info,
            method.scale,
            options.tile,
            options.overlap,
            measured_need(method, device),
        ),
        side=side,
        precision=options.precision,
        threads=options.threads or torch.get_num_threads(),
        quality=options.quality,
        max_megapixels=options.max_megapixels,
        overwrite=options.overwrite,
        compare=options.compare,
        degradation_map=options.degradation_map,
    )


def _side_information(method: Method, sigma: float | None) -> SideInformation:
    needed, least = method.info.side_information, method.info.least_sigma
    if "clean" in needed:
        raise PhotoError(f"{method.info.name} needs the clean photograph, which nobody has")
    if "sigma" in needed and sigma is None:
        raise PhotoError(f"{method.info.name} needs the noise level: pass --sigma, e.g. --sigma 25")
    if "sigma" in needed and sigma is not None and sigma < least:
        raise PhotoError(
            f"--sigma: {method.info.name} takes noise levels of {least:g} to 255, found {sigma:g}; "
            "a photograph without noise needs no restoring by it"
        )
    if "sigma" not in needed and sigma is not None:
        logger.warning("--sigma has no effect: %s finds out by itself", method.info.name)
    return SideInformation(sigma=sigma if "sigma" in needed else None)


def restore_all(restorer: PhotoRestorer, jobs: Sequence[PhotoJob], quiet: bool = False) -> int:
    """Restore one photograph after the other; returns the exit status."""
    failed = 0
    started = time.perf_counter()
    for number, job in enumerate(jobs, start=1):
        try:
            label = printable(f"{job.source.name} ({number}/{len(jobs)})")
            with _progress(label, quiet) as open_progress:
                done = restorer.run(job, open_progress)
            logger.info("%s -> %s: %s", job.source, job.target, done)
        except PHOTO_ERRORS as error:
            failed += 1
            logger.error("%s", _with_source(str(error), job))
        except Exception as error:
            failed += 1
            if _is_out_of_memory(error):
                advice = "pass a smaller --tile"
                if restorer.method.info.tiling is Tiling.FORBIDDEN:
                    advice = "reduce the photograph, for the method needs all of it at once"
                logger.error("%s: not enough memory; %s", job.source, advice)
            else:
                logger.exception("%s: unexpected error", job.source)
    logger.log(
        logging.WARNING if failed else logging.INFO,
        "%d of %d photographs restored in %.0f s%s",
        len(jobs) - failed,
        len(jobs),
        time.perf_counter() - started,
        f", {failed} failed" if failed else "",
    )
    return 1 if failed else 0


def _is_out_of_memory(error: Exception) -> bool:
    """PyTorch raises a plain RuntimeError where the machine's own memory does not suffice."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def _with_source(message: str, job: PhotoJob) -> str:
    line = " ".join(message.split())
    return line if str(job.source) in line else f"{job.source}: {line}"


@contextmanager
def _progress(label: str, quiet: bool) -> Iterator[OpenProgress]:
    """A bar with tiles and the time left, on terminals only."""
    from tqdm import tqdm

    # None: tqdm itself looks whether the output is a terminal.
    with tqdm(desc=label, unit="tile", disable=True if quiet else None, leave=False) as bar:

        def open_progress(steps: int) -> Progress:
            bar.reset(total=steps)
            return bar.update

        yield open_progress


if __name__ == "__main__":
    raise SystemExit(main())
