"""One run of the workflow at a time in a folder, and none that is held up by one that was killed.

Snakemake writes down which files a run makes, and takes that away when the run ends. A run that
was killed leaves it, and Snakemake asks for `--unlock`. Whether a run is alive the operating system
knows: each holds a lock on a file, which no kill leaves behind. Who gets that lock is alone, and
what it finds written down, or half-written, is of a run that is gone.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ndr.atomic_file import remove_leftovers
from workflows.file_lock import lock

log = logging.getLogger("snakemake.logging")

FOLDER = Path(".snakemake")
"""Snakemake's own folder, in that of the run."""
FILE = "run.lock"

PRODUCTS = ("results", "reports", "resume")
"""Where jobs write; a job that was killed alone may have left something there too."""
PREPARED = ("data/sets", "data/originals", "data/weights")
"""Where they write so many files that looking for halves takes a while."""


class BusyError(RuntimeError):
    """Another run works in this folder."""


class UnwritableError(RuntimeError):
    """The folder of the suite cannot be written."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"{folder.absolute().parent} cannot be written ({error.strerror}): products lie in the "
            "folder of the suite; clone or copy it to one of yours, with room"
        )


_UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC)


@contextlib.contextmanager
def alone(folder: Path = FOLDER) -> Iterator[None]:
    """Hold the folder for one run, and take away what a killed run has left locked in it.

    Raises:
        BusyError: another run is alive here.
        UnwritableError: the folder is read-only, or somebody else's.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = lock(path)
    except OSError as error:
        if error.errno in _UNWRITABLE:
            raise UnwritableError(folder, error) from error
        log.warning(
            f"{path} cannot be locked ({error.strerror}): where a run was killed, "
            "`snakemake --unlock` is needed once"
        )
        yield
        return
    if descriptor is None:
        raise BusyError(
            f"another run works in this folder: {path.read_text(encoding='utf-8').strip()}. Wait "
            "for it (`python -m workflows.progress` shows where it stands) or end it; then give "
            "the same command again"
        )
    with os.fdopen(descriptor, "r+", encoding="utf-8") as held:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        held.truncate()
        held.write(f"process {os.getpid()} on {socket.gethostname()}, since {since}\n")
        held.flush()
        _tidy(folder)
        yield


def _tidy(folder: Path) -> None:
    locks = folder / "locks"
    killed = locks.is_dir() and any(locks.iterdir())
    for name in (*PRODUCTS, *(PREPARED if killed else ())):
        remove_leftovers(folder.parent / name)
    if killed:
        log.warning("The last run here was killed: what it finished is kept, the rest is made.")
        shutil.rmtree(locks)


def run_alone(workflow: Any) -> None:
    """Let the run that Snakemake is about to start be the only one in its folder.

    Dry runs look only, and the Snakemake of a single job on a cluster belongs to a run. Of a disk
    that Snakemake cannot write its own notes to, either is told in a line.

    Args:
        workflow: Snakemake's, while its Snakefile is read.
    """
    from snakemake.exceptions import WorkflowError
    from snakemake_interface_executor_plugins.settings import ExecMode

    if workflow.exec_mode != ExecMode.DEFAULT:
        return
    execute = workflow.execute

    def execute_alone(*arguments: Any, **options: Any) -> Any:
        writes = workflow.execution_settings.lock and not workflow.output_settings.dryrun
        try:
            with alone() if writes else contextlib.nullcontext():
                return execute(*arguments, **options)
        except (BusyError, UnwritableError) as error:
            raise WorkflowError(str(error)) from None
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            raise WorkflowError(str(UnwritableError(FOLDER, error))) from None

    workflow.execute = execute_alone
