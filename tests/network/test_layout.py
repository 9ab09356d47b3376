"""The recorded layout says of the networks what the networks are."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from ndr.method import parameter_count
from ndr.nearest_name import UnknownNameError
from ndr.network.layout import SIDE, main, network_layout
from ndr.network.method import NDRRestoreMethod
from ndr.network.parameter_counts import build
from ndr.records.network_layout import NetworkLayout
from ndr.registry import create, method_arguments
from ndr.specs.typed_file import SpecError
from tests.training.tiny_training import tiny_spec


@functools.cache
def small(**changes: Any) -> NetworkLayout:
    return network_layout("smoke", "ndr_restore", changes)


def method_of(**changes: Any) -> NDRRestoreMethod:
    with torch.device("meta"):
        method = create("ndr_restore", "smoke", **changes)
    assert isinstance(method, NDRRestoreMethod)
    return method


def test_the_layout_of_the_paper_has_its_blocks_widths_and_sizes() -> None:
    layout, method = network_layout("paper", "ndr_restore", {}), build()
    restoration = layout.restoration
    assert restoration.parameters == parameter_count(method.restoration)
    assert layout.degradation is not None
    assert method.degradation is not None
    assert layout.degradation.parameters == parameter_count(method.degradation)
    for level, encoder in enumerate(method.restoration.encoders):
        stage = restoration.stage("encoders", level)
        assert stage.blocks == len(encoder) == (4, 6, 6)[level]
        assert stage.parameters == parameter_count(encoder)
        assert stage.output == (48 * 2**level, SIDE // 2**level, SIDE // 2**level)
        assert stage.heads == len(encoder[0].attention.temperature)
    assert restoration.stage("bottom", 3).blocks == len(method.restoration.bottom) == 8
    assert restoration.stage("refinement").blocks == 3
    assert layout.representation is not None
    assert (layout.representation.dimension, layout.representation.count) == (128, 32)


def test_parts_and_stages_add_up_to_the_network() -> None:
    network = small().restoration
    skips = sum(skip.query_parameters + skip.injection_parameters for skip in network.skips)
    representation = small().representation
    assert representation is not None
    stages = sum(stage.parameters for stage in network.stages)
    assert stages + skips + representation.parameters == network.parameters
    degradation = small().degradation
    assert degradation is not None
    injections = sum(skip.injection_parameters for skip in degradation.skips)
    total = sum(stage.parameters for stage in degradation.stages) + injections
    assert total == degradation.parameters


def test_stages_stand_in_the_order_of_their_call() -> None:
    names = [stage.name for stage in small().restoration.stages]
    assert names[:3] == ["extractor", "encoders.0", "downsamplings.0"]
    assert names.index("encoders.2") < names.index("bottom") < names.index("upsamplings.2")
    assert names[-2:] == ["refinement", "reconstruction"]


def test_shapes_are_those_of_a_real_pass() -> None:
    method = create("ndr_restore", "smoke").eval()
    assert isinstance(method, NDRRestoreMethod)
    tensors = method.figure_tensors(torch.rand(1, 3, SIDE, SIDE))
    for skip in small().restoration.skips:
        level = skip.level + 1
        assert skip.affinity == tuple(tensors[f"affinity_{level}"].shape[1:])
        assert skip.degradation == tuple(tensors[f"degradation_{level}"].shape[1:])
        assert skip.features == tuple(tensors[f"features_{level}"].shape[1:])
        assert skip.injected == tuple(tensors[f"injected_{level}"].shape[1:])


def test_a_change_of_the_network_changes_its_layout() -> None:
    assert small(width=8).content() != small().content()
    assert small(width=8).restoration.stage("encoders").output[0] == 8
    deeper = small(blocks=(2, 1, 3, 1))
    assert [deeper.restoration.stage("encoders", k).blocks for k in range(3)] == [2, 1, 3]
    more = small(N=9, M=11)
    assert more.representation is not None
    assert (more.representation.count, more.representation.dimension) == (9, 11)
    assert [skip.affinity[0] for skip in more.restoration.skips if skip.affinity] == [9, 9, 9]


def test_layers_of_the_parts_are_those_of_the_variant() -> None:
    query = small().part("query")
    assert query is not None
    assert [(layer.name, layer.kernel) for layer in query.layers] == [
        ("mapping.0", 3),
        ("mapping.1", 1),
        ("projection.0", 1),
        ("projection.1", 1),
    ]
    assert query.options == {"temperature": True}
    plain = small(variant="equations")
    query, injection, cp = (plain.part(n) for n in ("query", "injection", "cp_convolution"))
    assert query is not None
    assert injection is not None
    assert cp is not None
    assert [layer.kernel for layer in query.layers] == [1, 1]
    assert query.options == {"temperature": False}
    assert [layer.name for layer in injection.layers] == ["degradation_cp", "feature_cp"]
    assert injection.options == {"residuals": 1}
    assert cp.options == {"rank": 16, "multiplies_input": False, "residual": False}
    assert sum(layer.parameters for layer in cp.layers) == cp.parameters


def test_ablations_lack_what_they_leave_out() -> None:
    without = small(use_ndr=False)
    assert without.representation is None
    assert without.degradation is None
    assert without.parts == ()
    assert {skip.injection for skip in without.restoration.skips} == {"PlainSkip"}
    assert {skip.degradation for skip in without.restoration.skips} == {None}
    unqueried = small(use_dq=False)
    assert unqueried.representation is None
    assert {skip.affinity for skip in unqueried.restoration.skips} == {None}
    assert {skip.query for skip in unqueried.restoration.skips} == {"PlainQuery"}
    for changes in ({"use_dq": False}, {"use_cp": False}, {"use_di": False}):
        assert small(**changes).restoration.parameters == parameter_count(
            method_of(**changes).restoration
        )
    assert small(use_cp=False).part("cp_convolution") is None


def test_losses_are_those_of_a_training_step_with_their_weights() -> None:
    def losses(layout: NetworkLayout) -> dict[str, float]:
        return {loss.name: loss.weight for loss in layout.losses}

    assert losses(small()) == {"restore": 1.0, "degrade": 1.0}
    weighted = small(lambda_degrad=0.5, use_le=True, le_weight=0.03)
    assert losses(weighted) == {"restore": 1.0, "degrade": 0.5, "independence": 0.03}
    assert losses(small(lambda_degrad=0)) == {"restore": 1.0}


@pytest.mark.parametrize("upscale", ["pixel_shuffle", "pre_upsample"])
def test_a_network_that_enlarges_returns_twice_the_size(upscale: str) -> None:
    layout = small(upscale=upscale)
    assert layout.scale == 2
    assert layout.restoration.input == (3, SIDE, SIDE)
    assert layout.restoration.output == (3, 2 * SIDE, 2 * SIDE)
    assert layout.degradation is not None
    assert layout.degradation.output == (3, SIDE, SIDE)


def test_the_command_writes_what_can_be_read_back(tmp_path: Path) -> None:
    out = tmp_path / "network_layout.json"
    arguments = method_arguments("ndr_restore", "smoke", {"width": 8})
    spec = tiny_spec(method="ndr_restore", arguments=arguments).canonical_json()
    assert main(["--spec-json", spec, "--out", str(out)]) == 0
    read = NetworkLayout.read(out)
    assert read.restoration == small(width=8).restoration
    first = out.read_bytes()
    assert main(["--spec-json", spec, "--out", str(out)]) == 0
    assert out.read_bytes() == first


@pytest.mark.parametrize("text", ["{", "[]", '{"method": "ndr_restore"}'])
def test_what_is_no_spec_is_refused(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "network_layout.json"
    assert main(["--spec-json", text, "--out", str(out)]) == 1
    assert "cannot read a RunSpec" in caplog.text
    assert not out.exists()


def test_other_methods_and_wrong_names_are_refused() -> None:
    with pytest.raises(SpecError, match="'dncnn'"):
        network_layout("smoke", "dncnn", {})
    with pytest.raises(UnknownNameError, match="wide"):
        small(wide=8)
