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

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

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

matplotlib.use("Agg")


MARKS = ("<!-- measured: begin -->", "<!-- measured: end -->")
DOTS_PER_INCH = 100
REAL, SYNTHESIS, OTHER = sns.color_palette("colorblind")[:3]
"""Blue and orange, told apart by line style too; green for what is neither."""


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    with atomic_path(path) as temporary:
        # No name and version of the library in the file: the same figures give the same bytes.
        figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata={"Software": None})
    plt.close(figure)


def _histograms(
    axes: Axes, real: Sequence[float], ours: Sequence[float], edges: np.ndarray, label: str
) -> None:
    """Both samples as shares per bin: the published one filled, the synthesis as a dashed line."""
    for values, style in (
        (real, {"element": "bars", "color": REAL, "alpha": 0.45, "edgecolor": "white"}),
        (ours, {"element": "step", "fill": False, "color": SYNTHESIS, "linestyle": "--"}),
    ):
        sns.histplot(x=np.asarray(values), bins=edges, stat="proportion", ax=axes, **style)
    axes.set(xlabel=label, ylabel="share of the pictures")


def plot_rain(
    real: Sequence[RainLook], ours: Sequence[RainLook], levels: np.ndarray, path: Path
) -> None:
    """Input PSNR, coverage, angle, width, length, and how strongly pixels are brightened."""
    sns.set_theme(style="whitegrid", context="paper")
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6))
    panels = (
        ("psnr", np.arange(15, 38, 2), "PSNR of the input, dB"),
        ("coverage", np.arange(0, 0.36, 0.03), "pixels brighter by more than 10 levels"),
        ("angle", np.arange(-35, 36, 10), "direction, degrees from vertical"),
        ("width", np.arange(0.75, 5.5, 0.5), "width of the streaks, px"),
        ("length", np.arange(10, 81, 10), "length of the streaks, px"),
    )
    for place, (name, edges, label) in zip(axes.flat, panels, strict=False):
        sample = [[getattr(look, name) for look in looks] for looks in (real, ours)]
        _histograms(place, sample[0], sample[1], edges, label)
    last = axes.flat[-1]
    for looks, colour, style, label in (
        (real, REAL, "-", f"Rain100L, {len(real)} pairs"),
        (ours, SYNTHESIS, "--", f"synthesis, {len(ours)} pictures"),
    ):
        curves = np.array([look.exceeding for look in looks])
        last.plot(levels * 255, curves.mean(axis=0), style, color=colour, label=label)
        low, high = np.percentile(curves, (10, 90), axis=0)
        last.fill_between(levels * 255, low, high, color=colour, alpha=0.15, linewidth=0)
    last.set(
        yscale="log",
        ylim=(1e-5, 1),
        xlabel="brightened by more than, levels of 255",
        ylabel="share of the pixels",
    )
    last.legend()
    _save(figure, path)


def plot_haze(looks: HazeLooks, percentiles: np.ndarray, path: Path) -> None:
    """Transmission, depth from top to bottom, input PSNR, airlight and dark channel."""
    sns.set_theme(style="whitegrid", context="paper")
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6))
    _transmissions(axes[0, 0], looks, percentiles)
    _depth_of_rows(axes[0, 1], looks)
    _input_psnr(axes[0, 2], looks)
    _histograms(
        axes[1, 0],
        [look.psnr for look in (*looks.outdoor, *looks.indoor)],
        [look.psnr for look in looks.photographs],
        np.arange(7, 30, 2),
        "PSNR of the input, dB",
    )
    _airlights(axes[1, 1], looks)
    _dark_channels(axes[1, 2], looks)
    _save(figure, path)


def _transmissions(axes: Axes, looks: HazeLooks, percentiles: np.ndarray) -> None:
    for number, (pair, drawn) in enumerate(zip(looks.outdoor, looks.drawn, strict=True)):
        label = (
            ("SOTS outdoor, each pair", "synthesis, same A and beta") if number == 0 else ("", "")
        )
        axes.plot(pair.transmission, percentiles, color=REAL, label=label[0] or None)
        middle = np.mean([look.transmission for look in drawn], axis=0)
        axes.plot(middle, percentiles, "--", color=SYNTHESIS, label=label[1] or None)
    axes.set(
        xlabel="transmission t", ylabel="percent of the pixels below", xlim=(0.3, 1), ylim=(0, 140)
    )
    axes.legend(loc="upper left")


