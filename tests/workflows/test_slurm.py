"""A table on a real SLURM cluster, whose daemons the test starts: two nodes of one core each."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.project_copy import copy_project, environment_in, run_in, succeeded
from tests.workflows.slurm_cluster import Cluster, cluster, missing_programs
from workflows.storage.snakemake_records import finished_outputs

TABLE = ["table_11", "--config", "tier=smoke"]
# The cluster has no accounting; it may be asked soon, since nothing here takes long.
ASKING = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"]
EXECUTOR = ["--workflow-profile", "profiles/slurm", *ASKING]
TRAINING = "rule_train_run"
PATIENCE = 900.0
"""Seconds to wait for what must come; the cores are shared with other tests."""

pytestmark = pytest.mark.slow


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Cluster]:
    if missing := missing_programs():
        pytest.skip(f"no SLURM here: {', '.join(missing)} missing (Debian: slurm-wlm, munge)")
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="the extra [slurm] is missing")
    folder = tmp_path / "cluster"
    folder.mkdir()
    with cluster(folder) as running:
        yield running


def wait_until(condition: Callable[[], bool], snakemake: subprocess.Popen[str], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if snakemake.poll() is not None or time.monotonic() > end:
            snakemake.kill()
            pytest.fail(f"{what} did not come:\n{snakemake.communicate()[0][-6000:]}")
        time.sleep(0.3)


def trainings(nodes: Cluster) -> dict[str, str]:
    """Numbers of the jobs that train now, with their rule and run."""
    return {job: rule for job, rule in nodes.running() if rule.startswith(TRAINING)}


def finished(project: Path) -> list[Path]:
    """Runs that have ended, and whose end Snakemake has seen: others it makes again."""
    found = (project / output for output in finished_outputs(project))
    return [path for path in found if path.match("runs/*/provenance.json")]


def test_a_table_goes_on_after_a_killed_job_and_a_killed_snakemake(
    nodes: Cluster, tmp_path: Path
) -> None:
    project, local = (copy_project(tmp_path / name) for name in ("slurm", "local"))
    command = [sys.executable, "-m", "snakemake", *EXECUTOR, *TABLE]
    snakemake = subprocess.Popen(
        command,
        cwd=project,
        env=environment_in(project, base=nodes.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: bool(trainings(nodes)), snakemake, "a training")
    killed, rule = next(iter(trainings(nodes).items()))
    # As a node ends a job that took too much memory.
    nodes.ask("scancel", "--full", "--signal=KILL", killed)

    def submitted_again() -> bool:
        return any(again == rule and job != killed for job, again in nodes.jobs())

    wait_until(submitted_again, snakemake, "the second attempt of the killed job")
    wait_until(
        lambda: bool(finished(project)) and bool(trainings(nodes)), snakemake, "more trainings"
    )
    snakemake.kill()
    assert snakemake.wait() < 0
    # From here on as docs/running.md says.
    for job, _ in nodes.jobs():
        nodes.ask("scancel", job)
    while nodes.ask("squeue", "--noheader"):
        time.sleep(0.3)
    kept = {path: path.read_bytes() for path in finished(project)}
    succeeded(project, run_in(project, command, base=nodes.environment))
    assert {path: path.read_bytes() for path in kept} == kept
    again = succeeded(project, run_in(project, command, base=nodes.environment))
    assert "Nothing to be done" in again
    # All of it ran as jobs of the cluster, on both of its nodes.
    shown = nodes.ask("squeue", "--noheader", "--states=all", "--format=%k|%N|%T").splitlines()
    rules = Counter(line.split("|")[0].partition("_wildcards_")[0] for line in shown)
    assert rules["rule_summarise_table"] == 1
    assert rules[TRAINING] > 5
    assert {line.split("|")[1] for line in shown if line.endswith("COMPLETED")} == {"n1", "n2"}

    cores = [sys.executable, "-m", "snakemake", "--cores", "2"]
    succeeded(local, run_in(local, [*cores, *TABLE]))
    compare(local / "results" / "smoke", project / "results" / "smoke")


TIMES = re.compile(rb'(?<="wall_seconds": )[0-9.]+')
"""In the file of a table."""


def timeless(path: Path) -> bytes:
    """A file's content without what says when and how fast it was made."""
    content = path.read_bytes()
    if path.name == "curve.csv":
        lines = content.splitlines()
        assert lines[0].endswith(b",seconds")
        return b"\n".join(line.rpartition(b",")[0] for line in lines)
    if path.parent.name == "tables" and path.suffix == ".json":
        assert TIMES.search(content)
        return TIMES.sub(b"", content)
    return b"" if path.name == "provenance.json" else content


def compare(local: Path, remote: Path) -> None:
    """Equal files, and equal bits in all of them that say nothing of when and where."""
    files, found = (
        sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        for folder in (local, remote)
    )
    assert found == files
    assert [name for name in files if timeless(local / name) != timeless(remote / name)] == []
    assert sum(name.name == "checkpoint.safetensors" for name in files) == 5
