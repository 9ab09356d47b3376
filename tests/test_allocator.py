"""Freed memory stays with the process that asked for it, on glibc."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
import torch

class State(ctypes.Structure):  # glibc's struct mallinfo2
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]

try:
    state = ctypes.CDLL(None).mallinfo2
except (OSError, TypeError, AttributeError):
    sys.exit(77)
state.restype = State
if sys.argv[1] == "kept":
    from ndr.allocator import keep_freed_memory
    assert keep_freed_memory()
mapped = state().hblkhd
block = torch.ones(2**26, dtype=torch.uint8)
print(state().hblkhd - mapped >= 2**26)  # mapped by itself, to be returned when it is freed
del block
print(state().fordblks >= 2**26)  # free for the next block
"""


@pytest.mark.parametrize(("kept", "expected"), [("kept", "False True"), ("returned", "True False")])
def test_freed_memory_is_kept(kept: str, expected: str) -> None:
    command = [sys.executable, "-c", PROGRAM, kept]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("the C library is not glibc, or older than 2.33")
    assert done.stdout.split() == expected.split(), done.stderr


def test_other_c_libraries_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    from ndr.allocator import keep_freed_memory

    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not keep_freed_memory()


@pytest.mark.parametrize("command", ["ndr.train", "ndr.evaluate"])
def test_commands_that_compute_for_long_keep_it(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, calls = importlib.import_module(command), []
    monkeypatch.setattr(module, "keep_freed_memory", lambda: calls.append(command))
    with pytest.raises(SystemExit):  # no arguments
        module.main([])
    assert calls == [command]
