"""Key names and shapes of the authors' checkpoints, recorded in `official_states/<method>.json`.

A key may hold a range: `layers.{0..4..2}.bias` is `layers.0.bias`, `layers.2.bias` and
`layers.4.bias`.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import torch
from torch import Tensor

FOLDER = Path(__file__).with_name("official_states")
RECORDED = sorted(path.stem for path in FOLDER.glob("*.json"))
"""Methods of which a checkpoint is recorded."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)(?:\.\.(\d+))?\}")


@functools.cache
def official_shapes(method: str) -> dict[str, dict[str, list[int]]]:
    """Shapes by the authors' names, for each recorded checkpoint of a method."""
    states: dict[str, dict[str, list[int]]] = {}
    folded_states = json.loads((FOLDER / f"{method}.json").read_text(encoding="utf-8"))
    for checkpoint, folded in folded_states.items():
        shapes = states.setdefault(checkpoint, {})
        for key, shape in folded.items():
            match = _RANGE.search(key)
            if match is None:
                shapes[key] = shape
                continue
            for index in range(int(match[1]), int(match[2]) + 1, int(match[3] or 1)):
                shapes[key[: match.start()] + str(index) + key[match.end() :]] = shape
    return states


def official_state(method: str, checkpoint: str) -> dict[str, Tensor]:
    """Tensors without memory, with the names and shapes of a recorded checkpoint."""
    shapes = official_shapes(method)[checkpoint]
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
