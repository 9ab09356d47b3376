"""Lists of files that others publish, made again by rule. The hashes in the catalogue are real."""

from __future__ import annotations

import pytest

from ndr.data.catalogue import NumberedLines, PublishedList, load_catalogue
from ndr.data.folder_set import (
    PublishedListError,
    check_published_list,
    lines_sha256,
    list_lines,
)
from ndr.data.pairing import FoundPair
from tests.conftest import REPOSITORY

ENTRIES = load_catalogue(REPOSITORY / "config" / "datasets.yaml").entries


def pair(**groups: str) -> FoundPair:
    return FoundPair("-".join(groups.values()), groups["key"], None, None, "", groups)


def test_the_rain_list_is_the_published_one() -> None:
    """Its 200 lines follow from the numbers alone, so the whole list is made here."""
    pairs = [pair(key=str(number)) for number in range(1, 201)]
    check_published_list("rain100l_train", pairs, ENTRIES["rain100l_train"].published_list)
    with pytest.raises(PublishedListError, match=r"rain100l_train.*rainTrain\.txt.*199 lines"):
        check_published_list("rain100l_train", pairs[:-1], ENTRIES["rain100l_train"].published_list)


def test_lines_of_the_haze_list_name_the_part() -> None:
    published = ENTRIES["ots"].published_list
    ends = ("0025", "3066", "3068", "5418", "5425", "6819", "6823", "8961")
    lines = list_lines([{"key": key, "airlight": "1", "beta": "0.2"} for key in ends], published)
    assert lines == [
        f"synthetic/part{1 + number // 2}/{key}_1_0.2.jpg" for number, key in enumerate(ends)
    ]
    with pytest.raises(PublishedListError, match=r"part of '3067': .* 25-3066, 3068-5418"):
        list_lines([{"key": "3067", "airlight": "1", "beta": "0.2"}], published)


def test_no_test_image_of_sots_has_a_number_of_the_haze_list() -> None:
    """SOTS outdoor starts at 0001, OTS at 0025; an example folder calls 0001 to 0006 training."""
    first, _ = ENTRIES["ots"].published_list.ranges["part"]["1"]
    assert first > 6


def test_the_noise_list_is_bsd400_and_the_numbers_of_wed() -> None:
    lines = list_lines([{"key": "247012"}], ENTRIES["bsd400"].published_list)
    assert lines == [f"{number:05d}.bmp" for number in range(1, 4745)] + ["a247012.jpg"]


def test_lines_are_distinct_and_in_byte_order() -> None:
    published = PublishedList(
        line="{key}.jpg",
        sha256="0" * 64,
        source="nowhere",
        also=(NumberedLines(line="n{number}", first=9, last=10),),
    )
    groups = [{"key": "b", "ev": "1"}, {"key": "B"}, {"key": "b", "ev": "2"}]
    lines = list_lines(groups, published)
    assert lines == ["B.jpg", "b.jpg", "n10", "n9"]
    assert lines_sha256(lines) == lines_sha256(["B.jpg", "b.jpg", "n10", "n9"])
    assert lines_sha256(lines) != lines_sha256(lines[::-1])
