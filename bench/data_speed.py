"""Speed and memory of the data part beside plain decoding.

`python -m bench.data_speed` makes a few images of 500 x 400 pixels, gives them many names by
hard links, and measures in turns, the best of some rounds. Other work on the machine changes the
wall clock several times over and processor time little, so rates are per second of processor time
where one thread works.

- verifying (reading, hashing the file, decoding, hashing the pixels) beside reading and decoding,
  both with the same threads, by the clock and by processor time; and verifying files that an
  earlier manifest describes, whose hash says all;
- training patches of one worker beside plain Pillow, OpenCV and torchvision decoding;
- memory of a forked worker over an epoch of 72,135 names;
- seconds that one core takes to draw heavy rain and haze on a picture of 512 x 512 pixels, and to
  compare two of 480 x 320 by SSIM.

The exit code is 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import functools
import io
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ndr.atomic_file import write_json
from ndr.data.image_files import FileFacts, in_order, processors, read_facts, survey
from ndr.data.manifest import FILE_NAME, Manifest, ManifestRow
from ndr.data.pairs import PairedSet
from ndr.degradations.rain_streaks import RainParameters, add_rain
from ndr.degradations.synthesis import synthesise
from ndr.metrics.full_reference import ssim
from ndr.records.provenance import Stopwatch
from ndr.seeds import numpy_generator
from ndr.specs.typed_file import plain

SIZE = (400, 500)
SMALL = (48, 64)
DISTINCT = 24
PATCH = 128
VERIFIED_SHARE = 0.8
"""Images verified per second over images read per second, at least."""
STEP_SECONDS, WORKERS, BATCH = 0.1, 4, 4
PATCH_RATE = BATCH / STEP_SECONDS / WORKERS
"""Patches per second that one of the workers must give to keep the GPU fed."""
EPOCH_NAMES, EPOCH_CLEAN = 72135, 2061
IMAGE_SECONDS = {"rain": 0.25, "haze": 0.4, "ssim": 0.05}
"""Processor time of one image, at most."""
GROWTH_MIB = 8.0
"""Private memory that a worker may gain between a tenth of an epoch and its end."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number and, where there is one, its limit."""

    measure: str
    value: float
    limit: str = ""
    holds: bool = True