def _depth_of_rows(axes: Axes, looks: HazeLooks) -> None:
    height = (np.arange(len(looks.outdoor[0].depth_of_rows)) + 0.5) / len(
        looks.outdoor[0].depth_of_rows
    )
    synthesis = np.array([look.depth_of_rows for look in looks.photographs])
    low, middle, high = np.nanpercentile(synthesis, (10, 50, 90), axis=0)
    axes.fill_betweenx(height, low, high, color=SYNTHESIS, alpha=0.2, linewidth=0)
    axes.plot(middle, height, "--", color=SYNTHESIS, label="synthesis, median and 10-90 %")
    for number, pair in enumerate(looks.outdoor):
        axes.plot(
            pair.depth_of_rows, height, color=REAL, label=None if number else "SOTS outdoor pairs"
        )
    axes.set(xlabel="depth over the picture's median", ylabel="row, from top to bottom")
    axes.set(xlim=(0.5, 1.8), ylim=(1.3, 0))
    axes.legend(loc="lower right")


def _input_psnr(axes: Axes, looks: HazeLooks) -> None:
    for number, (pair, drawn) in enumerate(zip(looks.outdoor, looks.drawn, strict=True)):
        values = [look.psnr for look in drawn]
        axes.plot([number] * len(values), values, "_", color=SYNTHESIS, markersize=9)
        axes.plot(number, pair.psnr, "D", color=REAL, markersize=6)
    axes.plot([], [], "D", color=REAL, label="SOTS outdoor")
    axes.plot([], [], "_", color=SYNTHESIS, label="synthesis, same A and beta")
    axes.set(
        xlabel="pair",
        ylabel="PSNR of the input, dB",
        ylim=_room_above(axes),
        xticks=range(len(looks.outdoor)),
    )
    axes.set_xticklabels([str(number + 1) for number in range(len(looks.outdoor))])
    axes.legend(loc="upper left")


def _room_above(axes: Axes) -> tuple[float, float]:
    """Limits of y with room for a legend on top."""
    low, high = axes.get_ylim()
    return low, high + 0.3 * (high - low)


def _strip(axes: Axes, groups: dict[str, Sequence[float]], colours: Sequence[object]) -> None:
    """One row of points per group; points are spread within the row so that none hides another."""
    for row, ((_, values), colour) in enumerate(zip(groups.items(), colours, strict=True)):
        offsets = 0.2 * np.sin(2.4 * np.arange(len(values)))
        axes.plot(values, row + offsets, "o", color=colour, markersize=4, alpha=0.6)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()


def _airlights(axes: Axes, looks: HazeLooks) -> None:
    groups = {
        "SOTS\noutdoor": [look.airlight for look in looks.outdoor],
        "SOTS\nindoor": [look.airlight for look in looks.indoor],
        "synthesis": [look.airlight for look in looks.photographs],
    }
    _strip(axes, groups, (REAL, REAL, SYNTHESIS))
    axes.set(xlabel="airlight A, estimated from each pair", xlim=(0.65, 1.05))


def _dark_channels(axes: Axes, looks: HazeLooks) -> None:
    groups = {
        "BSDS500,\nclear": looks.clear,
        "SOTS outdoor,\nclear": looks.outdoor_clear,
        "BSDS500,\nsynthesis": [look.dark_channel for look in looks.photographs],
        "SOTS outdoor,\nhazy": [look.dark_channel for look in looks.outdoor],
        "real haze": looks.real,
    }
    _strip(axes, groups, (OTHER, OTHER, SYNTHESIS, REAL, REAL))
    axes.set(xlabel="mean of the dark channel", xlim=(0, 0.9))


def _mean_and_deviation(values: Sequence[float], digits: int) -> str:
    return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}"


def measured_block(real: Sequence[RainLook], ours: Sequence[RainLook], looks: HazeLooks) -> str:
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
        cells = [
            _mean_and_deviation([scale * getattr(look, name) for look in sample], digits)
            for sample in (real, ours)
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    drawn = [look for group in looks.drawn for look in group]
    lines += [
        "",
        f"| haze | SOTS outdoor, {len(looks.outdoor)} pairs | synthesis on their clean pictures, "
        f"same A and beta, {len(drawn)} | synthesis on BSDS500, {len(looks.photographs)} |",
        "|---|---|---|---|",
    ]
    samples = (looks.outdoor, drawn, looks.photographs)
    lines.append(
        "| PSNR of the input, dB | "
        + " | ".join(_mean_and_deviation([look.psnr for look in sample], 1) for sample in samples)
        + " |"
    )
    for title, name, percent in (
        ("median transmission", "transmission", 50),
        ("depth, 5 % of the pixels are nearer", "depth", 5),
        ("depth, median", "depth", 50),
        ("depth, 5 % of the pixels are farther", "depth", 95),
    ):
        cells = [
            _mean_and_deviation([getattr(look, name)[percent - 1] for look in sample], 2)
            for sample in samples
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    cells = [
        _mean_and_deviation([look.depth_of_rows[0] / look.depth_of_rows[-1] for look in sample], 2)
        for sample in samples
    ]
    lines.append(f"| depth of the highest over that of the lowest strip | {' | '.join(cells)} |")
    return "\n".join(lines)


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
