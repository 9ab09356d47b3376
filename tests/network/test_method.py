"""NDR-Restore as a method: any image, training losses, presets, figures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ndr.method import PRESETS, TASKS, Batch, ImageError, TrainingContext
from ndr.nearest_name import UnknownNameError
from ndr.network.degradation_query import use_loss
from ndr.network.method import FrozenRepresentation, NDRRestoreMethod
from ndr.registry import create, method_arguments

SMALL = {
    "width": 4,
    "blocks": (1, 1, 1, 1),
    "refinement_blocks": 1,
    "heads": (1, 2, 2, 2),
    "M": 6,
    "N": 5,
    "K": 3,
    "degradation_width": 6,
}
CONTEXT = TrainingContext(step=0, total_steps=10, pixel_loss=torch.nn.functional.l1_loss)


def small(**changes: Any) -> NDRRestoreMethod:
    torch.manual_seed(0)
    return NDRRestoreMethod(**{**SMALL, **changes})


def images(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def batch_of(size: int = 16) -> Batch:
    degraded, clean = images(2, size, size, 1), images(2, size, size, 2)
    return Batch(degraded, clean, ("noise", "rain"), torch.tensor([25.0, 0.0]))


@pytest.mark.parametrize("variant", ["first_release", "current_release", "equations"])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (8, 8), (17, 9), (40, 24)])
def test_any_size_is_restored(variant: str, size: tuple[int, int]) -> None:
    degraded = images(2, *size)
    with torch.no_grad():
        restored = small(variant=variant).restore(degraded)
    assert restored.shape == degraded.shape
    assert torch.isfinite(restored).all()


def test_padding_is_by_reflection_and_cropped() -> None:
    method = small()
    degraded = images(1, 13, 22)
    rows = [*range(13), 11, 10, 9]
    columns = [*range(22), 20, 19]
    with torch.no_grad():
        padded = method.restore(degraded[:, :, rows][..., columns])
        torch.testing.assert_close(method.restore(degraded), padded[..., :13, :22])


def test_values_outside_of_the_range_are_legal() -> None:
    restored = small().restore(images(1, 16, 16) * 3 - 1)
    assert torch.isfinite(restored).all()


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (torch.zeros(1, 1, 8, 8), ImageError, "RGB channels"),
        (torch.zeros(3, 8, 8), ImageError, "expected shape"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, "divide 8-bit images by 255"),
        (torch.full((1, 3, 8, 8), float("nan")), ImageError, "192 values are NaN or infinite"),
    ],
)
def test_bad_images_are_refused(bad: Tensor, error: type[Exception], message: str) -> None:
    method = small()
    for call in (method.restore, method.figure_tensors, lambda x: method.degrade(x, x)):
        with pytest.raises(error, match=message):
            call(bad)


def test_losses_are_weighted_and_named() -> None:
    one = small().training_losses(batch_of(), CONTEXT)
    assert set(one) == {"restore", "degrade"}
    three = small(lambda_degrad=3.0, use_le=True, le_weight=0.5).training_losses(
        batch_of(), CONTEXT
    )
    assert three["restore"].item() == pytest.approx(one["restore"].item())
    assert three["degrade"].item() == pytest.approx(3 * one["degrade"].item())
    method = small(lambda_degrad=3.0, use_le=True, le_weight=0.5)
    affinities = [
        value
        for name, value in method.figure_tensors(batch_of().degraded).items()
        if name.startswith("affinity")
    ]
    assert three["independence"].item() == pytest.approx(0.5 * use_loss(affinities).item())


def test_degradation_network_gets_the_clean_image() -> None:
    """From zero: it returns the clean image, so its loss is the distance of the pair."""
    method = small(zero_init_output=True)
    batch = batch_of()
    losses = method.training_losses(batch, CONTEXT)
    distance = (batch.clean - batch.degraded).abs().mean().item()
    assert losses["degrade"].item() == pytest.approx(distance)
    assert losses["restore"].item() == pytest.approx(distance)


@pytest.mark.parametrize("changes", [{"lambda_degrad": 0}, {"use_ndr": False}])
def test_without_lambda_or_ndr_there_is_no_degradation_network(changes: dict[str, Any]) -> None:
    method = small(**changes)
    assert not any("degradation." in name for name, _ in method.named_parameters())
    losses = method.training_losses(batch_of(), CONTEXT)
    assert set(losses) == {"restore"}
    losses["restore"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.parameters())
    with pytest.raises(RuntimeError, match="without NDR-Degrad"):
        method.degrade(images(1, 8, 8), images(1, 8, 8))


def test_lambda_zero_starts_with_the_same_restoration_network() -> None:
    full, without = small(), small(lambda_degrad=0)
    state = full.restoration.state_dict()
    assert all(
        torch.equal(value, state[key]) for key, value in without.restoration.state_dict().items()
    )


@pytest.mark.parametrize("changes", [{"use_ndr": False}, {"use_dq": False}])
def test_without_a_query_there_is_no_representation(changes: dict[str, Any]) -> None:
    method = small(**changes)
    assert method.representation() is None
    assert "representation" not in method.figure_tensors(images(1, 16, 16))
    with pytest.raises(ValueError, match="use_le=True needs D"):
        small(use_le=True, **changes)


def test_no_ndr_learns() -> None:
    method = small(use_ndr=False)
    optimiser = torch.optim.Adam(method.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = method.training_losses(batch_of(), CONTEXT)["restore"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_representation_is_a_copy() -> None:
    method = small()
    copy = method.representation()
    copy.zero_()
    assert method.representation().abs().sum() > 0
    assert method.representation().shape == (5, 6)


def test_figure_tensors() -> None:
    method = small()
    degraded = images(2, 18, 30)
    tensors = method.figure_tensors(degraded)
    for level, (rows, columns) in enumerate([(18, 30), (9, 15), (5, 8)], start=1):
        assert tensors[f"affinity_{level}"].shape == (2, 5, rows, columns)
        assert tensors[f"degradation_{level}"].shape == (2, 6, rows, columns)
        width = 4 * 2 ** (level - 1)
        assert tensors[f"features_{level}"].shape == (2, width, rows, columns)
        assert tensors[f"injected_{level}"].shape == (2, width, rows, columns)
        total = tensors[f"affinity_{level}"].sum(dim=1)
        torch.testing.assert_close(total, torch.ones_like(total))
    torch.testing.assert_close(tensors["representation"], method.representation())
    assert len(tensors) == 13
    assert not any(tensor.requires_grad for tensor in tensors.values())


def test_degrade_uses_the_degradation_of_the_other_image() -> None:
    method = small()
    clean, noisy, rainy = images(1, 11, 14, 3), images(1, 11, 14, 4), images(1, 11, 14, 5)
    like_noisy, like_rainy = method.degrade(clean, noisy), method.degrade(clean, rainy)
    assert like_noisy.shape == clean.shape
    assert (like_noisy - like_rainy).abs().max() > 1e-6
    with pytest.raises(ImageError, match="expected shape"):
        method.degrade(clean, images(1, 8, 8))


def test_patches_of_other_sizes_are_refused() -> None:
    with pytest.raises(ImageError, match="multiples of 8"):
        small().training_losses(batch_of(12), CONTEXT)
    with pytest.raises(ImageError, match="with a given U: expected sides that are multiples of 8"):
        small().restore_given(images(1, 12, 8), [])


def test_the_injected_feature_is_the_answer_of_eq_7() -> None:
    """After minus before is what injection does; the first release's second F is not part of it."""
    method = small()
    with torch.no_grad():
        for injection in method.restoration.injections:
            injection.scale_and_shift.weight.zero_()
            injection.scale_and_shift.bias.zero_()
    tensors = method.figure_tensors(images(1, 16, 16))
    torch.testing.assert_close(tensors["injected_1"], tensors["features_1"])


