"""The style sheet's colours have contrast, in light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.build import STATIC, StaticFileError, content_security_policy, joined

STYLE = (STATIC / "report.css").read_text(encoding="utf-8")
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
    pattern = r"--([\w-]+):\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)"
    return {name: pair[dark] for name, *pair in re.findall(pattern, STYLE)}


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


def test_no_file_follows_the_system_behind_the_pages_own_choice_of_colours() -> None:
    assert "prefers-color-scheme" not in joined(".css")


def test_the_first_file_of_a_kind_is_report_and_the_rest_stand_by_name(tmp_path: Path) -> None:
    for name in ("a.css", "report.css", "z.css", "b.js"):
        (tmp_path / name).write_text(f"/* {name} */")
    assert joined(".css", tmp_path) == "/* report.css */\n/* a.css */\n/* z.css */"


def test_a_file_that_would_end_its_element_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('x = "</script>"')
    with pytest.raises(StaticFileError, match="must not contain '</'"):
        joined(".js", tmp_path)


def test_the_policy_names_no_host() -> None:
    policy = content_security_policy("x")
    assert policy.startswith("default-src 'none'; img-src 'self' data:;")
    assert "http" not in policy
