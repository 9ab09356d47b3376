"""The style sheet's colours have contrast, in light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).resolve().parents[2] / "reports" / "static" / "report.css").read_text()
PAIRS = [
    *((text, ground) for text in ("ink", "muted", "accent") for ground in ("paper", "surface")),
    ("ink", "tint"),
    ("muted", "tint"),
    ("ink", "accent-tint"),
    ("muted", "accent-tint"),
    ("ink", "warning-tint"),
    *((name, f"{name}-tint") for name in ("error", "warning", "note")),
    *((name, "surface") for name in ("error", "warning", "note")),
    ("warning", "accent-tint"),
    ("surface", "accent"),
]


def palette(dark: bool) -> dict[str, str]:
    light, rest = STYLE.split("@media (prefers-color-scheme: dark)", 1)
    pattern = r"--([\w-]+):\s*(#[0-9a-f]{6})"
    colours = dict(re.findall(pattern, light))
    return colours | dict(re.findall(pattern, rest.split("\n}\n", 1)[0])) if dark else colours


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_black_on_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_has_contrast(text: str, ground: str, dark: bool) -> None:
    colours = palette(dark)
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_lines_stand_out_from_their_ground(dark: bool) -> None:
    colours = palette(dark)
    for index in range(7):
        assert contrast(colours[f"line-{index}"], colours["surface"]) >= 3
