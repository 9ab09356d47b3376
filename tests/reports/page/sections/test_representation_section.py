"""The section on D: verdicts follow from the numbers, and every control is printed."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from ndr.records.record import ResultFileError
from ndr.records.representation import RepresentationFile
from reports.analysis.representation_intervals import difference
from reports.build import environment
from reports.page.assets import Assets
from reports.page.sections.representation import representation_section
from reports.page.sections.representation_findings import findings, recreation_verdict
from tests.reports.fabricated_representation import (
    SCENES,
    TASKS,
    content,
    missing,
    number,
    read,
    single,
    written,
)


def verdicts(folder: Path, given: Mapping[str, Any]) -> list[str]:
    return [finding.verdict for finding in findings(read(folder, given))]


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [
        ({"trained": 0.33, "untrained": 0.2}, "not above chance"),
        ({"trained": 0.9, "untrained": 0.9}, "yes, but so does the untrained network"),
        ({"trained": 0.8, "untrained": 0.9}, "yes, less than the untrained network"),
        ({"untrained": 0.6}, "yes, no better than plain image statistics"),
        ({"untrained": 0.6, "image statistics": 0.5}, "yes, and training made it so"),
    ],
)
def test_separability_is_judged_beside_its_controls(
    tmp_path: Path, accuracy: dict[str, float], verdict: str
) -> None:
    assert verdicts(tmp_path, content(accuracy))[0] == verdict


@pytest.mark.parametrize(
    ("psnr", "verdict"),
    [
        ((27, 15, 19, 20, 18, 22), "the picture"),
        ((27, 27, 19, 27, 18, 22), "the degradation"),
        ((27, 24, 19, 20, 18, 22), "both"),
        ((22, 15, 19, 20, 18, 22), "undecided: with its own U"),
        ((27, 26.5, 19, 20, 27, 22), "undecided: with its own U"),  # no better than without U
        ((27, 21, 19, 20, 18, 22), "undecided: U of another picture does not help"),
    ],
)
def test_what_u_carries(tmp_path: Path, psnr: Sequence[float], verdict: str) -> None:
    assert recreation_verdict(read(tmp_path, content(psnr=psnr))).startswith(verdict)


def test_the_other_verdicts(tmp_path: Path) -> None:
    given = content()
    found = verdicts(tmp_path, given)
    assert found[2] == "the picture more"
    assert found[4] == "yes"  # swap test: 0.7 against 1/3, untrained 1/3
    assert found[5] == "few, at all levels"
    assert found[6] == "as random vectors are"
    assert found[7].startswith("not shown")  # the random walk takes the fall out
    assert found[8] == "yes, more than F itself"
    assert found[9] == "yes, no more than F itself"
    given["settling"][1]["walk"] = 0.1
    given["similarity"]["trained"]["mean"] = single(0.03)
    given["recreation"]["swap"]["accuracy"]["U of another picture"] = number(0.33)
    for row in given["residual_correlation"]:
        row["change"] = number(-0.3)
    found = verdicts(tmp_path, given)
    assert found[4] == "not seen"
    assert found[6] == "more than random vectors are"
    assert found[7] == "yes, beyond what the learning rate does"
    assert found[9] == "no, it is smaller there"


def test_three_pictures_decide_nothing(tmp_path: Path) -> None:
    given = content()
    three = SCENES[:3]
    for row in given["separability"]:
        row["accuracy"] = number(0.9, three)
    for name in given["recreation"]["psnr"]:
        given["recreation"]["psnr"][name] = number(20, three)
    found = verdicts(tmp_path, given)
    assert found[0] == found[1] == found[3] == "undecided: too few pictures"


def test_differences_are_paired(tmp_path: Path) -> None:
    file = read(tmp_path, content({"trained": 0.91}))
    task = next(iter(TASKS))
    one, other = file.accuracy[task, "trained", "all"], file.accuracy[task, "untrained", "all"]
    found = difference(one, other)
    assert found is not None
    assert found.interval is not None
    # Both vary by 0.01 from picture to picture in the same way: their difference does not.
    assert found.interval.low == pytest.approx(0.01)
    assert found.interval.high == pytest.approx(0.01)
    assert found.sign == 1


def page(paths: Sequence[Path] | None) -> str:
    section = representation_section(paths, Assets(None))
    return environment().get_template("_representation.html.j2").render(representation=section)


def test_one_table_one_figure_and_all_controls(tmp_path: Path) -> None:
    given = content({"untrained": 0.61, "image statistics": 0.52})
    other = copy.deepcopy(given) | {
        "changes": {"lambda_degrad": 0},
        "recreation": {"reason": "this run was trained without NDR-Degrad (lambda = 0)"},
    }
    html = page([written(tmp_path, given), written(tmp_path, other, "other")])
    assert html.count("<table") == html.count("<img") == 1
    assert '<section id="representation" aria-labelledby="representation-title">' in html
    assert "untrained 61 %" in html
    assert "image statistics 52 %" in html
    assert "chance 33 %" in html
    assert "Noise + Rain + Haze, lambda_degrad = 0" in html
    assert "This run was trained without NDR-Degrad (lambda = 0)." in html
    assert "http" not in re.sub(r'src="[^"]*"', "", html)
    svg = base64.b64decode(html.split("base64,")[1].split('"')[0]).decode("utf-8")
    assert svg.lstrip().startswith("<?xml")
    alt = re.search(r'alt="([^"]+)"', html)
    assert alt is not None
    assert "but so does" not in alt.group(1)
    assert "no" in alt.group(1)
    assert page([tmp_path / "run.json"]) == page([tmp_path / "run.json"])


def test_numbers_that_are_missing_say_why(tmp_path: Path) -> None:
    given = content()
    reason = "a classifier needs at least 3 pictures <found 2>"
    for row in given["separability"]:
        row["accuracy"] = missing(reason)
    given["recreation"]["swap"]["accuracy"]["U of another picture"] = missing("too few")
    given["settling"] = []
    html = page([written(tmp_path, given)])
    assert str(escape(reason)) in html
    assert reason not in html
    assert "Fewer than three snapshots of D were kept." in html


def test_no_files_are_a_sentence() -> None:
    assert "Not measured in this report" in page(None)


@pytest.mark.parametrize("damage", ["schema", "nan", "text", "absent"])
def test_a_damaged_file_is_named_and_the_others_go_on(tmp_path: Path, damage: str) -> None:
    given = content()
    if damage == "schema":
        given["schema"] = 99
    if damage == "nan":
        given["separability"][0]["accuracy"]["value"] = float("nan")
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(given), encoding="utf-8")
    if damage == "text":
        bad.write_text("{", encoding="utf-8")
    if damage == "absent":
        bad.unlink()
    else:
        with pytest.raises(ResultFileError, match=r"bad\.json"):
            RepresentationFile.read(bad)
    html = page([bad, written(tmp_path, content(), "good")])
    assert "bad.json" in html
    assert html.count("<table") == 1
