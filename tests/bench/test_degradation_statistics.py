"""The whole command on a small made-up mirror, and how it treats its document."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.degradation_statistics import (
    LEVELS,
    MARKS,
    look_at_haze,
    look_at_rain,
    main,
    picture_files,
    replace_between_marks,
)


def photograph(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).random((8, 10, 3)) * 0.8
    return np.kron(coarse, np.ones((8, 8, 1)))


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)).save(path)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    root = tmp_path / "mirror"
    for split in ("test", "train"):
        clean = photograph(1)
        rainy = clean.copy()
        rainy[:, ::10] += 0.3
        save(root / "rain100l" / split / "clean" / "norain-1.png", clean)
        save(root / "rain100l" / split / "degraded" / "rain-1.png", rainy)
        save(
            root / "sots_indoor" / split / "clean" / "1400.png",
            np.pad(clean, ((4, 4), (4, 4), (0, 0))),
        )
        save(root / "sots_indoor" / split / "degraded" / "1400_3.png", 0.6 * clean + 0.4)
    for number in (1, 2):
        clean = photograph(number)
        save(root / "sots_outdoor" / "test" / "clean" / f"000{number}.png", clean)
        hazy = root / "sots_outdoor" / "test" / "degraded" / f"000{number}_0.8_0.1.png"
        save(hazy, clean * np.exp(-0.3) + 0.8 * (1 - np.exp(-0.3)))
        save(root / "bsds500" / "train" / "clean" / f"{number}.png", clean)
        save(root / "real_haze" / "real" / "degraded" / f"{number}.png", 0.5 * clean + 0.4)
    return root


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "docs" / "degradations.md"
    path.parent.mkdir()
    path.write_text(f"# Title\n\n{MARKS[0]}\nold\n{MARKS[1]}\n\nEnd.\n", encoding="utf-8")
    return path


def test_command_writes_plots_and_the_table_between_the_marks(mirror: Path, document: Path) -> None:
    assert main(["--mirror", str(mirror), "--out", str(document.parent)]) == 0
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# Title\n")
    assert text.endswith(f"{MARKS[1]}\n\nEnd.\n")
    assert "old" not in text
    assert "Rain100L, 2 pairs" in text
    assert "SOTS outdoor, 2 pairs" in text
    # depth of the made-up pairs: -log(exp(-0.3)) / 0.1 = 3
    assert "| depth, median | 3.00 ± 0.0" in text
    names = {path.name for path in document.parent.iterdir()}
    assert names == {"degradations.md", "degradations_rain.png", "degradations_haze.png"}
    for plot in document.parent.glob("*.png"):
        assert plot.stat().st_size < 150_000
        assert Image.open(plot).width > 800


def test_a_missing_set_is_named_and_nothing_is_written(
    mirror: Path, document: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = document.read_text(encoding="utf-8")
    assert main(["--mirror", str(mirror / "nowhere"), "--out", str(document.parent)]) == 1
    assert "rain100l/test/clean: expected images there" in caplog.text
    assert document.read_text(encoding="utf-8") == before
    assert list(document.parent.iterdir()) == [document]


@pytest.mark.parametrize("text", ["no marks", f"{MARKS[1]} {MARKS[0]}", MARKS[0] * 2 + MARKS[1]])
def test_a_document_without_both_marks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        replace_between_marks(text, "table")


def test_replacing_twice_is_replacing_once() -> None:
    text = f"a\n{MARKS[0]}\n{MARKS[1]}\nb\n"
    once = replace_between_marks(text, "table")
    assert once == f"a\n{MARKS[0]}\ntable\n{MARKS[1]}\nb\n"
    assert replace_between_marks(once, "table") == once


def test_look_at_rain_counts_pixels_above_each_level() -> None:
    clean = np.full((64, 64, 3), 0.2)
    rainy = clean.copy()
    rainy[:, 10:26] += 100 / 255
    look = look_at_rain(clean, rainy)
    assert look.exceeding[np.searchsorted(LEVELS, 50 / 255)] == pytest.approx(0.25)
    assert look.exceeding[-1] == 0
    assert look.coverage == pytest.approx(0.25)
    assert look.darkened == 0


def test_look_at_haze_without_constants_knows_no_depth() -> None:
    clean = photograph(3)
    hazy = 0.6 * clean + 0.36
    assert np.isnan(look_at_haze(clean, hazy).depth).all()
    known = look_at_haze(clean, hazy, airlight=0.9, beta=0.1)
    assert known.depth == pytest.approx(-10 * np.log(0.6), abs=1e-3)
    assert known.airlight == pytest.approx(0.9)


def test_only_images_count_as_pictures(mirror: Path) -> None:
    folder = mirror / "bsds500" / "train" / "clean"
    (folder / "notes.txt").write_text("no picture")
    assert [path.name for path in picture_files(folder)] == ["1.png", "2.png"]
