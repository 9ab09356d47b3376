"""Degraded images are the same grey levels whatever instructions a processor has."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import hashlib, json
import numpy as np
from ndr.data.derived_sets import rounded
from ndr.degradations.synthesis import KINDS, synthesise
from ndr.data.image_files import to_uint8
generator = np.random.default_rng(5)
for kind in sorted(KINDS):
    for number in range(4):
        small = generator.random((20, 30, 3))
        image = np.kron(small, np.ones((16, 16, 1))).astype(np.float32)
        degraded, record = synthesise(kind, image, np.random.default_rng(number))
        pixels = hashlib.sha256(to_uint8(degraded).tobytes()).hexdigest()
        print(kind, number, pixels[:16], json.dumps(rounded(record), sort_keys=True))
"""
NEWER = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
"""What NumPy computes exponentials and logarithms with where the processor has it."""


def synthesised(**environment: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names of x86-64's instructions")
def test_without_newer_instructions_the_images_are_the_same() -> None:
    here, there = synthesised(), synthesised(NPY_DISABLE_CPU_FEATURES=NEWER)
    assert len(here) >= 20
    assert here == there
