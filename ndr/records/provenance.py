"""Where a result comes from: code, versions, machine and time."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

from ndr.records.record import Record
from ndr.specs.typed_file import LATER

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-image",
    "pillow",
    "timm",
    "spandrel",
    "bm3d",
    "pyiqa",
    "opencv-python",
    "opencv-python-headless",
    "snakemake",
)
ROOT = Path(__file__).resolve().parents[2]


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def code_version(apart_from: Sequence[str] = ()) -> dict[str, Any]:
    """Commit of the working tree, and whether files differ from it; None outside of git.

    Args:
        apart_from: folders that the job does not read. Commits of these alone do not count: they
            may be rebased or taken over elsewhere, and name no other code.
    """
    paths = ["--", ".", *(f":(exclude){folder}" for folder in apart_from)]
    status = _git("status", "--porcelain", "--untracked-files=no", *paths)
    commit = _git("log", "-1", "--format=%H", *paths) if apart_from else _git("rev-parse", "HEAD")
    return {"commit": commit or None, "modified": None if status is None else bool(status)}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The machine of a job."""

    processor: str
    cores: int | None
    system: str
    gpus: tuple[str, ...]
    """Those that PyTorch saw, where the job loaded it."""
    cuda: str | None = field(default=None, metadata=LATER)


def hardware() -> Hardware:
    """Processor, cores, and the GPUs that PyTorch sees when it is loaded."""
    gpus, cuda = [], None
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        cuda = torch.version.cuda
    return Hardware(
        processor=processor_name(),
        cores=os.cpu_count(),
        system=f"{platform.system()} {platform.release()}",
        gpus=tuple(gpus),
        cuda=cuda,
    )


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


def text_sha256(text: str) -> str:
    """Hash of a text as a file holds it."""
    return hashlib.sha256(text.encode()).hexdigest()


class Stopwatch:
    """Start of a job: its code, and wall-clock and processor time.

    `apart_from`: see `code_version`. The code is that of the start, which is what runs.
    """

    def __init__(self, apart_from: Sequence[str] = ()) -> None:
        self._code = code_version(apart_from)
        self.started = datetime.datetime.now(datetime.UTC)
        self._wall = time.perf_counter()
        self._processor = time.process_time()

    def facts(self, command: str | None = None) -> dict[str, Any]:
        """The fields of `Job` for the job that ends now; `command` is the process's where None."""
        return {
            **self._code,
            "command": command or shlex.join([Path(sys.executable).name, *sys.argv]),
            "started": self.started.isoformat(timespec="seconds"),
            "wall_seconds": round(time.perf_counter() - self._wall, 3),
            "processor_seconds": round(time.process_time() - self._processor, 3),
            "peak_memory_mib": round(peak_memory_mib(), 1),
            "versions": package_versions(),
            "hardware": hardware(),
        }


_MOST = 1e10
"""Above all seconds and MiB of a job: 300 years, 10 PB."""
_FOLDERS = re.compile(r"(?<![\w.~:/])/(?:[^\s/'\"\\]+/)+")


