"""The scan on the real sets agrees with what is known of them, image by image."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ndr.data.catalogue import load_catalogue
from ndr.data.leaks.scan import scan
from ndr.data.pairs import PairedSet
from ndr.data.prepare import Places, prepare_set
from ndr.records.leak_findings import IDENTICAL, Comparison, LeakFindings
from tests.conftest import REPOSITORY

CATALOGUE = REPOSITORY / "config" / "datasets.yaml"
TRAIN, TEST = ("bsd400", "rain100l_train"), ("rain100l_test", "cbsd68")


@pytest.fixture(scope="module")
def sets(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As much of BSD400, CBSD68 and Rain100L as there is."""
    folder = tmp_path_factory.mktemp("sets")
    places = Places(folder, folder / "none", (shared_folder / "data",))
    for name in (*TRAIN, *TEST):
        prepare_set(load_catalogue(CATALOGUE), name, places, suite_seed=9, partial=True)
    return folder


@pytest.fixture(scope="module")
def findings(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> LeakFindings:
    return scan(sets, TRAIN, TEST, tmp_path_factory.mktemp("cache"), workers=2)


@pytest.fixture(scope="module")
def overlaps(shared_folder: Path, sets: Path) -> dict[str, tuple[str, str]]:
    """BSDS id and folder of the rain test pairs that are here, from the list of the sets."""
    present = set(PairedSet(sets, "rain100l_test").names)
    with (shared_folder / "data" / "OVERLAPS.tsv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    named = {
        f"rain-{int(line['rain100l_pair'])}": (line["bsds_id"], line["also_in"])
        for line in lines
        if line["rain100l_pair"].isdecimal()
    }
    return {name: found for name, found in named.items() if name in present}


def comparison(findings: LeakFindings, other: str, test: str) -> Comparison:
    return next(
        c for c in (*findings.trainings, *findings.tests) if (c.other, c.test) == (other, test)
    )


def test_ground_truths_in_the_noise_training_set(
    findings: LeakFindings, overlaps: dict[str, tuple[str, str]]
) -> None:
    found = comparison(findings, "bsd400", "rain100l_test")
    assert {match.image: match.partners for match in found.matches} == {
        name: (number,)
        for name, (number, also_in) in overlaps.items()
        if also_in == "bsds500/train"
    }
    assert found.count(IDENTICAL) == len(found.matches) > 0
    facts = findings.facts("rain100l_test")
    assert facts is not None
    assert set(facts.leaked) == {match.image for match in found.matches}


def test_ground_truths_in_the_noise_test_set(
    findings: LeakFindings, overlaps: dict[str, tuple[str, str]]
) -> None:
    expected = {
        name: number for name, (number, also_in) in overlaps.items() if also_in == "cbsd68/test"
    }
    found = comparison(findings, "cbsd68", "rain100l_test")
    assert {match.image: match.partners for match in found.matches} == {
        name: (number,) for name, number in expected.items()
    }
    assert found.count(IDENTICAL) == len(found.matches) > 0
    back = comparison(findings, "rain100l_test", "cbsd68")
    assert {match.image for match in back.matches} == set(expected.values())


def test_every_pair_is_in_one_of_the_two(
    findings: LeakFindings, overlaps: dict[str, tuple[str, str]], sets: Path
) -> None:
    assert set(overlaps) == set(PairedSet(sets, "rain100l_test").names)
    scenes = findings.facts("rain100l_test")
    assert scenes is not None
    assert scenes.scenes == len({number for number, _ in overlaps.values()})


def test_nothing_else_leaks(findings: LeakFindings) -> None:
    assert not comparison(findings, "bsd400", "cbsd68").matches
    assert not comparison(findings, "rain100l_train", "rain100l_test").matches
    assert not comparison(findings, "rain100l_train", "cbsd68").matches


def test_the_published_sets(findings: LeakFindings, sets: Path) -> None:
    """75 of the 100 ground truths are in BSD400, 25 are CBSD68 images, 91 scenes are different."""
    counts = len(PairedSet(sets, "rain100l_test")), len(PairedSet(sets, "bsd400"))
    if counts != (100, 400):
        pytest.skip(
            "needs 100 Rain100L pairs and 400 BSD400 images, here {} and {}".format(*counts)
        )
    in_bsd400 = comparison(findings, "bsd400", "rain100l_test")
    in_cbsd68 = comparison(findings, "cbsd68", "rain100l_test")
    facts = findings.facts("rain100l_test")
    assert facts is not None
    assert len(in_bsd400.matches) == 75
    assert len(in_cbsd68.matches) == 25
    assert facts.scenes == 91
