"""Where a result comes from: code, versions, machine and time."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
import platform
import shlex
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "timm", "spandrel", "snakemake")
ROOT = Path(__file__).resolve().parent.parent


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def code_version() -> dict[str, Any]:
    """Commit of the working tree, and whether files differ from it; None outside of git."""
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "modified": None if status is None else bool(status),
    }


@functools.cache
def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a number."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def processor_name() -> str:
    """The processor's marketing name where the system tells it, else its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def hardware() -> dict[str, Any]:
    """Processor, cores, and the GPUs that PyTorch sees when it is loaded."""
    record: dict[str, Any] = {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "gpus": [],
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        record["gpus"] = [
            torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
        ]
        record["cuda"] = torch.version.cuda
    return record


def peak_memory_mib() -> float:
    """Largest resident memory of this process alone so far, in MiB.

    Linux counts a parent's memory into `getrusage` of a child that was started while the parent
    was large, but not into the figure under /proc.
    """
    import resource

    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def file_sha256(path: str | Path) -> str:
    """Hash of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Stopwatch:
    """Start of a job, in wall-clock and processor time."""

    def __init__(self) -> None:
        self.started = datetime.datetime.now(datetime.UTC)
        self._wall = time.perf_counter()
        self._processor = time.process_time()

    def record(self, **facts: Any) -> dict[str, Any]:
        """Provenance of the job that ends now; `facts` are added as they are."""
        return {
            **facts,
            **code_version(),
            "command": shlex.join([Path(sys.executable).name, *sys.argv]),
            "started": self.started.isoformat(timespec="seconds"),
            "wall_seconds": round(time.perf_counter() - self._wall, 3),
            "processor_seconds": round(time.process_time() - self._processor, 3),
            "peak_memory_mib": round(peak_memory_mib(), 1),
            "versions": package_versions(),
            "hardware": hardware(),
        }
