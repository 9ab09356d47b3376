"""No pair of systems has two contradicting words on one page."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np

from ndr.records import table_result as t
from ndr.records.table_result import TableResult
from ndr.specs.table_plan import PlannedColumn
from reports.claims.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, INPUT, NOISE, RAIN
from tests.reports.pair_words import JudgedPair, judged_pairs

IMAGES = [f"{index:02d}" for index in range(24)]
SYSTEMS = {"NAFNet": -1.0, "MPRNet": -0.25, "AirNet": -0.03, "Restormer": 0.0, "NDR-Restore": 0.02}
"""How far each is ahead, in dB."""
SEVERAL = ("NDR-Restore", "Restormer", "MPRNet")
"""Trained three times."""
COLUMNS = {
    "sigma15": "BSD68_sigma15",
    NOISE: "BSD68_sigma25",
    "sigma50": "BSD68_sigma50",
    RAIN: "Rain100L",
    HAZE: "SOTS",
}
"""The paper's columns of the test sets, all of them: an average needs each."""
BETWEEN = {"noise+rain": 0.02, "noise+rain+haze": 0.25}
"""Standard deviation between trainings in each mix, in dB."""


def finished(results: Path) -> TableResult:
    """Table V in two mixes: clear, small and lopsided differences, one and three trainings."""
    generator = np.random.default_rng(3)
    difficulty = generator.normal(30.0, 3.0, len(IMAGES))
    rows = []
    for block, between in BETWEEN.items():
        sets = tuple(COLUMNS)[: 4 + (block.count("haze"))]
        for system, ahead in SYSTEMS.items():
            run = f"{system.lower().replace('-', '_')}__{block.replace('+', '_')}__seed_0"
            own = {name: generator.normal(0.0, 0.15, len(IMAGES)) for name in sets}
            own[RAIN] = 0.3 * (generator.exponential(1.0, len(IMAGES)) - 1)
            seeds = range(3 if system in SEVERAL else 1)
            for seed in seeds:
                level = ahead + generator.normal(0.0, between)
                values = {
                    name: dict(zip(IMAGES, (difficulty + level + each).tolist(), strict=True))
                    for name, each in own.items()
                }
                made.write_trained(results, run.replace("seed_0", f"seed_{seed}"), values)
            others = tuple(run.replace("seed_0", f"seed_{seed}") for seed in seeds[1:])
            row = made.row(run, system, sets, block=block)
            rows.append(dataclasses.replace(row, other_seeds=others))
    flat = dict.fromkeys(IMAGES, 20.0)
    made.write_evaluation(results, INPUT, dict.fromkeys(COLUMNS, flat))
    columns = tuple(PlannedColumn(name, name, paper) for name, paper in COLUMNS.items())
    return summarise(made.plan(rows, columns=columns), results)


def test_tables_and_claims_say_the_same_of_every_pair(tmp_path: Path) -> None:
    pairs = list(judged_pairs([finished(tmp_path)], tmp_path))
    assert len(pairs) == (5 + 6) * 2 * 10  # columns with the average, metrics, pairs
    assert [pair.contradiction for pair in pairs if pair.contradiction] == []
    words = Counter(word for pair in pairs for word in pair.words)
    assert min(words[REPRODUCED], words[NOT_REPRODUCED], words[UNDECIDED]) > 40
    marks = Counter(mark for pair in pairs if pair.marks for mark in pair.marks)
    assert min(marks[t.BEST], marks[t.NOT_DISTINGUISHABLE], marks[""]) > 10


def test_a_contradiction_would_be_found() -> None:
    """Two rules on one page: a mark by one level, a verdict by another."""
    alike = (t.BEST, t.NOT_DISTINGUISHABLE)
    assert JudgedPair("a", alike, (REPRODUCED, NOT_REPRODUCED)).contradiction
    assert JudgedPair("a", (t.BEST, ""), (UNDECIDED, UNDECIDED)).contradiction
    assert JudgedPair("a", ("", t.BEST), (REPRODUCED, NOT_REPRODUCED)).contradiction
    assert JudgedPair("a", None, (REPRODUCED, UNDECIDED)).contradiction
    assert not JudgedPair("a", alike, (UNDECIDED, UNDECIDED)).contradiction
    assert not JudgedPair("a", ("", t.BEST), (NOT_REPRODUCED, REPRODUCED)).contradiction
