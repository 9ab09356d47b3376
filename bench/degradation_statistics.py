"""Synthesised rain and haze beside the published sets (plots and table of docs/degradations.md).

`python -m bench.degradation_statistics --mirror DIR --out docs/` measures the pairs of Rain100L and
SOTS that DIR holds, degrades their clean pictures and photographs of BSDS500 with the suite's
synthesis, measures those too, and writes two plots and the table between the marks of
`degradations.md`.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.degradation_plots import plot_haze, plot_rain
from bench.haze_measures import (
    common_crop,
    darkest,
    depth_map,
    estimated_airlight,
    transmission_map,
)
from bench.rain_measures import brightening, coverage, streak_angle, streak_size
from ndr.atomic_file import atomic_path, write_text
from ndr.data.image_files import read_rgb
from ndr.degradations.synthesis import synthesise
from ndr.metrics.full_reference import psnr
from ndr.seeds import numpy_generator
from reports.figures.style import house_style, png_bytes

MARKS = ("<!-- measured: begin -->", "<!-- measured: end -->")
DOTS_PER_INCH = 110
SEED = 0
RAIN_DRAWS, HAZE_DRAWS = 2, 12
"""Synthesised versions of each clean picture of a published pair."""
PHOTOGRAPHS = 60
"""Photographs of BSDS500 that are degraded, evenly spaced in the order of their names."""
LEVELS = np.arange(0, 201, 2) / 255
PERCENTILES = np.arange(1, 100)
ROWS = 20
"""Strips from top to bottom in which depth is averaged."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RainLook:
    """Measures of one rainy picture."""

    psnr: float
    coverage: float
    angle: float
    width: float
    length: float
    exceeding: np.ndarray
    """Share of the pixels that are brightened by more than each of `LEVELS`."""
    darkened: float
    """Share of the pixels that are darker than in the clean picture, by a level and a half."""


@dataclass(frozen=True, slots=True)
class HazeLook:
    """Measures of one hazy picture; transmission and depth only where A and beta are known."""

    psnr: float
    airlight: float
    dark_channel: float
    transmission: np.ndarray
    """Percentiles `PERCENTILES` over the picture."""
    depth: np.ndarray
    """The same of depth, in RESIDE's unit."""
    depth_of_rows: np.ndarray
    """Median depth of each of `ROWS` strips over the picture's median."""


def look_at_rain(clean: np.ndarray, rainy: np.ndarray) -> RainLook:
    """Measure one pair, float (H, W, 3) in [0, 1]."""
    light = brightening(clean, rainy)
    angle = streak_angle(light)
    width, length = streak_size(light, angle)
    return RainLook(
        psnr=psnr(rainy, clean),
        coverage=coverage(light),
        angle=angle,
        width=width,
        length=length,
        exceeding=np.array([np.mean(light > level) for level in LEVELS]),
        darkened=float(np.mean(light < -1.5 / 255)),
    )


def look_at_haze(
    clean: np.ndarray, hazy: np.ndarray, airlight: float | None = None, beta: float | None = None
) -> HazeLook:
    """Measure one pair; without A and beta the fields that need them are full of NaN."""
    transmission = np.full(clean.shape[:2], np.nan)
    if airlight is not None:
        transmission = transmission_map(clean, hazy, airlight)
    depth = depth_map(transmission, beta or np.nan)
    known = np.isfinite(depth).any()
    strips = np.array_split(depth, ROWS)
    rows = [np.nanmedian(s) if np.isfinite(s).any() else np.nan for s in strips]
    unknown = np.full(len(PERCENTILES), np.nan)
    return HazeLook(
        psnr=psnr(hazy, clean),
        airlight=estimated_airlight(clean, hazy),
        dark_channel=darkest(hazy),
        transmission=np.nanpercentile(transmission, PERCENTILES) if known else unknown,
        depth=np.nanpercentile(depth, PERCENTILES) if known else unknown,
        depth_of_rows=np.array(rows) / np.nanmedian(depth) if known else np.full(ROWS, np.nan),
    )


