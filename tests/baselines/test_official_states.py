"""Authors' checkpoints load strictly; their key names and shapes stand in `official_states.json`.

A key of that file may hold a range: `model.{0..4..2}.bias` is `model.0.bias`, `model.2.bias` and
`model.4.bias`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ndr.method import (
    CheckpointError,
    Method,
    SideInformation,
    create,
    load_official,
    load_strictly,
    method_class,
)

WEIGHTS = [
    (name, weights)
    for name in ("dncnn", "ffdnet", "nafnet", "restormer")
    for weights in method_class(name).info.official_weights
]
every_checkpoint = pytest.mark.parametrize(
    ("name", "weights"), WEIGHTS, ids=[weights.name for _, weights in WEIGHTS]
)


def official_shapes(checkpoint: str) -> dict[str, list[int]]:
    """Shapes in a published checkpoint by the authors' names."""
    folded = json.loads(Path(__file__).with_name("official_states.json").read_text())[checkpoint]
    shapes = {}
    for key, shape in folded.items():
        match = re.search(r"\{(\d+)\.\.(\d+)(?:\.\.(\d+))?\}", key)
        if match is None:
            shapes[key] = shape
            continue
        first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
        for index in range(first, last + 1, step):
            shapes[key[: match.start()] + str(index) + key[match.end() :]] = shape
    return shapes


def test_published_sizes_add_up() -> None:
    """The recorded shapes are those of the published networks."""
    sizes = {
        weights.name: sum(
            torch.Size(shape).numel() for shape in official_shapes(weights.name).values()
        )
        for _, weights in WEIGHTS
    }
    assert sizes == {
        "dncnn_color_blind": 668_227,
        "ffdnet_color": 852_108,
        "nafnet_sidd_width64": 115_982_915,
        "nafnet_sidd_width32": 29_159_715,
        "deraining": 26_126_644,
        "gaussian_color_denoising_blind": 26_111_668,
    }


@every_checkpoint
def test_full_size_checkpoint_fits(name: str, weights) -> None:
    """On the meta device: names and shapes without memory."""
    cls = method_class(name)
    with torch.device("meta"):
        method = create(name, weights.preset, **weights.changes)
        state = {key: torch.empty(s) for key, s in official_shapes(weights.name).items()}
    load_strictly(method, cls.map_official_state(state), "checkpoint")
    key = min(state)
    wrong: list[tuple[dict[str, Tensor], str]] = [
        ({k: v for k, v in state.items() if k != key}, "1 missing: "),
        ({**state, "surplus.0.weight": state[key]}, r"1 unknown: .*surplus\.0\.weight"),
        ({**state, key: torch.empty(7, device="meta")}, r"1 of other shape: .*found \(7,\)"),
    ]
    for changed, message in wrong:
        with pytest.raises(CheckpointError, match=message):
            load_strictly(method, cls.map_official_state(changed), "checkpoint")


@every_checkpoint
def test_values_arrive_where_they_belong(name: str, weights, tmp_path: Path) -> None:
    """A small network, written as its authors would, comes back as the same function."""
    cls = method_class(name)
    changes = {key: value for key, value in weights.changes.items() if key != "width"}
    original = distinct(create(name, "smoke", **changes))
    official_name = {
        next(iter(cls.map_official_state({key: torch.empty(0)}))): key
        for key in official_shapes(weights.name)
    }
    if name in ("dncnn", "ffdnet"):
        # The authors number the layers through; a shallow network ends earlier.
        state = dict(original.state_dict())
    else:
        state = {official_name[key]: value for key, value in original.state_dict().items()}
    path = tmp_path / "weights.pth"
    torch.save({"params": state}, path)
    loaded = load_official(name, path, "smoke")  # the keys say which of its networks it is
    image = torch.rand(1, 3, 20, 24)
    side = SideInformation(sigma=25.0)
    with torch.no_grad():
        assert torch.equal(loaded.restore(image, side), original.restore(image, side))
    torch.save({"params": {**state, "surplus": torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match=r"weights\.pth does not fit .*surplus"):
        load_official(name, path, "smoke")


def distinct(method: Method) -> Method:
    """Give all parameters different values, so that none can stand for another."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return method.eval()
