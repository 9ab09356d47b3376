"""Facts about a job: its own memory, time and code."""

from __future__ import annotations

import datetime
import subprocess
import sys

from ndr.records.provenance import Job, Stopwatch

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
    job = Job(**Stopwatch().facts())
    assert job.versions["python"].count(".") == 2
    # Everything that makes numbers, whether or not this process imports it.
    assert {"torch", "torchvision", "numpy", "scipy", "scikit-image"} <= job.versions.keys()
    assert {"pillow", "timm", "pyiqa", "bm3d", "spandrel"} <= job.versions.keys()
    assert job.hardware.cores >= 1
    assert job.ended >= datetime.datetime.fromisoformat(job.started)
