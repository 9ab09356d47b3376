"""The banner's facts, and what makes a reader suspicious about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.analysis.origin import Origin, origin_of
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import INPUT, NAFNET, NDR

RUNS = [INPUT, NDR, NAFNET, "never__ran__seed_0"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "quick"
    made.write_standard(folder)
    return folder


def origin(results: Path) -> Origin:
    return origin_of(results, RUNS)


def test_all_jobs_are_collected(results: Path) -> None:
    facts = origin(results)
    assert [job.wall_seconds for job in facts.trainings] == [30.25, 30.25]
    assert [job.wall_seconds for job in facts.evaluations] == [7.5, 7.5, 7.5]
    assert facts.generated is not None
    assert facts.generated.isoformat() == "2026-01-02T03:04:35.250000+00:00"
    assert not facts.quality
    assert facts.machines == ["A Processor, 2 cores, no GPU; Linux 6"]
    assert facts.versions == ["python 3.11.2, torch 2.14.1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modified": True}, "files that differ from the commit"),
        ({"commit": None, "modified": None}, "outside of git"),
        ({"commit": "f" * 40}, "2 commits: ffffffffffff; 0123456789ab"),
        ({"versions": {"torch": "1"}}, "2 sets of package versions"),
        (
            {"hardware": {"processor": "B", "cores": 9, "system": "Linux 6", "gpus": ["H100"]}},
            "2 machines",
        ),
    ],
)
def test_results_of_several_origins_are_listed(results: Path, change: dict, message: str) -> None:
    made.write_training(results, NDR, **change)
    messages = " ".join(entry.message for entry in origin(results).quality)
    assert message in messages
