"""The paper's numbers and the committed list of doubts about them."""

from __future__ import annotations

import pytest

from reports.paper.arithmetic import doubts
from reports.paper.printed_values import FOLDER, printed_value, read_printed_values, text_fact

TABLES = sorted(path.name for path in FOLDER.glob("table*.csv"))
FULL_MODEL = {
    "table05.csv": "NDR-Restore",
    "table09.csv": "NDR-Restore(M=128,N=32)",
    "table10.csv": "NDR-Restore",
    "table11.csv": "NDR-Restore(lambda=1)",
    "table12.csv": "NDR-Restore(no_Le)",
}


@pytest.mark.parametrize("file", TABLES)
def test_every_file_has_numbers_of_a_plausible_size(file: str) -> None:
    values = read_printed_values(file)
    assert values
    for (_, _, _, metric), printed in values.items():
        if printed.value is not None and metric == "SSIM":
            assert 0 < printed.value < 1
        elif printed.value is not None and metric == "PSNR":
            assert 10 < printed.value < 45


@pytest.mark.parametrize("file", TABLES)
def test_doubts_name_cells_that_have_a_number(file: str) -> None:
    values = read_printed_values(file)
    for key in doubts(file):
        assert values[key].value is not None


def test_tables_of_the_report_have_their_doubts() -> None:
    counts = {file: len(doubts(file)) for file in TABLES if doubts(file)}
    assert counts == {
        "table01.csv": 2,
        "table05.csv": 6,
        "table06.csv": 3,
        "table10.csv": 1,
        "table11.csv": 4,
        "table12.csv": 2,
        "table13.csv": 1,
        "table14.csv": 3,
    }


def test_cells_of_the_one_full_model_agree_but_for_the_doubtful_ones() -> None:
    for column in ("BSD68_sigma25", "Rain100L", "SOTS"):
        for metric in ("PSNR", "SSIM"):
            keys = {
                file: ("noise+rain+haze", method, column, metric)
                for file, method in FULL_MODEL.items()
            }
            sound = {
                printed_value(file, key).text
                for file, key in keys.items()
                if key not in doubts(file)
            }
            assert len(sound) == 1
            doubtful = [file for file, key in keys.items() if key in doubts(file)]
            if metric == "SSIM" and column != "BSD68_sigma25":
                assert doubtful == ["table12.csv"]
            else:
                assert not doubtful


def test_dashes_are_no_numbers() -> None:
    key = ("noise+rain+haze", "NDR-Restore(with_Le)", "SOTS", "PSNR")
    assert printed_value("table12.csv", key).value is None
    assert printed_value(None, key).value is None
    assert text_fact("model", "NDR-Degrad", "all", "params_M").text == "10.70"
