"""Random generators derived from names.

Every random draw of the suite comes from a generator that is keyed by the suite's seed and by
names (a purpose, an image, a step). So a result depends on neither global state, nor the order
of files, nor the number of workers, and a resumed training draws what it would have drawn.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derived_seed(suite_seed: int, *names: str | int) -> int:
    """Derive a 63-bit seed from the suite's seed and a path of names.

    Args:
        suite_seed: the one seed of the configuration.
        names: what the numbers are for, from general to particular, e.g.
            `("noise", "cbsd68", "101085", 25)`. `1` and `"1"` are different names.

    Returns:
        An integer in [0, 2**63), which both NumPy and PyTorch accept.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in (suite_seed, *names):
        encoded = f"{type(part).__name__}:{part}".encode()
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return int.from_bytes(digest.digest(), "big") >> 1


def numpy_generator(suite_seed: int, *names: str | int) -> np.random.Generator:
    """Counter-based NumPy generator for the path of names (see `derived_seed`)."""
    return np.random.Generator(np.random.Philox(derived_seed(suite_seed, *names)))
