"""Where a result comes from: code, versions, machine and time."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
import platform
import shlex
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ndr.records.table_result import EvaluationFacts, TrainingFacts

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "timm", "spandrel", "snakemake")
ROOT = Path(__file__).resolve().parents[2]


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


MAX_HEADER_BYTES = 100 * 2**20


class ProvenanceError(ValueError):
    """A provenance file that is damaged or lacks a key."""


def run_folder(results: Path, run: str) -> Path:
    """Folder of a training: checkpoint, curve and provenance."""
    return results / "runs" / run


def evaluation_folder(results: Path, run: str) -> Path:
    """Folder of an evaluation: per-image values, provenance and pictures."""
    return results / "evaluations" / run


def read_provenance(path: Path) -> dict[str, Any]:
    """One provenance file.

    Raises:
        FileNotFoundError: no such file.
        ProvenanceError: not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ProvenanceError(f"{path}: {error}; delete {path.parent} and run again") from error
    if not isinstance(content, dict):
        raise ProvenanceError(f"{path}: expected a JSON object; delete {path.parent} and run again")
    return content


def _demand(content: Mapping[str, Any], key: str, path: Path) -> Any:
    if key not in content:
        raise ProvenanceError(f"{path}: no key {key!r}; delete {path.parent} and run again")
    return content[key]


def checkpoint_spec(checkpoint: Path) -> dict[str, Any]:
    """The run spec inside a checkpoint's safetensors header; empty where there is no checkpoint.

    The header is 8 bytes of length (little-endian) and JSON; no weight is read.

    Raises:
        ProvenanceError: the file is no safetensors file.
    """
    if not checkpoint.is_file():
        return {}
    try:
        with checkpoint.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MAX_HEADER_BYTES:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(file.read(length))
        spec = json.loads(header["__metadata__"]["ndr"])["spec"]
        return json.loads(spec) if isinstance(spec, str) else spec
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise ProvenanceError(
            f"{checkpoint} is not a checkpoint of this suite ({error}); delete it and run again"
        ) from error


def training_facts(results: Path, run: str) -> TrainingFacts | None:
    """Facts of the training of `run`; None where no provenance file is there."""
    folder = run_folder(results, run)
    path = folder / "provenance.json"
    if not path.is_file():
        return None
    content = read_provenance(path)
    spec = checkpoint_spec(folder / "checkpoint.safetensors")
    recipe = spec.get("recipe", {})
    return TrainingFacts(
        spec_sha256=_demand(content, "spec_sha256", path),
        source_fingerprint=_demand(content, "source_fingerprint", path),
        steps_done=_demand(content, "steps_done", path),
        steps_planned=_demand(content, "steps_planned", path),
        wall_seconds=_demand(content, "wall_seconds", path),
        parameters=content.get("parameters"),
        balance=spec.get("setting", {}).get("balance"),
        batch=recipe.get("batch"),
        patch=recipe.get("patch"),
    )


@dataclass(frozen=True, slots=True)
class EvaluatedImages:
    """How many images of a test set were evaluated."""

    n: int
    n_total: int


@dataclass(frozen=True, slots=True)
class EvaluationProvenance:
    """What the report takes from the provenance of an evaluation."""

    facts: EvaluationFacts
    images: dict[str, EvaluatedImages]
    """By test set."""
    protocols: tuple[str, ...]
    protocol_versions: dict[str, int]
    """By protocol; results from before versions were recorded are of version 1."""
    training_run: str | None
    """Id of the training whose checkpoint was evaluated."""
    failures: dict[str, str]
    """Test sets that could not be evaluated, with the reason."""
    unavailable: dict[str, str]
    """Metrics that could not be computed, with the reason."""


def evaluation_provenance(results: Path, run: str) -> EvaluationProvenance | None:
    """Provenance of the evaluation of `run`; None where no file is there.

    Raises:
        ProvenanceError: the file is damaged or lacks a key.
    """
    path = evaluation_folder(results, run) / "provenance.json"
    if not path.is_file():
        return None
    content = read_provenance(path)
    tiling = content.get("tiling")
    facts = EvaluationFacts(
        source=_demand(content, "source", path),
        spec_sha256=_demand(content, "evaluation_sha256", path),
        training_sha256=_demand(content, "training_sha256", path),
        checkpoint_sha256=_demand(content, "checkpoint_sha256", path),
        wall_seconds=_demand(content, "wall_seconds", path),
        parameters=content.get("parameters"),
        tiling="" if tiling is None else json.dumps(tiling, sort_keys=True),
    )
    images = {
        test_set: EvaluatedImages(*counts)
        for test_set, counts in _demand(content, "images", path).items()
    }
    return EvaluationProvenance(
        facts,
        images,
        tuple(_demand(content, "protocols", path)),
        content.get("protocol_versions", {}),
        _demand(content, "training_run", path),
        content.get("failures", {}),
        content.get("unavailable_metrics", {}),
    )


def finished_at(provenance: Mapping[str, Any]) -> datetime.datetime | None:
    """When the job of a provenance file ended; None where it does not say."""
    try:
        started = datetime.datetime.fromisoformat(provenance["started"])
        return started + datetime.timedelta(seconds=provenance["wall_seconds"])
    except (KeyError, TypeError, ValueError):
        return None
