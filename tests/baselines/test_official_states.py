"""Authors' checkpoints load strictly; their keys and shapes stand in `official_states/`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ndr.method import CheckpointError, Method, OfficialWeights, SideInformation
from ndr.registry import create, load_official, method_arguments, method_class, method_classes
from tests.baselines.official_shapes import RECORDED, official_shapes, official_state

CHECKPOINTS = [(method, name) for method in RECORDED for name in official_shapes(method)]
SIZES = {
    "dncnn_color_blind": 668_227,
    "ffdnet_color": 852_108,
    "nafnet_sidd_width64": 115_982_915,
    "nafnet_sidd_width32": 29_159_715,
    "deraining": 26_126_644,
    "gaussian_color_denoising_blind": 26_111_668,
}


def published(method: str, checkpoint: str) -> OfficialWeights:
    (weights,) = (w for w in method_class(method).info.official_weights if w.name == checkpoint)
    return weights


def test_every_checkpoint_of_a_table_is_recorded() -> None:
    """So that a renamed layer is noticed before somebody has downloaded the file."""
    recorded = set(CHECKPOINTS)
    recorded.add(("ndr_restore", "model_L"))  # tests/network/test_official_keys.py
    for cls in method_classes():
        for weights in cls.info.official_weights:
            if weights.settings:
                assert (cls.info.name, weights.name) in recorded


def test_recorded_sizes_add_up() -> None:
    sizes = {
        name: sum(torch.Size(shape).numel() for shape in official_shapes(method)[name].values())
        for method, name in CHECKPOINTS
        if name in SIZES
    }
    assert sizes == SIZES


@pytest.mark.parametrize(("name", "checkpoint"), CHECKPOINTS)
def test_full_size_checkpoint_fits(name: str, checkpoint: str) -> None:
    """On the meta device: one key more, less or of another shape is an error."""
    cls, weights = method_class(name), published(name, checkpoint)
    with torch.device("meta"):
        method = create(name, weights.preset, **weights.changes)
    state = official_state(name, checkpoint)
    arguments = method_arguments(name, weights.preset, weights.changes)
    assert arguments.items() >= cls.official_changes(state).items()
    method.load_official_state(state, "checkpoint")
    key = next(key for key in state if cls.map_official_state({key: state[key]}))
    wrong: list[tuple[dict[str, Tensor], str]] = [
        ({k: v for k, v in state.items() if k != key}, "1 missing: "),
        ({**state, "surplus.0.weight": state[key]}, r"1 unknown: .*surplus\.0\.weight"),
        ({**state, key: torch.empty(7, device="meta")}, r"1 of other shape: .*found \(7,\)"),
    ]
    for changed, message in wrong:
        with pytest.raises(CheckpointError, match=message):
            method.load_official_state(changed, "checkpoint")


@pytest.mark.parametrize(
    ("name", "checkpoint"),
    [(method, name) for method, name in CHECKPOINTS if name in SIZES],
)
def test_values_arrive_where_they_belong(name: str, checkpoint: str, tmp_path: Path) -> None:
    """A small network, written as its authors would, comes back as the same function."""
    cls, weights = method_class(name), published(name, checkpoint)
    changes = {key: value for key, value in weights.changes.items() if key != "width"}
    original = distinct(create(name, "smoke", **changes))
    official_name = {
        next(iter(cls.map_official_state({key: torch.empty(0)}))): key
        for key in official_shapes(name)[checkpoint]
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
