"""The result file: all digits, infinity as text, no NaN, complete or absent."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ndr.records.per_image import COLUMNS, ImageScore, read_scores, write_scores

ROWS = [
    ImageScore("oracle__no_training__seed_0", "noise", "a", "s", "ndr", "PSNR", math.inf),
    ImageScore("oracle__no_training__seed_0", "noise", "a", "s", "ndr", "SSIM", 1.0),
    ImageScore("oracle__no_training__seed_0", "rain", 'b,"c"', "0123", "ndr", "PSNR", 0.1 + 0.2),
]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_scores(tmp_path / "per_image.csv", ROWS)
    assert read_scores(tmp_path / "per_image.csv") == ROWS
    text = (tmp_path / "per_image.csv").read_text()
    assert text.splitlines()[0] == "run,test_set,image,scene,protocol,metric,value"
    assert text.splitlines()[1].endswith(",PSNR,inf")
    assert text.splitlines()[3].endswith(",0.30000000000000004")
    assert text.endswith("\n")
    assert "\r" not in text


def test_pandas_reads_infinity(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write_scores(tmp_path / "per_image.csv", ROWS)
    table = pandas.read_csv(
        tmp_path / "per_image.csv",
        dtype={"image": str, "scene": str},
        float_precision="round_trip",
    )
    assert tuple(table.columns) == COLUMNS
    assert table["value"].tolist() == [math.inf, 1.0, 0.1 + 0.2]
    assert table["scene"].tolist() == ["s", "s", "0123"]
    assert table.groupby("metric")["value"].mean()["PSNR"] == math.inf


def test_nan_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    bad = ImageScore("run", "set", "image", "scene", "ndr", "PSNR", math.nan)
    with pytest.raises(ValueError, match=r"NaN.*image='image'"):
        write_scores(tmp_path / "per_image.csv", [*ROWS, bad])
    assert list(tmp_path.iterdir()) == []


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "per_image.csv"
    path.write_text("run,image,value\nx,y,1\n")
    with pytest.raises(ValueError, match="expected the columns run, test_set"):
        read_scores(path)
