"""Running a program that restores a folder of PNG files, and checking what it leaves behind."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ndr.method import RestorationError
from ndr.nearest_name import check_names

PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.]*)\}")
LAST_LINES = 10
LONGEST_LINE = 300
_TAIL_BYTES = 1 << 16
_HANDED_ON = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.+|TZ|TMPDIR|TEMP|TMP|TERM|DISPLAY"
    "|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|(CUDA|NVIDIA|CUDNN|ROCR|HIP|OMP|MKL|OPENBLAS)_.+"
    "|XDG_CACHE_HOME|TORCH_HOME|HF_HOME|CONDA_PREFIX|MCR_CACHE_ROOT|SYSTEMROOT"
)
"""Variables that a program gets: no keys of the user, nothing that leads its Python into the
suite's packages. Its command gives others: `env NAME=value program`."""
_MARK = "NDR_EXTERNAL_PROGRAM"
"""Variable by which a program's processes are known, wherever they have gone."""


@dataclass(frozen=True, slots=True)
class ExternalWeights:
    """A file of weights: where it lies, where it comes from, and its hash."""

    path: str
    url: str
    licence: str
    sha256: str | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ExternalProgram:
    """A command, its environment and its limits. Relative paths are those of the project."""

    name: str
    command: tuple[str, ...]
    """Arguments with placeholders: `{input}` and `{output}` (folders), `{python}`, `{folder}`,
    `{weights}` (where there is one file) or `{weights.<name>}`."""
    root: Path
    """Folder of the project."""
    python: str = ""
    """Interpreter of its environment."""
    folder: str = ""
    """Where it runs; empty: in the folder of the project."""
    weights: Mapping[str, ExternalWeights] = field(default_factory=dict)
    environment: str = ""
    """File that describes the environment, for messages."""
    seconds_to_start: float = 600.0
    seconds_per_image: float = 120.0

    def __post_init__(self) -> None:
        used = [name for part in self.command for name in PLACEHOLDER.findall(part)]
        check_names(f"placeholder in the command of {self.name}", used, self._values("", ""))
        for needed in ("input", "output"):
            if needed not in used:
                raise ValueError(f"{self.name}: expected {{{needed}}} in its command, found none")
        if "python" in used and not self.python:
            raise ValueError(f"{self.name}: its command has {{python}}, but `python` is not given")

    def _values(self, inputs: str, outputs: str) -> dict[str, str]:
        values = {
            "input": inputs,
            "output": outputs,
            "python": str(self._absolute(self.python)),
            "folder": str(self._absolute(self.folder)),
        }
        paths = {name: str(self._absolute(file.path)) for name, file in self.weights.items()}
        values |= {f"weights.{name}": path for name, path in paths.items()}
        if len(paths) == 1:
            (values["weights"],) = paths.values()
        return values

    def _absolute(self, path: str) -> Path:
        # Not resolved: an environment's interpreter is a link to the system's, and must stay one.
        return Path(os.path.abspath(self.root / path))

    def arguments(self, inputs: Path, outputs: Path) -> list[str]:
        """The command with its placeholders filled in; nothing passes through a shell."""
        values = self._values(str(inputs), str(outputs))
        return [PLACEHOLDER.sub(lambda match: values[match[1]], part) for part in self.command]

    def check(self) -> None:
        """Raise unless interpreter, folder and weights are there, the weights of the stated hash.

        Raises:
            RestorationError: what is missing, and what to do.
        """
        advice = f"create its environment from {self.environment}" if self.environment else ""
        for what, path in (("interpreter", self.python), ("folder", self.folder)):
            if path and not self._absolute(path).exists():
                raise RestorationError(
                    f"{self.name} is not installed: its {what} is not at {path}; "
                    f"{advice or 'install it'}, or correct config/external_methods.yaml"
                )
        for file in self.weights.values():
            self._check_weights(file)

    def _check_weights(self, file: ExternalWeights) -> None:
        path = self._absolute(file.path)
        if not path.is_file():
            origin = f"; it is published at {file.url}" if file.url else ""
            raise RestorationError(f"{self.name}: no weights at {file.path}{origin}")
        status = path.stat()
        found = _sha256(path, status.st_size, status.st_mtime_ns)
        if not file.sha256:
            raise RestorationError(
                f"{self.name}: config/external_methods.yaml states no sha256 for {file.path}; the "
                f"file has {found}: compare it with the publisher's and write it there"
            )
        if found != file.sha256:
            raise RestorationError(
                f"{self.name}: {file.path} is not the file that config/external_methods.yaml "
                f"names: expected sha256 {file.sha256}, found {found}; download it again"
            )

    def run(self, inputs: Path, outputs: Path, log: Path, count: int, threads: int) -> None:
        """Restore all files of a folder.

        Args:
            inputs: folder of `count` PNG files.
            outputs: empty folder for files of the same names.
            log: file for what the program prints.
            count: number of images, for the time limit.
            threads: what the program is told to use on the CPU (OMP_NUM_THREADS).

        Raises:
            RestorationError: it cannot start, failed, or took too long; with its last lines.
        """
        self.check()
        arguments = self.arguments(inputs, outputs)
        if shutil.which(arguments[0]) is None:
            raise RestorationError(
                f"{self.name} is not installed: there is no program {arguments[0]!r}"
            )
        limit = self.seconds_to_start + count * self.seconds_per_image
        environment = {key: value for key, value in os.environ.items() if _HANDED_ON.fullmatch(key)}
        environment["OMP_NUM_THREADS"] = str(threads)
        environment[_MARK] = mark = secrets.token_hex(16)
        with log.open("wb") as printed:
            try:
                process = subprocess.Popen(
                    arguments,
                    cwd=self._absolute(self.folder),
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise RestorationError(f"{self.name} cannot start: {error}") from error
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                raise RestorationError(
                    f"{self.name} took longer than {limit:g} s for {count} images{last_lines(log)}"
                ) from None
            finally:
                _end(process, mark)
        if status != 0:
            how = f"exit status {status}" if status > 0 else f"signal {-status}"
            raise RestorationError(f"{self.name} failed with {how}{last_lines(log)}")


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End a program and what it started, which may outlive it.

    What has left the program's group, as servers in the background do, is known by the mark in its
    environment, where the system shows that (Linux).
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wanted = f"{_MARK}={mark}".encode()
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # of another user, or it has ended meanwhile
            if wanted in file.read_bytes().split(b"\0"):
                os.kill(int(file.parent.name), signal.SIGKILL)


@functools.lru_cache(maxsize=32)
def _sha256(path: Path, size: int, modified: int) -> str:
    """Hash of a file; size and time of change tell when it has to be read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def last_lines(log: Path) -> str:
    """The last printed lines, in the form of an ending of a message."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    # Codes that command a terminal are no text.
    text = "".join(c if c.isprintable() or c in "\r\n\t" else "\ufffd" for c in text)
    # Progress bars write one line over the other.
    lines = [line.strip()[:LONGEST_LINE] for line in re.split(r"[\r\n]+", text)]
    lines = [line for line in lines if line][-LAST_LINES:]
    return "; it printed nothing" if not lines else "; its last lines:\n" + "\n".join(lines)


def check_outputs(
    program: str,
    names: Sequence[str],
    found: Mapping[str, tuple[int, int]],
    expected: Iterable[tuple[int, int]],
    printed: str,
) -> None:
    """Raise unless there is an image of the right size for each input.

    Args:
        program: its name, for the message.
        names: the images' names.
        found: height and width of the outputs by name.
        expected: height and width of each, in the order of the names.
        printed: what ends the message, see `last_lines`.

    Raises:
        RestorationError: images are missing, or of another size; the first five are named.
    """
    missing = [name for name in names if name not in found]
    if missing:
        raise RestorationError(
            f"{program} wrote {len(names) - len(missing)} of {len(names)} images; missing: "
            f"{', '.join(missing[:5])}{printed}"
        )
    wrong = [
        f"{name} has {found[name][1]}x{found[name][0]} instead of {size[1]}x{size[0]} pixels"
        for name, size in zip(names, expected, strict=True)
        if found[name] != size
    ]
    if wrong:
        raise RestorationError(
            f"{program} wrote {len(wrong)} of {len(names)} images in another size: "
            f"{'; '.join(wrong[:5])}{printed}"
        )
