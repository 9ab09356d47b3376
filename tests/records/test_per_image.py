"""The result file: all digits, infinity as text, no NaN, complete or absent."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ndr.atomic_file import write_text
from ndr.records.per_image import COLUMNS, ImageScore, read_evaluation, scores_text
from ndr.records.record import ResultFileError
from tests.reports.fabricated_results import evaluation_record, write_evaluation

ROWS = [
    ImageScore("oracle__no_training__seed_0", "noise", "a", "s", "ndr", "PSNR", math.inf),
    ImageScore("oracle__no_training__seed_0", "noise", "a", "s", "ndr", "SSIM", 1.0),
    ImageScore("oracle__no_training__seed_0", "rain", 'b,"c"', "0123", "ndr", "PSNR", 0.1 + 0.2),
]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_text(tmp_path / "per_image.csv", scores_text(ROWS))
    found = read_evaluation(tmp_path / "per_image.csv", ROWS[0].run)
    assert list(found.scores()) == ROWS
    assert not found.problems
    text = (tmp_path / "per_image.csv").read_text()
    assert text.splitlines()[0] == "run,test_set,image,scene,protocol,metric,value"
    assert text.splitlines()[1].endswith(",PSNR,inf")
    assert text.splitlines()[3].endswith(",0.30000000000000004")
    assert text.endswith("\n")
    assert "\r" not in text


def test_pandas_reads_infinity(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write_text(tmp_path / "per_image.csv", scores_text(ROWS))
    table = pandas.read_csv(
        tmp_path / "per_image.csv",
        dtype={"image": str, "scene": str},
        float_precision="round_trip",
    )
    assert tuple(table.columns) == COLUMNS
    assert table["value"].tolist() == [math.inf, 1.0, 0.1 + 0.2]
    assert table["scene"].tolist() == ["s", "s", "0123"]
    assert table.groupby("metric")["value"].mean()["PSNR"] == math.inf


def test_nan_is_refused() -> None:
    bad = ImageScore("run", "set", "image", "scene", "ndr", "PSNR", math.nan)
    with pytest.raises(ValueError, match=r"NaN.*image='image'"):
        scores_text([*ROWS, bad])


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "per_image.csv"
    path.write_text("run,image,value\nx,y,1\n")
    with pytest.raises(ResultFileError, match="expected the columns run, test_set"):
        read_evaluation(path, "x")


def test_numbers_are_bound_to_their_run(tmp_path: Path) -> None:
    """Two files exchanged, their run renamed: nothing else in them tells it."""
    one, two = (
        write_evaluation(tmp_path, run, {"noise": {"a": psnr, "b": 30.0}})
        for run, psnr in (("one", 28.0), ("two", 33.0))
    )
    assert read_evaluation(one, "one").run == "one"
    mine, other = one.read_text(), two.read_text()
    one.write_text(other.replace("two,", "one,"))
    with pytest.raises(
        ResultFileError, match=r"one/per_image.csv: .*not the values that .*one/pro"
    ):
        read_evaluation(one, "one")
    one.write_text(mine)
    two.with_name("provenance.json").replace(one.with_name("provenance.json"))
    with pytest.raises(ResultFileError, match=r"provenance of run 'two'"):
        read_evaluation(one, "one")


def test_records_from_before_the_hash_are_read(tmp_path: Path) -> None:
    path = write_evaluation(tmp_path, "one", {"noise": {"a": 28.0}})
    evaluation_record("one", {"noise": {"a": 28.0}}).write(path.with_name("provenance.json"))
    assert "scores_sha256" not in path.with_name("provenance.json").read_text()
    assert read_evaluation(path, "one").series
    path.with_name("provenance.json").unlink()
    assert read_evaluation(path, "one").series
