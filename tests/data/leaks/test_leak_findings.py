"""The file of findings: read back as written, refused when it is not one."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ndr.records.leak_findings import (
    IDENTICAL,
    Comparison,
    LeakFindings,
    Match,
    NameClash,
    TestSetFacts,
)
from ndr.records.record import ResultFileError

FINDINGS = LeakFindings(
    maximum_distance=80,
    minimum_correlation=0.5,
    trainings=(
        Comparison(
            "train",
            "test",
            9,
            2,
            (Match("a", "s", IDENTICAL, 1.0, "as it is", "clean = clean", ("x", "y")),),
            (NameClash("a", "a", False),),
        ),
    ),
    tests=(),
    test_sets=(TestSetFacts("test", 2, 3, 2, 1, (("a", "b"),), ("a",), ("b",)),),
)


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "leaks.json"
    FINDINGS.write(path)
    assert LeakFindings.read(path) == FINDINGS
    assert LeakFindings.read(path).facts("test") == FINDINGS.test_sets[0]
    assert FINDINGS.facts("other") is None
    assert FINDINGS.scanned_trainings("test") == {"train"}
    assert FINDINGS.leaked_from("other", ["train"]) == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no file of findings"),
        ("[]", "no file of findings"),
        (json.dumps({"schema": 99}), "expected schema 1, found 99"),
        (json.dumps({"schema": 1}), "run the scan again"),
        (
            json.dumps({**dataclasses.asdict(FINDINGS), "leeks": []}),
            "unknown key 'leeks'",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "leaks.json"
    path.write_text(text)
    with pytest.raises(ResultFileError, match=message):
        LeakFindings.read(path)


def test_reading_needs_no_array_library() -> None:
    code = (
        "import sys, ndr.records.leak_findings;"
        "print([name for name in ('numpy', 'scipy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