def test_images_are_restored_with_the_u_of_others() -> None:
    method = small()
    degraded = images(2, 16, 16)
    tensors = method.figure_tensors(degraded)
    own = [tensors[f"degradation_{level}"] for level in (1, 2, 3)]
    with torch.no_grad():
        torch.testing.assert_close(method.restore_given(degraded, own), method.restore(degraded))
    swapped = method.restore_given(degraded, [level.flip(0) for level in own])
    assert not torch.equal(swapped, method.restore(degraded))


def test_a_frozen_representation_stays_as_it_was_drawn() -> None:
    torch.manual_seed(0)
    frozen = FrozenRepresentation(**SMALL)
    assert torch.equal(frozen.representation(), small().representation())
    learned = set(dict(small().named_parameters()))
    assert learned - set(dict(frozen.named_parameters())) == {"restoration.representation.vectors"}
    assert frozen.state_dict().keys() == small().state_dict().keys()
    sum(frozen.training_losses(batch_of(), CONTEXT).values()).backward()
    assert frozen.restoration.representation.vectors.grad is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lambda_degrad": -1.0}, "lambda_degrad: expected a weight of at least 0"),
        ({"le_weight": -0.1}, "le_weight: expected a weight of at least 0"),
        ({"heads": (1, 3, 2, 2)}, "3 heads do not divide 8 channels"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)


@pytest.mark.parametrize("tier", PRESETS)
def test_presets_build_and_get_smaller(tier: str) -> None:
    with torch.device("meta"):
        method = create("ndr_restore", tier)
    sizes = {"smoke": 2e5, "small": 1e6, "paper": 4e7}
    count = sum(parameter.numel() for parameter in method.parameters())
    assert sizes[tier] / 20 < count < sizes[tier]


def test_arguments_are_named_and_survive_json() -> None:
    arguments = method_arguments("ndr_restore", "small", {"M": 32, "N": 8, "use_dq": False})
    as_lists = {
        key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()
    }
    assert as_lists["N"] == 8
    one, other = NDRRestoreMethod(**arguments), NDRRestoreMethod(**as_lists)
    assert one.state_dict().keys() == other.state_dict().keys()
    with pytest.raises(UnknownNameError, match="did you mean 'use_dq'"):
        create("ndr_restore", "small", use_qd=False)


def test_checkpoints_hold_plain_tensors() -> None:
    """Contiguous and separate, as safetensors wants them."""
    state = small().state_dict()
    assert all(value.is_contiguous() for value in state.values())
    assert len({value.data_ptr() for value in state.values()}) == len(state)


def test_every_task() -> None:
    assert NDRRestoreMethod.info.scale == 1
    assert NDRRestoreMethod.info.tasks == TASKS
