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
from reports.analysis.representation_answers import answer, answers, recreation_verdict
from reports.analysis.representation_intervals import difference, known
from reports.build import environment
from reports.page.assets import Assets
from reports.page.sections.representation import representation_section
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
    return [each.verdict for each in answers([read(folder, given)])]


@pytest.mark.parametrize(
    ("accuracy", "verdict", "yes"),
    [
        ({"trained": 0.33, "untrained": 0.2}, "worse than plain image statistics", False),
        (
            {"trained": 0.33, "untrained": 0.2, "image statistics": 0.1, "features F": 0.2},
            "undecided: not told from chance",
            None,
        ),
        (
            {"untrained": 0.9, "image statistics": 0.5, "features F": 0.6},
            "undecided: not told from the untrained network",
            None,
        ),
        ({"trained": 0.8, "untrained": 0.9}, "worse than the untrained network", False),
        (
            {"untrained": 0.6, "image statistics": 0.9, "features F": 0.6},
            "undecided: not told from plain image statistics",
            None,
        ),
        (
            {"untrained": 0.6, "image statistics": 0.5, "features F": 0.9},
            "undecided: not told from the features that it is asked with",
            None,
        ),
        (
            {"untrained": 0.6, "image statistics": 0.5, "features F": 0.97},
            "worse than the features that it is asked with",
            False,
        ),
        (
            {"untrained": 0.6, "image statistics": 0.5, "features F": 0.6},
            "yes, and training made it so",
            True,
        ),
    ],
)
def test_separability_is_judged_beside_its_controls(
    tmp_path: Path, accuracy: dict[str, float], verdict: str, yes: bool | None
) -> None:
    found = answer("affinity_names_type", [read(tmp_path, content(accuracy))])
    assert (found.verdict, found.yes) == (verdict, yes)
    # The number that is shown is the one that decides.
    assert found.interval is not None
    assert found.value is not None
    side = (found.interval.low > found.bound) - (found.interval.high < found.bound)
    assert {1: True, 0: None, -1: False}[side] == yes


@pytest.mark.parametrize(
    ("psnr", "verdict"),
    [
        ((27, 15, 19, 20, 18, 22), "the picture"),
        ((27, 27, 19, 27, 18, 22), "the degradation"),
        ((27, 24, 19, 20, 18, 22), "both"),
        ((22, 15, 19, 20, 18, 22), "undecided: with its own U"),
        ((27, 26.5, 19, 20, 27, 22), "undecided: with its own U"),  # no better than without U
        ((27, 21, 19, 20, 18, 22), "undecided: that U of another picture helps"),
        ((27, 22, 19, 20, 18, 22), "undecided: that U of another picture helps"),
    ],
)
def test_what_u_carries(tmp_path: Path, psnr: Sequence[float], verdict: str) -> None:
    words, yes = recreation_verdict([read(tmp_path, content(psnr=psnr))])
    assert words.startswith(verdict)
    assert yes == {"the picture": False, "both": True, "the degradation": True}.get(verdict)


def asked(folder: Path, given: Mapping[str, Any], question: str) -> tuple[str, bool | None]:
    found = answer(question, [read(folder, given)])
    return found.verdict, found.yes


def test_the_other_verdicts(tmp_path: Path) -> None:
    given = content()
    expected = {
        "affinity_follows_type": ("no, the picture more", False),
        "u_brings_degradation_along": ("yes", True),  # 0.7 against 1/3, untrained 1/3
        "all_vectors_used": ("few, at all levels", False),
        "vectors_differ": ("as random vectors are", True),
        "settles": ("not shown: the fall is that of the learning rate or of a random walk", None),
        "u_shows_residual": ("yes, more than F itself", True),
        "injection_acts_on_residual": ("yes, no more than F itself", True),
        "restoration_uses_u": ("yes", True),
        "restoration_uses_type": ("yes", True),
        "learned_vectors_matter": ("no: it loses nothing that counts", False),
        "recreates": ("yes", True),
        "residual_beyond_edges": ("yes", True),
        "edges_of_clean": ("yes", True),
        "dose_of_rain": ("yes", True),
        "unseen_noise": ("yes", True),
        "unseen_blur": ("no, it harms", False),
        "unseen_jpeg": ("not seen", None),
    }
    assert {name: asked(tmp_path, given, name) for name in expected} == expected


