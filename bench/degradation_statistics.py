"""Synthesised rain and haze beside the published sets (plots and table of docs/degradations.md).

`python -m bench.degradation_statistics --mirror DIR --out docs/` measures the pairs of Rain100L and
SOTS that DIR holds, degrades their clean pictures and photographs of BSDS500 with the suite's
synthesis, measures those too, and writes two plots and the table between the marks of
`degradations.md`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.haze_measures import (
    common_crop,
    darkest,
    depth_map,
    estimated_airlight,
    transmission_map,
)
from bench.rain_measures import brightening, coverage, psnr, streak_angle, streak_size
from bench.statistics_plots import MARKS, measured_block, plot_haze, plot_rain
from ndr.atomic_file import write_text
from ndr.data.image_files import read_rgb
from ndr.degradations.synthesis import synthesise
from ndr.seeds import numpy_generator

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
        psnr=psnr(clean, rainy),
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
        psnr=psnr(clean, hazy),
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


def rain_looks(mirror: Path) -> tuple[list[RainLook], list[RainLook]]:
    """The pairs of Rain100L, and the suite's rain on their clean pictures."""
    real, ours = [], []
    for split in ("test", "train"):
        folder = mirror / "rain100l" / split
        for file in picture_files(folder / "clean"):
            clean = read_picture(file)
            rainy = folder / "degraded" / file.name.replace("norain", "rain")
            real.append(look_at_rain(clean, read_picture(rainy)))
            for draw in range(RAIN_DRAWS):
                generator = numpy_generator(SEED, "statistics", "rain", split, file.stem, draw)
                ours.append(look_at_rain(clean, saved(synthesise("rain", clean, generator)[0])))
    return real, ours


@dataclass(frozen=True, slots=True)
class HazeLooks:
    """Everything that is measured of haze."""

    outdoor: list[HazeLook]
    """SOTS outdoor pairs."""
    drawn: list[list[HazeLook]]
    """For each of them the suite's haze on its clean picture with its A and beta."""
    outdoor_clear: list[float]
    """Dark channels of their clean pictures."""
    indoor: list[HazeLook]
    """SOTS indoor pairs; their files do not say A and beta."""
    photographs: list[HazeLook]
    """The suite's haze on photographs of BSDS500, everything drawn."""
    clear: list[float]
    """Dark channels of these photographs before the haze."""
    real: list[float]
    """Dark channels of hazy photographs without ground truth."""


def _outdoor(folder: Path) -> Iterator[tuple[HazeLook, list[HazeLook], float]]:
    for file in picture_files(folder / "degraded"):
        name, *constants = file.stem.split("_")
        airlight, beta = map(float, constants)
        clean = read_picture(folder / "clean" / f"{name}.png")
        drawn = []
        for draw in range(HAZE_DRAWS):
            generator = numpy_generator(SEED, "statistics", "haze", file.stem, draw)
            hazy, _ = synthesise("haze", clean, generator, airlight=airlight, beta=beta)
            drawn.append(look_at_haze(clean, saved(hazy), airlight, beta))
        yield look_at_haze(clean, read_picture(file), airlight, beta), drawn, darkest(clean)


def _indoor(mirror: Path) -> Iterator[HazeLook]:
    for split in ("test", "train"):
        folder = mirror / "sots_indoor" / split
        for file in picture_files(folder / "degraded"):
            clean = read_picture(folder / "clean" / f"{file.stem.split('_')[0]}.png")
            yield look_at_haze(*common_crop(clean, read_picture(file)))


def haze_looks(mirror: Path) -> HazeLooks:
    """The pairs of SOTS, and the suite's haze on their clean pictures and on BSDS500."""
    outdoor, drawn, outdoor_clear = zip(*_outdoor(mirror / "sots_outdoor" / "test"), strict=True)
    photographs, clear = [], []
    files = picture_files(mirror / "bsds500" / "train" / "clean")
    for file in files[:: max(1, len(files) // PHOTOGRAPHS)][:PHOTOGRAPHS]:
        clean = read_picture(file)
        generator = numpy_generator(SEED, "statistics", "haze", file.stem)
        hazy, record = synthesise("haze", clean, generator)
        photographs.append(look_at_haze(clean, saved(hazy), record["airlight"], record["beta"]))
        clear.append(darkest(clean))
    real = [
        darkest(read_picture(f)) for f in picture_files(mirror / "real_haze" / "real" / "degraded")
    ]
    return HazeLooks(
        outdoor=list(outdoor),
        drawn=list(drawn),
        outdoor_clear=list(outdoor_clear),
        indoor=list(_indoor(mirror)),
        photographs=photographs,
        clear=clear,
        real=real,
    )


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
        real, ours = rain_looks(options.mirror)
        logger.info("rain: %d published pairs, %d synthesised", len(real), len(ours))
        haze = haze_looks(options.mirror)
        logger.info("haze: %d + %d published pairs", len(haze.outdoor), len(haze.indoor))
    except (OSError, ValueError) as error:
        logger.error("%s", error)
        return 1
    plot_rain(real, ours, LEVELS, options.out / "degradations_rain.png")
    plot_haze(haze, PERCENTILES, options.out / "degradations_haze.png")
    write_text(document, replace_between_marks(text, measured_block(real, ours, haze)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
