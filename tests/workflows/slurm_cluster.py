"""A SLURM cluster of this machine alone: two nodes of one core each, with daemons of its own.

Nothing of the machine is touched: configuration, key, sockets and state lie in one folder, and the
ports are free ones. Whoever runs the tests owns the daemons.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = (
    "setpriv",
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "scancel",
    "scontrol",
    "squeue",
)
"""Of Debian's packages munge and slurm-wlm."""
NODES = ("n1", "n2")
PATH = f"{os.environ['PATH']}{os.pathsep}/usr/local/sbin{os.pathsep}/usr/sbin"
"""Daemons lie where a user's path need not lead."""
ENDED_WITH_THE_TEST = ("setpriv", "--pdeathsig", "TERM", "--")
"""Where the tests are killed, the daemons end too (util-linux)."""
START = 60.0
"""Seconds that the daemons have to find each other."""

# Without accounting SLURM forgets an ended job after MinJobAge, whoever still waits for it. The
# memory is what jobs may ask for; `config_overrides` keeps SLURM from comparing it, and the number
# of cores, with the machine's.
CONFIGURATION = """\
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=5
MinJobAge=86400
{nodes}
PartitionName=batch Nodes={names} Default=YES State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=8000"


@dataclass(frozen=True)
class Cluster:
    """Two nodes that wait for jobs."""

    environment: dict[str, str]
    """What a program needs to find them."""

    def ask(self, *command: str) -> str:
        """What a program of SLURM prints; an error where it fails."""
        result = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        if result.returncode != 0:
            raise RuntimeError(f"{command}: {result.stdout}{result.stderr}")
        return result.stdout

    def jobs(self, state: str = "") -> list[tuple[str, str]]:
        """Jobs that wait or run: number, and rule with its wildcards.

        Args:
            state: only those of this one, e.g. RUNNING.
        """
        lines = self.ask("squeue", "--noheader", "--format=%i|%k|%T").splitlines()
        jobs = [line.split("|") for line in lines]
        return [(number, rule) for number, rule, found in jobs if state in ("", found)]

    def running(self) -> list[tuple[str, str]]:
        """Those of `jobs` that run."""
        return self.jobs("RUNNING")


def missing_programs() -> list[str]:
    """Programs of SLURM that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start the daemons, and end them, with the jobs that are left."""
    folder.chmod(0o755)  # munge refuses a socket that others cannot reach
    programs = folder / "bin"
    for name in ("state", *NODES, "bin"):
        (folder / name).mkdir()
    host = socket.gethostname().partition(".")[0]
    ports = _free_ports(1 + len(NODES))
    nodes = [
        NODE.format(name=name, host=host, port=port)
        for name, port in zip(NODES, ports[1:], strict=True)
    ]
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=host,
            port=ports[0],
            folder=folder,
            user=getpass.getuser(),
            nodes="\n".join(nodes),
            names=",".join(NODES),
        )
    )
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    # Snakemake's jobs start `srun` without SLURM_CONF, as if it stood in /etc/slurm.
    srun = programs / "srun"
    real = shutil.which("srun", path=PATH)
    srun.write_text(f"#!/bin/sh\nSLURM_CONF='{configuration}' exec '{real}' \"$@\"\n")
    srun.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SLURM_")},
        "PATH": f"{programs}{os.pathsep}{PATH}",
        "SLURM_CONF": str(configuration),
    }
    munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munge += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "seed", "log")]
    commands = {
        "munged": [*munge, f"--socket={folder}/munge.socket"],
        "slurmctld": ["slurmctld", "-D"],
        **{name: ["slurmd", "-D", "-N", name] for name in NODES},
    }
    started: list[subprocess.Popen[bytes]] = []
    here = Cluster(environment)
    try:
        for name, command in commands.items():
            with (folder / f"{name}.out").open("wb") as out:
                daemon = subprocess.Popen(
                    [*ENDED_WITH_THE_TEST, *command],
                    env=environment,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            started.append(daemon)
            if name == "munged":
                _wait_for((folder / "munge.socket").exists, folder, "munged's socket")
        _wait_for(lambda: _idle(here), folder, "two idle nodes")
        yield here
    finally:
        for number, _ in _left(here):
            subprocess.run(["scancel", "--full", number], env=environment, check=False)
        _settle(lambda: not _left(here))
        for daemon in reversed(started):
            daemon.terminate()
        for daemon in started:
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _left(here: Cluster) -> list[tuple[str, str]]:
    try:
        return here.jobs()
    except (RuntimeError, subprocess.TimeoutExpired):
        return []  # no controller, no jobs


def _idle(here: Cluster) -> bool:
    try:
        states = here.ask("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
    except (RuntimeError, subprocess.TimeoutExpired):
        return False
    return states == [f"{name} idle" for name in NODES]


def _settle(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + START
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.5)
    return False


def _wait_for(condition: Callable[[], bool], folder: Path, what: str) -> None:
    if not _settle(condition):
        said = [
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted([*folder.glob("*.out"), *folder.glob("*.log")])
        ]
        raise RuntimeError("\n".join([f"expected {what} within {START:.0f} s", *said]))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
