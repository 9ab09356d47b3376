"""Sizes, gradients and ablations of NDR-Restore and NDR-Degrad."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from ndr.method import parameter_count
from ndr.nearest_name import UnknownNameError
from ndr.network.degradation_injection import CPConvolution
from ndr.network.degradation_query import use_loss
from ndr.network.design import NDRDesign
from ndr.network.ndr_restore import NDRDegrad, NDRRestore, SkipRecord
from ndr.network.parameter_counts import ABLATIONS, build, part_counts, variant_counts
from ndr.network.variant import VARIANTS, variant_named
from ndr.records.parameter_counts import PartCounts

SMALL = NDRDesign(
    variant=VARIANTS["first_release"],
    width=4,
    blocks=(1, 1, 1, 1),
    refinement_blocks=1,
    heads=(1, 2, 2, 2),
    dimension=6,
    count=5,
    rank=3,
    degradation_width=6,
)
ABLATED = [{}, *({switch: False} for switch in ("use_ndr", "use_dq", "use_di", "use_cp"))]


def image(seed: int, batch: int = 1, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("variant", ["first_release", "current_release"])
def test_counts_of_the_releases(variant: str) -> None:
    assert part_counts(build(variant=variant)) == PartCounts(
        restore=27_330_315,
        degrade=9_632_169,
        query_and_injection=1_308_195,
        representation=4_096,
        encoder_and_decoder=26_018_024,
    )


def test_counts_with_the_layers_that_the_first_release_never_uses() -> None:
    counted = variant_counts("first_release").with_never_used
    assert counted.restore == 28_407_819
    assert counted.degrade == 10_709_673
    assert counted.query_and_injection == 2_385_699


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_ablations_have_the_size_of_the_full_network(variant: str) -> None:
    full = part_counts(build(variant=variant))
    reported = variant_counts(variant).ablations
    for name, changes in ABLATIONS.items():
        counts = part_counts(build(variant=variant, **changes))
        found = reported[name]
        assert (found.restore, found.degrade) == (counts.restore, counts.degrade)
        assert abs(counts.restore / full.restore - 1) < 0.02, name
        if counts.degrade:
            assert abs(counts.degrade / full.degrade - 1) < 0.02, name


@pytest.mark.parametrize("changes", ABLATED[1:], ids=str)
@pytest.mark.parametrize("width", [8, 12])
def test_ablations_of_narrow_networks_too(changes: dict[str, bool], width: int) -> None:
    with torch.device("meta"):
        design = replace(SMALL, width=width, dimension=128, count=32, degradation_width=16, rank=16)
        full = parameter_count(NDRRestore(design))
        ablated = parameter_count(NDRRestore(replace(design, **changes)))
    assert abs(ablated / full - 1) < 0.02


@pytest.mark.parametrize("changes", ABLATED, ids=str)
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_gradients_reach_all_parameters(variant: str, changes: dict[str, bool]) -> None:
    torch.manual_seed(0)
    design = replace(SMALL, variant=VARIANTS[variant], **changes)
    restore = NDRRestore(design)
    degraded, clean = image(0, batch=2), image(1, batch=2)
    restored, degradations = restore(degraded)
    loss = (restored - clean).abs().mean()
    networks: list[nn.Module] = [restore]
    if design.use_ndr:
        degrade = NDRDegrad(design)
        # So narrow, its attention squeezes to one number, which a ReLU may cut off.
        nn.init.constant_(degrade.refinement.squeeze.bias, 1.0)
        networks.append(degrade)
        loss = loss + (degrade(clean, degradations) - degraded).abs().mean()
    loss.backward()
    unreached = [
        name
        for network in networks
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert unreached == []


def test_the_degradation_loss_alone_trains_query_and_representation() -> None:
    torch.manual_seed(0)
    restore, degrade = NDRRestore(SMALL), NDRDegrad(SMALL)
    _, degradations = restore(image(0))
    degrade(image(1), degradations).square().mean().backward()
    assert restore.representation.vectors.grad.abs().sum() > 0
    assert all(p.grad.abs().sum() > 0 for p in restore.queries.parameters())
    assert all(p.grad is None for p in restore.injections.parameters())
    assert restore.reconstruction.weight.grad is None


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_image_residual(variant: str) -> None:
    """A network whose last convolution is zero returns its input, or nothing."""
    network = NDRRestore(replace(SMALL, variant=VARIANTS[variant]))
    nn.init.zeros_(network.reconstruction.weight)
    nn.init.zeros_(network.reconstruction.bias)
    degraded = image(2)
    restored, _ = network(degraded)
    expected = degraded if VARIANTS[variant].image_residual else torch.zeros_like(degraded)
    assert torch.equal(restored, expected)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_zero_init_output_starts_at_the_input_where_the_image_is_added(variant: str) -> None:
    torch.manual_seed(0)
    design = replace(SMALL, variant=VARIANTS[variant], zero_init_output=True)
    degraded = image(2)
    restored, degradations = NDRRestore(design)(degraded)
    assert torch.equal(restored, degraded) == VARIANTS[variant].image_residual
    assert torch.equal(NDRDegrad(design)(degraded, degradations), degraded)


@pytest.mark.parametrize(
    ("variant", "residuals"), [("first_release", 2), ("current_release", 0), ("equations", 1)]
)
def test_injection_without_effect_leaves_the_residuals(variant: str, residuals: int) -> None:
    """With scale and shift zero the skip is F as often as the variant adds it.

    The record leaves out what is added to the answer of Eq. 7 afterwards.
    """
    network = NDRRestore(replace(SMALL, variant=VARIANTS[variant]))
    with torch.no_grad():
        for injection in network.injections:
            for module in injection.modules():
                if isinstance(module, CPConvolution) and variant == "equations":
                    nn.init.zeros_(module.channel_projection.weight)
                    nn.init.constant_(module.channel_projection.bias, -1e4)
            if injection.scale_and_shift is not None:
                nn.init.zeros_(injection.scale_and_shift.weight)
                nn.init.zeros_(injection.scale_and_shift.bias)
    records: list[SkipRecord] = []
    network(image(3), records)
    for level, record in enumerate(records):
        torch.testing.assert_close(record.injected, min(residuals, 1) * record.features)
        skipped, _ = network._skip(level, record.features, None)
        torch.testing.assert_close(skipped, residuals * record.features)


def test_all_levels_share_one_representation() -> None:
    network = NDRRestore(SMALL)
    assert [name for name, _ in network.named_parameters() if "vectors" in name] == [
        "representation.vectors"
    ]


def test_affinity_is_left_out_of_an_ordinary_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    network = NDRRestore(SMALL)
    calls = []
    for query in network.queries:
        monkeypatch.setattr(query, "affinity", lambda *_: calls.append(1))
    network(image(0))
    assert calls == []
    network(image(0), [])
    assert len(calls) == 3


def test_the_loss_on_use_is_one_minus_the_information_of_a_pixel() -> None:
    """0 where each pixel takes one vector and all are taken alike, 1 where all take one mixture."""
    chosen = torch.eye(4).reshape(1, 4, 2, 2)
    assert use_loss([chosen]).item() == pytest.approx(0.0, abs=1e-6)
    mixed = torch.tensor([0.7, 0.1, 0.1, 0.1]).reshape(1, 4, 1, 1).expand(2, 4, 3, 3)
    assert use_loss([mixed]).item() == pytest.approx(1.0)
    assert use_loss([chosen, mixed]).item() == pytest.approx(0.5, abs=1e-6)
    one = torch.eye(4)[0].reshape(1, 4, 1, 1).expand(1, 4, 2, 2)
    assert use_loss([one]).item() == pytest.approx(1.0)
    assert use_loss([torch.ones(1, 1, 2, 2)]).item() == 0.0


def test_the_loss_on_use_has_finite_gradients_where_a_vector_is_never_taken() -> None:
    logits = torch.zeros(1, 4, 3, 3)
    logits[:, 0] = 500.0
    logits.requires_grad_()
    use_loss([logits.softmax(dim=1)]).backward()
    assert torch.isfinite(logits.grad).all()


def test_the_loss_on_use_acts() -> None:
    """A few steps on it alone bring it down; on the cosines of D a loss stays where it was."""
    torch.manual_seed(0)
    network = NDRRestore(SMALL)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        records: list[SkipRecord] = []
        network(image(0), records)
        loss = use_loss([record.affinity for record in records])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 0.6
    assert losses[-1] < 0.7 * losses[0]


def test_another_u_can_be_injected() -> None:
    network = NDRRestore(SMALL)
    restored, own = network(image(0))
    torch.testing.assert_close(network(image(0), replaced=own)[0], restored)
    zeros = [torch.zeros_like(level) for level in own]
    without, given = network(image(0), replaced=zeros)
    assert all(one is other for one, other in zip(given, zeros, strict=True))
    assert (without - restored).abs().max() > 1e-6


def test_cp_cube_is_never_as_large_as_k_feature_maps() -> None:
    """No tensor that the CP convolution makes has K times the numbers of its input."""
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.untyped_storage().data_ptr():
                largest = max(largest, result.untyped_storage().nbytes() // result.element_size())
            return result

    features = torch.rand(1, 32, 40, 40)
    cp = CPConvolution(32, 16, VARIANTS["first_release"])
    with Watch():
        cp(features)
    assert features.numel() <= largest < 2 * features.numel()


def test_bfloat16_autocast_stays_close() -> None:
    torch.manual_seed(0)
    restore, degrade = NDRRestore(SMALL), NDRDegrad(SMALL)
    degraded, clean = image(0), image(1)
    exact, degradations = restore(degraded)
    again = degrade(clean, degradations)
    with torch.autocast("cpu", torch.bfloat16):
        rough, rough_degradations = restore(degraded)
        rough_again = degrade(clean, rough_degradations)
    assert rough.dtype == rough_again.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.02
    assert (rough_again - again).abs().mean() < 0.02


def test_one_image_of_a_batch_does_not_see_the_others() -> None:
    torch.manual_seed(0)
    network = NDRRestore(SMALL)
    pair = image(0, batch=2)
    both, _ = network(pair)
    alone, _ = network(pair[1:])
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": (1, 1, 1)}, "blocks: expected 4 numbers"),
        ({"heads": (1, 1, 0, 1)}, "heads: expected 4 numbers of at least 1"),
        ({"width": 5}, "width: expected an even number"),
        ({"count": 0}, "count: expected at least 1, found 0"),
        ({"refinement_blocks": -1}, "refinement_blocks: -1 is negative"),
    ],
)
def test_bad_sizes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


def test_unknown_variant_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'first_release'"):
        variant_named("first_relase")