def test_every_word_follows_from_an_interval(tmp_path: Path) -> None:
    """The same values decide nothing where their intervals reach to the other side."""
    given = content()
    for row in given["explained_variance"]:
        row["lead"] = single(-0.4, 0.5)
    for row in given["usage"]:
        row["effective_vectors"] = single(4.0, 8.0)
    given["settled"] = {"scaled": single(0.4, 0.7), "walk": single(0.4, 0.7)}
    given["similarity"]["random"]["mean"] = single(0.06)
    assert asked(tmp_path, given, "affinity_follows_type") == ("undecided", None)
    assert asked(tmp_path, given, "all_vectors_used")[1] is None
    assert asked(tmp_path, given, "settles")[1] is None
    assert asked(tmp_path, given, "vectors_differ") == ("undecided", None)
    given["settled"] = {"scaled": single(0.4, 0.1), "walk": single(0.5, 0.1)}
    assert asked(tmp_path, given, "settles") == ("yes, beyond what the learning rate does", True)
    given["similarity"]["random"]["mean"] = single(0.1, 0.005)
    assert asked(tmp_path, given, "vectors_differ") == ("more than random vectors are", True)


@pytest.mark.parametrize("pictures", [3, 5])
def test_fewer_than_six_pictures_decide_nothing(tmp_path: Path, pictures: int) -> None:
    given = content()
    few = SCENES[:pictures]

    def cut(part: Any) -> Any:
        if isinstance(part, dict) and part.get("pictures") and "value" in part:
            return number(part["value"], few)
        if isinstance(part, dict):
            return {key: cut(each) for key, each in part.items()}
        return [cut(each) for each in part] if isinstance(part, list) else part

    found = list(answers([read(tmp_path, cut(given))]))
    by_pictures = [each for each in found if each.unit or "orrelation" in each.measured]
    assert len(by_pictures) > 10
    assert {(each.verdict, each.yes) for each in by_pictures} == {
        ("undecided: too few pictures", None)
    }


def test_several_trainings_answer_together(tmp_path: Path) -> None:
    """One of three trainings does not use U: the mean loses 2 dB, and no one knows what a fourth
    would do."""
    files = []
    for zeros in (27.0, 27.0, 30.0):
        given = content()
        given["restored"]["psnr"]["U of zeros"] = number(zeros)
        files.append(read(tmp_path, given))
    alone = answer("restoration_uses_u", files[:1])
    together = answer("restoration_uses_u", files)
    assert (alone.yes, alone.trainings) == (True, 1)
    assert (together.yes, together.trainings) == (None, 3)
    assert together.value == pytest.approx(2.0)
    assert together.interval is not None
    assert together.interval.low < 0


def test_differences_are_paired(tmp_path: Path) -> None:
    file = read(tmp_path, content({"trained": 0.91}))
    task = next(iter(TASKS))
    one, other = file.accuracy[task, "trained", "all"], file.accuracy[task, "untrained", "all"]
    found = difference([one], [other])
    assert found.interval is not None
    # Both vary by 0.01 from picture to picture in the same way: their difference does not.
    assert found.interval.low == pytest.approx(0.01)
    assert found.interval.high == pytest.approx(0.01)
    assert found.sign() == 1
    assert known([one]).sign(0.5) == 1


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
    assert html.count("<table") == 1
    assert html.count("<img") == 2  # one figure, for light and for dark ground
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
    given["settled"] = {"scaled": missing("2 changes"), "walk": missing("2 changes")}
    html = page([written(tmp_path, given)])
    assert str(escape(reason)) in html
    assert reason not in html
    assert "2 changes." in html


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
