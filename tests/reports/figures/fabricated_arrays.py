"""An NPZ as `ndr.represent` writes it, from seeded numbers, and plans of the figures it fills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ndr.specs.figure_plan import FigurePlan, FigureRow
from ndr.study.figure_arrays import write_arrays as write_npz

RUN = "ndr_restore__noise_rain_haze__seed_0"
TEST_SETS = ("made_sigma25", "made_rain", "made_haze")
LABELS = ("Noise, sigma = 25", "Rain", "Haze")
DIMENSION, COUNT, SIDE = 12, 5, 16


def arrays(images: int = 2) -> dict[str, NDArray[Any]]:
    """All arrays by name: smooth random pictures, S that sums to one, U and F of few channels."""
    made = np.random.default_rng(7)
    history = np.cumsum(made.normal(size=(8, DIMENSION, COUNT)), axis=0).astype(np.float32)
    found: dict[str, NDArray[Any]] = {
        "D": history[-1],
        "D_steps": np.array([0, 1, 2, 5, 10, 20, 50, 100]),
        "D_history": history,
    }
    for test_set in TEST_SETS:
        for index in range(images):
            prefix = f"{test_set}/image_{index}/"
            for name in ("clean", "degraded", "restored", "recreated"):
                found[prefix + name] = made.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
            for level in (1, 2, 3):
                side = SIDE // 2 ** (level - 1)
                scores = np.exp(made.normal(size=(COUNT, side, side)))
                found[f"{prefix}affinity_{level}"] = scores / scores.sum(axis=0)
                for name in ("U", "features_before", "features_after"):
                    values = made.normal(size=(3, side, side))
                    found[f"{prefix}{name}_{level}"] = values.astype(np.float16)
    return found


def write_arrays(results: Path, content: dict[str, NDArray[Any]] | None = None) -> Path:
    """Write the file of the run; returns its path."""
    path = results / "representation" / f"{RUN}.npz"
    write_npz(path, iter((arrays() if content is None else content).items()))
    return path


def plan(kind: str, content: str = "", **changes: Any) -> FigurePlan:
    """A plan of a figure of the three test sets."""
    fields: dict[str, Any] = {
        "name": "figure_04",
        "label": "Figure 4",
        "title": "A title",
        "caption": "A caption.",
        "kind": kind,
        "tier": "quick",
        "rows": (FigureRow("NDR-Restore", RUN),),
        "test_sets": TEST_SETS,
        "test_set_labels": LABELS,
        "input_run": "identity__no_training__seed_0",
        "truth_run": "oracle__no_training__seed_0",
        "paper": True,
        "content": content,
    }
    return FigurePlan(**{**fields, **changes})
