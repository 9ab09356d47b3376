"""Facts about a job: its own memory, time and code."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest

from ndr.records import provenance
from ndr.records.provenance import ROOT, Job, Stopwatch, code_version

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


def test_no_folder_of_this_machine_is_written(tmp_path: Path) -> None:
    command = f'python {ROOT}/ndr/train.py --x \'{{"a":"/"}}\' --sets {tmp_path}/a --out=/mnt/b/c'
    job = Job(**Stopwatch().facts(f"{command} https://host/a/b {Path.home()}/.cache/x"))
    job.write(tmp_path / "provenance.json")
    text = (tmp_path / "provenance.json").read_text()
    assert Job.read(tmp_path / "provenance.json").command == (
        'python ndr/train.py --x \'{"a":"/"}\' --sets .../a --out=.../c https://host/a/b ~/.cache/x'
    )
    assert not any(str(folder) in text for folder in (ROOT, tmp_path, Path.home()))


def test_commits_of_what_a_job_does_not_read_name_no_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)

    def git(*arguments: str) -> None:
        author = ("-c", "user.name=A Tester", "-c", "user.email=tester@example.org")
        subprocess.run(("git", *author, *arguments), cwd=tmp_path, check=True, capture_output=True)

    def commit(name: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
        git("add", ".")
        git("commit", "--message", name)

    git("init")
    assert code_version(("weights",)) == {"commit": None, "modified": False}
    commit("code.py")
    begun = Stopwatch(("weights",))
    code = code_version()
    commit("weights/one.md")
    assert code_version() != code
    assert code_version(("weights",)) == code
    (tmp_path / "weights" / "one.md").write_text("changed\n")
    assert code_version()["modified"]
    assert not code_version(("weights",))["modified"]
    # What runs is what was there when the job began.
    commit("code.py")
    (tmp_path / "code.py").write_text("changed\n")
    assert code_version(("weights",))["modified"]
    assert begun.facts().items() >= code.items()
    monkeypatch.setattr(provenance, "ROOT", tmp_path.parent)
    assert code_version(("weights",)) == {"commit": None, "modified": None}