def picture_files(folder: Path) -> list[Path]:
    """Image files of a folder in the order of their names.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
    """
    files = sorted(
        f for f in folder.glob("*") if f.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp"}
    )
    if not files:
        raise FileNotFoundError(
            f"{folder}: expected images there; name as --mirror a folder that holds "
            "<dataset>/<split>/{clean,degraded}/"
        )
    return files


def read_picture(path: Path) -> np.ndarray:
    """float32 (H, W, 3) in [0, 1]."""
    return read_rgb(path).astype(np.float32) / np.float32(255)


def saved(image: np.ndarray) -> np.ndarray:
    """What a file of 8 bits keeps of an image, as the published pairs are files."""
    return np.rint(image * 255) / np.float32(255)


def _frame(looks: Iterable[tuple[object, RainLook | HazeLook]], name: str) -> pd.DataFrame:
    """A row per picture with its measures."""
    rows = [{"picture": picture, **dataclasses.asdict(look)} for picture, look in looks]
    return pd.DataFrame(rows).assign(set=name)


def rain_frames(mirror: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pairs of Rain100L, and the suite's rain on their clean pictures."""
    real: list[tuple[object, RainLook]] = []
    ours: list[tuple[object, RainLook]] = []
    for split in ("test", "train"):
        folder = mirror / "rain100l" / split
        for file in picture_files(folder / "clean"):
            clean = read_picture(file)
            rainy = read_picture(folder / "degraded" / file.name.replace("norain", "rain"))
            real.append((file.name, look_at_rain(clean, rainy)))
            for draw in range(RAIN_DRAWS):
                generator = numpy_generator(SEED, "statistics", "rain", split, file.stem, draw)
                rainy = saved(synthesise("rain", clean, generator)[0])
                ours.append((file.name, look_at_rain(clean, rainy)))
    names = f"Rain100L, {len(real)} pairs", f"synthesis, {len(ours)} pictures"
    return _frame(real, names[0]), _frame(ours, names[1])


def _dark_channels(images: Iterable[np.ndarray]) -> pd.DataFrame:
    return pd.DataFrame({"dark_channel": [darkest(image) for image in images]})


def _outdoor(folder: Path) -> dict[str, pd.DataFrame]:
    """Each pair, and the suite's haze on its clean picture with the A and beta of its name."""
    pairs, drawn, clear = [], [], []
    for number, file in enumerate(picture_files(folder / "degraded"), 1):
        name, *constants = file.stem.split("_")
        airlight, beta = map(float, constants)
        clean = read_picture(folder / "clean" / f"{name}.png")
        for draw in range(HAZE_DRAWS):
            generator = numpy_generator(SEED, "statistics", "haze", file.stem, draw)
            hazy, _ = synthesise("haze", clean, generator, airlight=airlight, beta=beta)
            drawn.append((number, look_at_haze(clean, saved(hazy), airlight, beta)))
        pairs.append((number, look_at_haze(clean, read_picture(file), airlight, beta)))
        clear.append(clean)
    return {
        "outdoor": _frame(pairs, "SOTS outdoor"),
        "drawn": _frame(drawn, "synthesis"),
        "outdoor clear": _dark_channels(clear),
    }


def _indoor(mirror: Path) -> Iterator[tuple[str, HazeLook]]:
    """SOTS indoor pairs; their files do not say A and beta."""
    for split in ("test", "train"):
        folder = mirror / "sots_indoor" / split
        for file in picture_files(folder / "degraded"):
            clean = read_picture(folder / "clean" / f"{file.stem.split('_')[0]}.png")
            yield file.name, look_at_haze(*common_crop(clean, read_picture(file)))


def haze_frames(mirror: Path) -> dict[str, pd.DataFrame]:
    """The pairs of SOTS, and the suite's haze on their clean pictures and on BSDS500."""
    photographs, clear = [], []
    files = picture_files(mirror / "bsds500" / "train" / "clean")
    for file in files[:: max(1, len(files) // PHOTOGRAPHS)][:PHOTOGRAPHS]:
        clean = read_picture(file)
        generator = numpy_generator(SEED, "statistics", "haze", file.stem)
        hazy, record = synthesise("haze", clean, generator)
        look = look_at_haze(clean, saved(hazy), record["airlight"], record["beta"])
        photographs.append((file.name, look))
        clear.append(clean)
    real = picture_files(mirror / "real_haze" / "real" / "degraded")
    return {
        **_outdoor(mirror / "sots_outdoor" / "test"),
        "indoor": _frame(_indoor(mirror), "SOTS indoor"),
        "photographs": _frame(photographs, "synthesis"),
        "clear": _dark_channels(clear),
        "real": _dark_channels(read_picture(file) for file in real),
    }


def _mean_and_deviation(values: Iterable[float], digits: int) -> str:
    numbers = np.array(list(values))
    return f"{np.mean(numbers):.{digits}f} ± {np.std(numbers):.{digits}f}"


def measured_block(real: pd.DataFrame, ours: pd.DataFrame, haze: dict[str, pd.DataFrame]) -> str:
    """The tables of the document: mean and deviation over pictures."""
    lines = [
        f"| rain | Rain100L, {len(real)} pairs | synthesis on their clean pictures, {len(ours)} |",
        "|---|---|---|",
    ]
    for name, title, scale, digits in (
        ("psnr", "PSNR of the input, dB", 1, 1),
        ("coverage", "pixels brighter by more than 10 levels, %", 100, 1),
        ("angle", "direction, degrees from vertical", 1, 1),
        ("width", "width of the streaks, px", 1, 1),
        ("length", "length of the streaks, px", 1, 0),
        ("darkened", "pixels that became darker, %", 100, 1),
    ):
        cells = [_mean_and_deviation(scale * frame[name], digits) for frame in (real, ours)]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    samples = [haze[name] for name in ("outdoor", "drawn", "photographs")]
    lines += [
        "",
        f"| haze | SOTS outdoor, {len(samples[0])} pairs | synthesis on their clean pictures, "
        f"same A and beta, {len(samples[1])} | synthesis on BSDS500, {len(samples[2])} |",
        "|---|---|---|---|",
    ]
    cells = [_mean_and_deviation(sample["psnr"], 1) for sample in samples]
    lines.append(f"| PSNR of the input, dB | {' | '.join(cells)} |")
    for title, name, percent in (
        ("median transmission", "transmission", 50),
        ("depth, 5 % of the pixels are nearer", "depth", 5),
        ("depth, median", "depth", 50),
        ("depth, 5 % of the pixels are farther", "depth", 95),
    ):
        cells = [_mean_and_deviation(sample[name].str[percent - 1], 2) for sample in samples]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    cells = [
        _mean_and_deviation((rows[0] / rows[-1] for rows in sample["depth_of_rows"]), 2)
        for sample in samples
    ]
    lines.append(f"| depth of the highest over that of the lowest strip | {' | '.join(cells)} |")
    return "\n".join(lines)


def replace_between_marks(text: str, block: str) -> str:
    """Put a block between the two lines `MARKS` of a document.

    Raises:
        ValueError: not both marks, each once and in order.
    """
    begin, end = MARKS
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"expected the lines {begin!r} and {end!r} once each, in this order")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{block}\n{end}{rest.split(end)[1]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, plot, and write the table into the document."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.degradation_statistics", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--mirror", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--out", type=Path, required=True, help="folder with degradations.md")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    document = options.out / "degradations.md"
    try:
        text = replace_between_marks(document.read_text(encoding="utf-8"), "")
        real, ours = rain_frames(options.mirror)
        logger.info("rain: %d published pairs, %d synthesised", len(real), len(ours))
        haze = haze_frames(options.mirror)
        logger.info("haze: %d + %d published pairs", len(haze["outdoor"]), len(haze["indoor"]))
    except (OSError, ValueError) as error:
        logger.error("%s", error)
        return 1
    with house_style():
        plots = {
            "degradations_rain.png": png_bytes(plot_rain(real, ours, LEVELS * 255), DOTS_PER_INCH),
            "degradations_haze.png": png_bytes(plot_haze(haze, PERCENTILES), DOTS_PER_INCH),
        }
    for name, content in plots.items():
        with atomic_path(options.out / name) as temporary:
            temporary.write_bytes(content)
    write_text(document, replace_between_marks(text, measured_block(real, ours, haze)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