def picture(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Smooth shapes with fine grain, uint8 (H, W, 3).

    As JPEG of quality 90 it takes 0.47 bytes per pixel, as the photographs of BSDS500 do: the
    fewer bytes, the quicker the decoding, and the more the hash of the pixels weighs beside it.
    """
    generator = numpy_generator(0, "bench", seed)
    coarse = Image.fromarray(generator.integers(0, 256, (9, 11, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC), dtype=np.float64)
    grain = generator.normal(0, 24, (*size, 1)) * generator.random((*size, 1))
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def write_files(folder: Path, ending: str, count: int, size: tuple[int, int]) -> list[Path]:
    """Write a few distinct images, and further names for them by hard links."""
    folder.mkdir(parents=True)
    paths = [folder / f"{number:05d}.{ending}" for number in range(count)]
    for number, path in enumerate(paths):
        if number < DISTINCT:
            buffer = io.BytesIO()
            image_format = {"jpg": "JPEG", "png": "PNG"}[ending]
            Image.fromarray(picture(number, size)).save(buffer, format=image_format, quality=90)
            path.write_bytes(buffer.getvalue())
        else:
            os.link(paths[number % DISTINCT], path)
    return paths


def plain_read(path: Path) -> None:
    """What any loader must do: read and decode to an array."""
    with Image.open(path) as image:
        np.asarray(image)


def best_seconds(
    contenders: dict[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Shortest time of each by a clock, over rounds in which they take turns."""
    best = dict.fromkeys(contenders, float("inf"))
    for _, (name, work) in itertools.product(range(rounds), contenders.items()):
        start = clock()
        work()
        best[name] = min(best[name], clock() - start)
    return best


def verification(paths: Sequence[Path], rounds: int) -> list[Figure]:
    """Images per second, read and verified in the same threads, and their ratios."""
    ending = paths[0].suffix[1:].upper()
    known = {facts.sha256: facts for facts in survey(paths[:DISTINCT], "describing").values()}

    def read_all() -> None:
        for _ in in_order(plain_read, paths, "reading"):
            pass

    contenders: dict[str, Callable[[], object]] = {
        "read": read_all,
        "verified": lambda: survey(paths, "verifying"),
        "verified again": lambda: survey(paths, "verifying again", known),
    }
    wall = best_seconds(contenders, rounds, time.perf_counter)
    processor = best_seconds(contenders, rounds)
    share = wall["read"] / wall["verified"]
    limit = f">= {VERIFIED_SHARE}"
    return [
        *(Figure(f"{ending}: images {name} per s", len(paths) / wall[name]) for name in contenders),
        Figure(f"{ending}: verified over read", share, limit, share >= VERIFIED_SHARE),
        Figure(f"{ending}: the same by processor time", processor["read"] / processor["verified"]),
    ]


def write_set(
    sets: Path, name: str, clean: Sequence[Path], degraded: Sequence[Path], size: tuple[int, int]
) -> None:
    """Write the manifest of a set of pairs; several degraded images may share a clean one."""
    known: dict[int, FileFacts] = {}

    def described(path: Path) -> FileFacts:
        inode = path.stat().st_ino
        if inode not in known:
            known[inode] = read_facts(path)
        return known[inode]

    rows = []
    for number, path in enumerate(degraded):
        first = clean[number * len(clean) // len(degraded)]
        facts_clean, facts_degraded = described(first), described(path)
        rows.append(
            ManifestRow(
                f"{number:05d}",
                first.stem,
                str(first),
                str(path),
                size[1],
                size[0],
                facts_clean.sha256,
                facts_degraded.sha256,
                facts_clean.pixels_sha256,
                facts_degraded.pixels_sha256,
            )
        )
    Manifest(tuple(rows), sets / name).write(sets / name / FILE_NAME)


def _crop(image: np.ndarray) -> np.ndarray:
    return image[:PATCH, :PATCH].astype(np.float32) / np.float32(255)


def plain_decoders() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Decoders that others use, as far as they are installed: path to a float patch."""

    def pillow(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return _crop(np.asarray(image))

    yield "Pillow", pillow
    try:
        import cv2  # noqa: PLC0415
    except ImportError:
        pass
    else:
        cv2.setNumThreads(1)

        def opencv(path: Path) -> np.ndarray:
            image = cv2.imread(str(path))
            if image is None:
                raise ValueError(f"{path}: OpenCV cannot read it")
            return _crop(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

        yield "OpenCV", opencv
    try:
        import torch  # noqa: PLC0415
        from torchvision.io import decode_image  # noqa: PLC0415
    except ImportError:
        return
    torch.set_num_threads(1)
    yield (
        "torchvision",
        lambda path: decode_image(str(path))[:, :PATCH, :PATCH].to(torch.float32) / 255,
    )


def patches(sets: Path, paths: Sequence[Path], rounds: int) -> list[Figure]:
    """Patches per second of one worker without any cache, beside plain decoders.

    A patch is a crop of a clean and of a degraded image, so two files are decoded for each.
    """
    ending = paths[0].suffix[1:].upper()
    half = len(paths) // 2
    clean, degraded = paths[:half], paths[half : 2 * half]
    write_set(sets, ending.lower(), clean, degraded, SIZE)
    pairs = PairedSet(sets, ending.lower(), cache_bytes=0)

    def ours() -> None:
        for index in range(half):
            pairs.read_crop(index, 3, 5, PATCH)

    def plain(decode: Callable[[Path], object]) -> None:
        for path in (*clean, *degraded):
            decode(path)

    start = time.process_time()
    ours()
    first = time.process_time() - start  # files are hashed when they are read first
    contenders: dict[str, Callable[[], object]] = {"ours": ours}
    contenders |= {name: functools.partial(plain, decode) for name, decode in plain_decoders()}
    best = best_seconds(contenders, rounds)
    rate = half / best["ours"]
    figures = [
        Figure(
            f"{ending}: patches per s of a worker", rate, f">= {PATCH_RATE:.0f}", rate >= PATCH_RATE
        ),
        Figure(f"{ending}: the same, files hashed too", half / first),
    ]
    for name in contenders.keys() - {"ours"}:
        figures.append(Figure(f"{ending}: over plain {name}", best[name] / best["ours"]))
    return figures


def image_work(rounds: int) -> list[Figure]:
    """Seconds of processor time for the synthesis of an image and for its SSIM."""
    heavy = RainParameters(rate=50, exposure=1 / 30, focal_length=500, angle=30, strength=0.8)
    image = picture(0, (512, 512)).astype(np.float32) / np.float32(255)
    clean = image[:320, :480]
    contenders: dict[str, Callable[[], object]] = {
        "rain": lambda: add_rain(image, heavy, numpy_generator(0, "bench rain")),
        "haze": lambda: synthesise("haze", image, numpy_generator(0, "bench haze")),
        "ssim": lambda: ssim(np.roll(clean, 1, axis=0), clean),
    }
    return [
        Figure(f"{name}: s per image", best, f"<= {limit}", best <= limit)
        for name, best in best_seconds(contenders, rounds).items()
        for limit in [IMAGE_SECONDS[name]]
    ]


def private_mib() -> float:
    """Memory that belongs to this process alone (Linux)."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 2**10


def epoch_memory(folder: Path, names: int) -> list[Figure]:
    """Private memory of a forked worker that reads an epoch, at a tenth of it and at its end."""
    clean_count = max(1, names * EPOCH_CLEAN // EPOCH_NAMES)
    clean = write_files(folder / "clean", "jpg", clean_count, SMALL)
    degraded = write_files(folder / "degraded", "jpg", names, SMALL)
    write_set(folder / "sets", "epoch", clean, degraded, SMALL)
    pairs = PairedSet(folder / "sets", "epoch", cache_bytes=2**20)
    order = numpy_generator(0, "bench epoch").permutation(names)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            early = 0.0
            for number, index in enumerate(order):
                if number == names // 10:
                    early = private_mib()
                pairs.read_crop(int(index), 0, 0, 32)
            os.write(writer, f"{early} {private_mib()}".encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise RuntimeError("the worker failed; see its message above")
    early, late = map(float, text.split())
    growth = late - early
    return [
        Figure(f"epoch of {names}: MiB at a tenth", early),
        Figure(
            f"epoch of {names}: MiB gained since",
            growth,
            f"<= {GROWTH_MIB:.0f}",
            growth <= GROWTH_MIB,
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and say whether the limits hold."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.data_speed", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--files", type=int, default=10000, help="names to verify, per format")
    parser.add_argument("--patches", type=int, default=200, help="patches per round")
    parser.add_argument("--epoch", type=int, default=EPOCH_NAMES, help="names of the epoch")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    options = parser.parse_args(arguments)
    stopwatch = Stopwatch()
    figures: list[Figure] = []

    def report(found: list[Figure]) -> None:
        figures.extend(found)
        for figure in found:
            verdict = figure.limit and f"{figure.limit}: {'holds' if figure.holds else 'MISSED'}"
            print(f"{figure.measure:36}  {figure.value:10.2f}  {verdict}".rstrip(), flush=True)

    print(f"{processors()} threads, best of {options.rounds} rounds", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for ending in ("jpg", "png"):
            paths = write_files(folder / ending, ending, options.files, SIZE)
            report(verification(paths, options.rounds))
            report(patches(folder / "sets", paths[: 2 * options.patches], options.rounds))
        report(epoch_memory(folder / "epoch", options.epoch))
    report(image_work(options.rounds))
    good = all(figure.holds for figure in figures)
    if options.out is not None:
        measured = {figure.measure: figure.value for figure in figures}
        facts = {**stopwatch.facts(), "measured": measured, "limits_hold": good}
        write_json(options.out, plain(facts))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