def without_folders(text: str) -> str:
    """Text without folders of this machine: from the checkout, the home, or the last name on."""
    for folder, sign in ((ROOT, ""), (Path.cwd(), ""), (Path.home(), "~/")):
        text = re.sub(rf"(?<![\w.]){re.escape(str(folder).rstrip('/'))}/", sign, text)
    return _FOLDERS.sub(".../", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Record):
    """What every job says of itself."""

    FILE: ClassVar[str] = "provenance file"

    commit: str | None
    """Of the working tree when the job began (`code_version`); None outside of git."""
    modified: bool | None
    """Whether files differed from the commit."""
    command: str
    started: str
    wall_seconds: float
    processor_seconds: float
    peak_memory_mib: float
    versions: dict[str, str]
    hardware: Hardware

    def __post_init__(self) -> None:
        if datetime.datetime.fromisoformat(self.started).tzinfo is None:
            raise ValueError(f"started: expected a time with its zone, found {self.started!r}")
        for name in ("wall_seconds", "processor_seconds", "peak_memory_mib"):
            if not 0 <= getattr(self, name) < _MOST:
                raise ValueError(f"{name}: expected 0 to {_MOST:g}, found {getattr(self, name)}")

    def content(self) -> dict[str, Any]:
        """The record as JSON's types; the folders of this machine are nobody else's business."""
        # Not by `super()`: a dataclass with slots is another class than the one it was made of.
        content = Record.content(self)
        return typing.cast(dict[str, Any], json.loads(without_folders(json.dumps(content))))

    @property
    def ended(self) -> datetime.datetime:
        """When the job ended."""
        started = datetime.datetime.fromisoformat(self.started)
        return started + datetime.timedelta(seconds=self.wall_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProvenance(Job):
    """`runs/<run>/provenance.json`."""

    run: str
    spec_sha256: str
    source_fingerprint: str
    data_sha256: str
    """Of the images that it saw."""
    steps_done: int
    steps_planned: int
    parameters: int
    device: str
    processes: int
    workers: int
    energy_joules: float | None
    """None where no GPU reports it."""
    seconds_per_step: float
    resumed_at: tuple[int, ...]
    """Steps at which the training went on after it was stopped."""
    final_losses: dict[str, float]
    precision: str
    cpu_threads: int

    @property
    def on_gpu(self) -> bool:
        """Whether it was trained on a graphics card."""
        return self.device.startswith("cuda")

    @property
    def place(self) -> str:
        """The graphics card, or the processor, that it was trained on."""
        return (self.on_gpu and next(iter(self.hardware.gpus), "")) or self.hardware.processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """How images were cut for the network."""

    tile: int
    overlap: int
    declared: str
    """What the method says of tiles: `supported` or `discouraged`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationProvenance(Job):
    """`evaluations/<run>/provenance.json`."""

    run: str
    evaluation_sha256: str
    training_run: str | None
    """Id of the training whose checkpoint was evaluated."""
    training_sha256: str | None
    source: str
    """`retrained`, `shipped`, `official_weights` or `no_training`."""
    official_weights: str | None
    """Name of the authors' checkpoint."""
    checkpoint_sha256: str | None
    parameters: int | None = None
    """Learned numbers that restoring an image uses; None where no network was loaded."""
    images: dict[str, tuple[int, int]]
    """By test set: images that were evaluated, images that the complete set has."""
    tasks: dict[str, str] = field(default_factory=dict, metadata=LATER)
    """Task of each test set, e.g. `noise`; older files do not say."""
    failures: dict[str, str]
    """Test sets that could not be evaluated, with the reason."""
    unavailable_metrics: dict[str, str] = field(default_factory=dict)
    """Metrics that could not be computed on this machine, with the reason."""
    tiling: Tiles | None = None
    """None: whole images in one pass."""
    restore_seconds: float = 0.0
    seconds_per_megapixel: float = 0.0
    protocols: tuple[str, ...]
    protocol_versions: dict[str, int]
    precision: str
    device: str | None = None
    """None where nothing was restored."""
    scores_sha256: str = field(default="", metadata=LATER)
    """Of `per_image.csv`; empty in records from before it was kept."""


def run_folder(results: Path, run: str) -> Path:
    """Folder of a training: checkpoint, curve and provenance."""
    return results / "runs" / run


def evaluation_folder(results: Path, run: str) -> Path:
    """Folder of an evaluation: per-image values, provenance and pictures."""
    return results / "evaluations" / run


def training_provenance(results: Path, run: str) -> TrainingProvenance | None:
    """Provenance of the training of `run`; None where no file is there.

    Raises:
        ResultFileError: the file is damaged or of another version.
    """
    return TrainingProvenance.read_if_there(run_folder(results, run) / "provenance.json")


def evaluation_provenance(results: Path, run: str) -> EvaluationProvenance | None:
    """Provenance of the evaluation of `run`; None where no file is there.

    Raises:
        ResultFileError: the file is damaged or of another version.
    """
    return EvaluationProvenance.read_if_there(evaluation_folder(results, run) / "provenance.json")
