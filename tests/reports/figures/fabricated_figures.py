"""Result folders with small pictures whose differences a reader can count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ndr.specs.figure_plan import FigurePlan, FigureRow
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, INPUT, NAFNET, NDR, NOISE, TRUTH

SIDE = 64
LABELS = {NOISE: "Noise, sigma = 25", HAZE: "Haze"}
ROWS = (
    FigureRow("NAFNet", NAFNET, setting="Noise + Haze", test_sets=(NOISE, HAZE)),
    FigureRow("NDR-Restore", NDR, setting="Noise + Haze", test_sets=(NOISE, HAZE)),
)


def figure_plan(kind: str = "picture_grid", **facts: object) -> FigurePlan:
    content = {
        "name": "figure_07",
        "label": "Figure 7",
        "title": "All-in-one restoration",
        "caption": "Systems side by side.",
        "kind": kind,
        "tier": "quick",
        "rows": ROWS,
        "test_sets": (NOISE, HAZE),
        "test_set_labels": tuple(LABELS.values()),
        "input_run": INPUT,
        "truth_run": TRUTH,
        "paper": True,
        "protocol_description": "RGB",
    }
    return FigurePlan(**{**content, **facts})


def picture(level: int, spot: tuple[int, int] | None = None, strength: int = 0) -> np.ndarray:
    """One grey level, with a brighter square of 16 pixels at (top, left)."""
    pixels = np.full((SIDE, SIDE, 3), level, np.uint8)
    if spot is not None:
        top, left = spot
        pixels[top : top + 16, left : left + 16] += np.uint8(strength)
    return pixels


def write_pixels(results: Path, run: str, test_set: str, image: str, pixels: np.ndarray) -> Path:
    path = results / "evaluations" / run / "pictures" / test_set / f"{image}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_results(results: Path) -> Path:
    """Two systems that differ in one square; the truth is level 100, the input level 120."""
    numbers = {NOISE: {"a": 20.0, "b": 22.0, "c": 24.0}, HAZE: {"a": 15.0, "b": 16.0, "c": 17.0}}
    made.write_evaluation(results, INPUT, numbers)
    made.write_trained(
        results,
        NAFNET,
        {NOISE: {"a": 29.0, "b": 31.5, "c": 27.0}, HAZE: {"a": 21.0, "b": 22.0, "c": 23.0}},
        parameters=20_000,
        seconds_per_megapixel=2.0,
    )
    made.write_trained(
        results,
        NDR,
        {NOISE: {"a": 30.0, "b": 31.0, "c": 29.0}, HAZE: {"a": 20.0, "b": 25.0, "c": 21.0}},
        parameters=1_000_000,
        seconds_per_megapixel=40.0,
    )
    for test_set in (NOISE, HAZE):
        for image in ("a", "b", "c"):
            write_pixels(results, INPUT, test_set, image, picture(120))
            write_pixels(results, TRUTH, test_set, image, picture(100))
            write_pixels(results, NAFNET, test_set, image, picture(110))
            write_pixels(results, NDR, test_set, image, picture(105, (20, 40), 30))
    return results
