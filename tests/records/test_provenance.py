"""Facts about a job: its own memory, time and code."""

from __future__ import annotations

import subprocess
import sys

from ndr.records.provenance import Stopwatch

MEASURE = """
from ndr.records.provenance import peak_memory_mib
before = peak_memory_mib()
block = bytearray(2**27)
block[::4096] = b"x" * len(block[::4096])
print(before, peak_memory_mib())
"""


def test_peak_memory_is_that_of_the_process_alone() -> None:
    ours = bytearray(2**28)  # a parent's memory is not the child's
    ours[::4096] = b"x" * len(ours[::4096])
    result = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    before, after = map(float, result.stdout.split())
    assert before < 200
    assert 120 < after - before < 200


def test_a_record_names_code_versions_and_machine() -> None:
    record = Stopwatch().record(run="a_run")
    assert record["run"] == "a_run"
    assert {"commit", "modified", "command", "wall_seconds", "hardware"} <= record.keys()
    assert record["versions"]["python"].count(".") == 2
    assert record["versions"]["torch"]
    assert record["hardware"]["cores"] >= 1
