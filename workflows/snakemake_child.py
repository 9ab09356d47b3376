"""Snakemake as a part of another command: it ends when that command is ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from workflows import ROOT


class SnakemakeError(RuntimeError):
    """Snakemake failed, and has printed why, or was ended."""


def run_snakemake(arguments: Sequence[str], *, quiet: bool = False) -> None:
    """Run Snakemake in the suite's folder; a SIGTERM meanwhile goes to it, and its end is awaited.

    It then finishes the jobs that run and begins no other. Ctrl-C reaches it anyway, a SIGTERM only
    the process that it names: without this, Snakemake would go on alone, its folder locked.

    Args:
        arguments: what follows `snakemake`.
        quiet: without its standard output; errors are shown.

    Raises:
        SnakemakeError: it failed and has said why, or it was ended.
    """
    command = [sys.executable, "-m", "snakemake", *arguments]
    ended = False
    child: subprocess.Popen[bytes] | None = None

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal ended
        ended = True
        if child is not None:
            child.send_signal(signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL if quiet else None)
        if ended:  # while it was being started
            child.send_signal(signal.SIGTERM)
        code = child.wait()
    finally:
        signal.signal(signal.SIGTERM, previous)
    if ended:
        raise SnakemakeError("Snakemake was ended; the same command goes on")
    if code:
        raise SnakemakeError(f"Snakemake failed with exit code {code}, see above")
