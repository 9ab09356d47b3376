"""docs/add_published_numbers.md, followed to the letter in a copy; what it refuses."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import pytest

from ndr.nearest_name import UnknownNameError
from ndr.specs.typed_file import SpecError
from tests.conftest import REPOSITORY
from tests.project_copy import blocks, copy_project, run_in, succeeded
from workflows.configuration import read_table
from workflows.quoted_numbers import HEADER, read_quoted_numbers

PAGE = REPOSITORY / "docs" / "add_published_numbers.md"


@pytest.mark.slow
def test_a_paper_of_ones_own_stands_beside_its_row(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    row, numbers, command = blocks_of_page()
    path = project / row.path
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("rows:\n", f"rows:\n{row.text}"), encoding="utf-8")
    (project / numbers.path).write_text(numbers.text, encoding="utf-8")
    succeeded(project, run_in(project, shlex.split(command.text)))
    tables = project / "results" / "smoke" / "tables"
    with (tables / "table_controls.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["label"] == "My method"]
    shown = {(line["column"], line["metric"]): line for line in lines if line["shown"] == "yes"}
    for metric, text in (("PSNR", "35.42"), ("SSIM", "0.969")):
        line = shown["Rain100L", metric]
        assert line["paper"] == text
        assert float(line["difference"]) == pytest.approx(float(line["value"]) - float(text))
    # Elsewhere nothing is quoted, and other rows show what they did.
    assert {line["paper"] for key, line in shown.items() if key[0] != "Rain100L"} == {""}
    note = "My method: the printed numbers beside this row are quoted from Me et al., CVPR 2026"
    assert note in (tables / "table_controls.md").read_text(encoding="utf-8")
    content = json.loads((tables / "table_controls.json").read_text(encoding="utf-8"))
    assert any(note in each for each in content["notes"])
    # Another number makes the table again, and nothing else.
    (project / numbers.path).write_text(numbers.text.replace("35.42", "35.43"), encoding="utf-8")
    again = succeeded(project, run_in(project, [*shlex.split(command.text), "-n"]))
    assert "summarise_table" in again
    assert "evaluate_run" not in again


def blocks_of_page() -> list:
    """The blocks of the page, which has one section."""
    text = PAGE.read_text(encoding="utf-8")
    page = text.replace("# Add published numbers", "## Add published numbers", 1)
    return blocks_in(page)


def blocks_in(text: str) -> list:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.md"
        path.write_text(text, encoding="utf-8")
        return blocks(path, "Add published numbers")


GOOD = dict(
    zip(
        HEADER,
        ("table_05", "noise_rain_haze", "Mine", "Rain100L", "PSNR", "35.42", "Me, 2026"),
        strict=True,
    )
)


def written(folder: Path, *lines: dict[str, str], header: tuple[str, ...] = HEADER) -> str:
    path = folder / "numbers.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([header, *([line[name] for name in HEADER] for line in lines)])
    return str(path)


def tables() -> dict:
    import dataclasses

    table = read_table("table_05")
    mine = dataclasses.replace(table.rows[-1], method="identity", label="Mine", paper_method="")
    return {"table_05": dataclasses.replace(table, rows=(*table.rows, mine))}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"table": "table_5"}, UnknownNameError, "line 2.*did you mean 'table_05'"),
        ({"column": "Rain100"}, UnknownNameError, "column of table_05.*did you mean 'Rain100L'"),
        ({"metric": "PSNRR"}, UnknownNameError, "did you mean 'PSNR'"),
        ({"metric": "PIQE"}, UnknownNameError, "metric of table_05"),
        ({"method": "Mien"}, UnknownNameError, "did you mean 'Mine'"),
        ({"setting": "noise_rian"}, UnknownNameError, "setting of Mine"),
        ({"method": "restormer"}, SpecError, "this paper prints of Restormer"),
        ({"value": "high"}, SpecError, "expected a number as it is printed, found 'high'"),
        ({"value": "nan"}, SpecError, "expected a number"),
        ({"source": " "}, SpecError, "expected a source"),
    ],
)
def test_a_line_that_fits_nothing_stops(
    tmp_path: Path, change: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_quoted_numbers([written(tmp_path, {**GOOD, **change})], tables())


def test_files_are_checked(tmp_path: Path) -> None:
    quoted = read_quoted_numbers([written(tmp_path, GOOD)], tables())
    assert list(quoted.numbers) == [("table_05", "noise_rain_haze", "Mine")]
    with pytest.raises(SpecError, match="stands there twice"):
        read_quoted_numbers([written(tmp_path, GOOD, GOOD)], tables())
    with pytest.raises(SpecError, match="expected the columns table,setting"):
        read_quoted_numbers([written(tmp_path, header=(*HEADER[:-1], "from"))], tables())
    with pytest.raises(FileNotFoundError, match="no file"):
        read_quoted_numbers([str(tmp_path / "nowhere.csv")], tables())
