"""The contract, checked for every registered method."""

from __future__ import annotations

import copy
import dataclasses
import importlib.metadata
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from ndr import method as contract
from ndr import registry
from ndr.layers.bicubic import enlarge_bicubic
from ndr.method import (
    PRESETS,
    TASKS,
    Batch,
    CheckpointError,
    ImageError,
    Method,
    MethodInfo,
    SideInformation,
    SizeRequirements,
    TrainingContext,
    load_strictly,
    pad_by_reflection,
    parameter_count,
    register_method,
)
from ndr.nearest_name import UnknownNameError
from ndr.registry import create, method_arguments, method_class, method_names

# Programs that live elsewhere may be missing: see tests/baselines/test_external_method.py.
METHODS = [name for name in method_names() if not method_class(name).restores_together]
every_method = pytest.mark.parametrize("name", METHODS)
trainable_method = pytest.mark.parametrize(
    "name", [name for name in METHODS if method_class(name).info.trainable]
)


def random_images(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Images in [0, 1] with structure at two scales: (B, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, 4, 4, generator=generator)
    fine = torch.rand(batch, 3, height, width, generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return 0.8 * smooth + 0.2 * fine


def smoke_method(name: str) -> Method:
    """The method at its smallest preset, with the same weights at each call."""
    torch.manual_seed(0)
    return create(name, "smoke")


def side_for(method: Method, degraded: Tensor) -> SideInformation:
    """What the method says that it needs to know of `degraded`, and nothing else."""
    needed = method.info.side_information
    return SideInformation(
        sigma=25.0 if "sigma" in needed else None,
        clean=degraded.clone() if "clean" in needed else None,
    )


def training_batch(method: Method, side: int = 32) -> Batch:
    """Two patches with noise of different strength."""
    clean = random_images(2, side, side, seed=1)
    sigma = torch.tensor([15.0, 50.0])
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))
    degraded = clean + noise * sigma[:, None, None, None] / 255
    if method.scale > 1:
        degraded = F.avg_pool2d(degraded, method.scale)
    return Batch(degraded, clean, ("noise", "noise"), sigma)


def total_loss(method: Method, batch: Batch, step: int = 0) -> Tensor:
    losses = method.training_losses(batch, TrainingContext(step, 10, F.l1_loss))
    assert losses
    assert all(loss.ndim == 0 for loss in losses.values())
    return torch.stack(list(losses.values())).sum()


def restoring_loss(method: Method, batch: Batch) -> float:
    """Loss at the last step of a training, without a contrastive term.

    Of a copy, because training may change more than weights. Seeing one batch again and again
    makes the contrast with earlier images harder: they are the same.
    """
    losses = copy.deepcopy(method).training_losses(batch, TrainingContext(9, 10, F.l1_loss))
    return sum(loss.item() for name, loss in losses.items() if name != "contrast")


@every_method
def test_info_is_complete(name: str) -> None:
    cls = method_class(name)
    info = cls.info
    assert info.name == name
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)
    assert info.paper_label
    assert len(info.citation) > 10
    assert info.tasks <= TASKS
    assert info.tasks
    assert tuple(sorted(info.presets)) == tuple(sorted(PRESETS))
    assert cls.__doc__ is not None
    fields = {field.name for field in dataclasses.fields(SideInformation)}
    assert info.side_information <= fields
    for tier in PRESETS:
        method_arguments(name, tier, {})
    for weights in info.official_weights:
        assert weights.url.startswith("https://")
        assert weights.licence
        method_arguments(name, weights.preset, weights.changes)


@every_method
def test_paper_preset_has_the_published_size(name: str) -> None:
    info = method_class(name).info
    with torch.device("meta"):
        method = create(name, "paper")
    assert all(parameter.is_meta for parameter in method.parameters())
    if info.trainable:
        assert info.published_parameters is not None
        assert method.counted_parameters() == info.published_parameters
    else:
        assert parameter_count(method) == 0
        assert not method.optimiser_groups()["main"]


@every_method
def test_restores_any_size(name: str) -> None:
    method = smoke_method(name).eval()
    sizes = ((1, 37, 53), (1, 5, 3)) if method.info.slow else ((1, 37, 53), (2, 16, 33), (1, 5, 3))
    for batch, height, width in sizes:
        degraded = random_images(batch, height, width)
        with torch.no_grad():
            restored = method.restore(degraded, side_for(method, degraded_truth(method, degraded)))
        assert restored.shape == (batch, 3, method.scale * height, method.scale * width)
        assert restored.dtype == degraded.dtype
        assert torch.isfinite(restored).all()


def degraded_truth(method: Method, degraded: Tensor) -> Tensor:
    """Stands for the clean image of `degraded`: of the size that the method returns."""
    return degraded.repeat_interleave(method.scale, -1).repeat_interleave(method.scale, -2)


@every_method
def test_padding_is_the_declared_one(name: str) -> None:
    """Cropping a large output is what restoring does: nothing beyond the padding is added."""
    method = smoke_method(name).eval()
    degraded = random_images(1, 19, 35)
    side = side_for(method, degraded_truth(method, degraded))
    padded = method.info.sizes.pad(degraded)
    assert padded.shape[-2] == method.info.sizes.padded(19)
    assert padded.shape[-1] == method.info.sizes.padded(35)
    truth = None if side.clean is None else method.info.sizes.pad(side.clean)
    with torch.no_grad():
        expected = method(padded, SideInformation(side.sigma, truth))
        restored = method.restore(degraded, side)
    rows, columns = (method.scale * size for size in degraded.shape[-2:])
    assert torch.equal(restored, expected[..., :rows, :columns])


@every_method
def test_is_deterministic(name: str) -> None:
    first, second = smoke_method(name).eval(), smoke_method(name).eval()
    degraded = random_images(1 if first.info.slow else 2, 24, 24)
    side = side_for(first, degraded_truth(first, degraded))
    with torch.no_grad():
        restored = first.restore(degraded, side)
        assert torch.equal(restored, first.restore(degraded, side))
        assert torch.equal(restored, second.restore(degraded, side))


@every_method
def test_images_of_a_batch_do_not_mix(name: str) -> None:
    method = smoke_method(name).eval()
    degraded = random_images(2, 16, 16)
    side = side_for(method, degraded_truth(method, degraded))
    with torch.no_grad():
        together = method.restore(degraded, side)
        for index in range(2):
            clean = None if side.clean is None else side.clean[index : index + 1]
            alone = method.restore(degraded[index : index + 1], SideInformation(side.sigma, clean))
            torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=1e-5)


@every_method
def test_leaves_its_input_alone(name: str) -> None:
    method = smoke_method(name).eval()
    degraded = random_images(1, 24, 16)
    kept = degraded.clone()
    with torch.no_grad():
        restored = method.restore(degraded, side_for(method, degraded_truth(method, degraded)))
        restored.add_(1)
    assert torch.equal(degraded, kept)


@every_method
@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.rand(1, 1, 16, 16), ImageError, r"\(B, 3, H, W\).*\(1, 1, 16, 16\)"),
        (torch.rand(3, 16, 16), ImageError, r"found \(3, 16, 16\)"),
        (torch.rand(1, 3, 0, 16), ImageError, r"found \(1, 3, 0, 16\)"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), TypeError, "divide 8-bit images by 255"),
        (torch.full((1, 3, 16, 16), torch.nan), ImageError, "768 values are NaN"),
        (torch.full((1, 3, 16, 16), torch.inf), ImageError, "768 values are NaN or infinite"),
        ([[0.5]], TypeError, "expected a torch.Tensor, found list"),
    ],
    ids=["grey", "no_batch", "empty", "uint8", "nan", "infinite", "list"],
)
def test_refuses(name: str, images: object, error: type[Exception], message: str) -> None:
    side = SideInformation(sigma=25.0, clean=torch.rand(1, 3, 16, 16))
    with pytest.raises(error, match=message):
        smoke_method(name).eval().restore(images, side)


@every_method
def test_accepts_finite_values_outside_of_the_range(name: str) -> None:
    method = smoke_method(name).eval()
    degraded = 3 * random_images(1, 16, 16) - 1
    assert degraded.min() < 0
    assert degraded.max() > 1
    with torch.no_grad():
        restored = method.restore(degraded, side_for(method, degraded_truth(method, degraded)))
    assert torch.isfinite(restored).all()


@every_method
def test_names_missing_side_information(name: str) -> None:
    method = smoke_method(name).eval()
    degraded = random_images(1, 16, 16)
    complete = side_for(method, degraded_truth(method, degraded))
    for missing in method.info.side_information:
        with pytest.raises(ValueError, match=rf"{name} needs '{missing}'"):
            method.restore(degraded, dataclasses.replace(complete, **{missing: None}))


@trainable_method
def test_gradients_reach_all_parameters(name: str) -> None:
    unreached = {key for key, _ in smoke_method(name).named_parameters()}
    for seed in range(5):
        torch.manual_seed(seed)
        method = create(name, "smoke").train()
        with torch.no_grad():
            # Layers that start at zero hide those before them, and in a narrow network all of a
            # layer's rectifiers may be closed: look from several points.
            for parameter in method.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape))
        for step in (0, 9):  # methods that train in stages reach some of them late
            total_loss(method, training_batch(method), step).backward()
        unreached -= {
            key for key, p in method.named_parameters() if p.grad is not None and p.grad.any()
        }
    assert not unreached
    grouped = [p for group in method.optimiser_groups().values() for p in group]
    assert {id(p) for p in grouped} == {id(p) for p in method.parameters()}


@trainable_method
def test_ten_steps_reduce_the_loss(name: str) -> None:
    method = smoke_method(name).train()
    batch = training_batch(method)
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-4)
    losses, before = [], restoring_loss(method, batch)
    for step in range(10):
        loss = total_loss(method, batch, step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert restoring_loss(method, batch) < before
    assert min(losses) > 0


@trainable_method
def test_trains_in_bfloat16(name: str) -> None:
    method = smoke_method(name).train()
    batch = training_batch(method)
    # A copy, because training may change more than weights; the last step has all losses.
    reference = total_loss(copy.deepcopy(method), batch, 9).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = total_loss(method, batch, 9)
    loss.backward()
    assert loss.item() == pytest.approx(reference, rel=0.05)
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


@trainable_method
def test_short_trainings_start_at_the_input(name: str) -> None:
    """The narrow presets return their input before training, so that few steps suffice.

    Those that double the size return bicubic interpolation.
    """
    degraded = random_images(1, 21, 18)
    for tier in ("smoke", "small"):
        torch.manual_seed(0)
        method = create(name, tier).eval()
        with torch.no_grad():
            restored = method.restore(degraded, side_for(method, degraded))
        expected = degraded
        if method.scale == 2:
            expected = enlarge_bicubic(method.info.sizes.pad(degraded))[..., :42, :36]
        torch.testing.assert_close(restored, expected, atol=1e-6, rtol=0)


@every_method
def test_state_survives_a_file(name: str, tmp_path) -> None:
    method = smoke_method(name)
    if method.info.trainable:
        optimiser = torch.optim.Adam(method.parameters(), lr=1e-3)
        total_loss(method.train(), training_batch(method)).backward()
        optimiser.step()
    state = {key: value.contiguous() for key, value in method.eval().state_dict().items()}
    path = tmp_path / "state.safetensors"
    save_file(state, path)
    torch.manual_seed(1)
    again = create(name, "smoke").eval()
    load_strictly(again, load_file(path), str(path))
    degraded = random_images(1, 16, 16)
    side = side_for(method, degraded_truth(method, degraded))
    with torch.no_grad():
        assert torch.equal(method.restore(degraded, side), again.restore(degraded, side))
    if not state:
        return
    key = min(state)
    for changed, message in (
        ({k: v for k, v in state.items() if k != key}, f"1 missing: {re.escape(key)}"),
        ({**state, "extra.weight": torch.zeros(1)}, r"1 unknown: extra\.weight"),
        ({**state, key: torch.zeros(1, 2, 3, 4, 5)}, r"1 of other shape: .*\(1, 2, 3, 4, 5\)"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_strictly(again, changed, str(path))


@every_method
def test_changes_are_arguments(name: str) -> None:
    """Asked for by preset or by changes, the same network has the same arguments."""
    resolved = method_arguments(name, "smoke", {})
    assert method_arguments(name, "paper", resolved) == resolved
    with pytest.raises(UnknownNameError, match=f"unknown change of {name} 'colour_of_hair'"):
        create(name, "smoke", colour_of_hair=3)
    with pytest.raises(UnknownNameError, match=r"did you mean 'smoke'\?"):
        create(name, "smoker")


def test_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown method 'restorer': .*'restormer'"):
        create("restorer")


def test_two_classes_cannot_share_a_name() -> None:
    known = method_class("identity")

    class Impostor(Method):
        info = known.info

    with pytest.raises(ValueError, match=r"in baselines\.controls\.identity and tests\.test_meth"):
        register_method(Impostor)
    assert method_class("identity") is known


def test_other_packages_join_by_entry_point(tmp_path, monkeypatch) -> None:
    (tmp_path / "foreign_method.py").write_text(
        "from ndr.method import Method, MethodInfo, register_method\n"
        "@register_method\n"
        "class Foreign(Method):\n"
        "    info = MethodInfo(name='foreign', paper_label='Foreign', citation='nobody, 2024',\n"
        "        tasks=frozenset({'noise'}))\n"
        "    def forward(self, degraded, side):\n"
        "        return degraded / 2\n"
    )
    found = importlib.metadata.EntryPoint("foreign", "foreign_method", "ndr.methods")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "entry_points", lambda group: [found])
    monkeypatch.setattr(contract, "REGISTERED", registered := dict(contract.REGISTERED))
    monkeypatch.setattr(registry, "REGISTERED", registered)
    registry._scan_suite.__wrapped__()
    assert "foreign" in method_names()
    image = torch.rand(1, 3, 4, 4)
    assert torch.equal(create("foreign").restore(image), image / 2)


def test_info_refuses_unknown_tasks_and_missing_presets() -> None:
    presets: dict[str, dict[str, int]] = {"smoke": {"width": 1}, "small": {}}
    with pytest.raises(UnknownNameError, match="unknown task 'nose': did you mean 'noise'"):
        MethodInfo("a", "A", "somebody, 2024", frozenset({"nose"}), presets)
    with pytest.raises(ValueError, match="expected presets for"):
        MethodInfo("a", "A", "somebody, 2024", frozenset({"noise"}), {"paper": {}})
    info = MethodInfo("a", "A", "somebody", frozenset({"noise"}), presets, {"width": 2, "depth": 3})
    assert {tier: dict(preset) for tier, preset in info.presets.items()} == {
        "smoke": {"width": 1, "depth": 3},
        "small": {"width": 2, "depth": 3},
        "paper": {},
    }
    with pytest.raises(TypeError, match="does not support item assignment"):
        info.presets["smoke"]["width"] = 5  # type: ignore[index]


def test_official_names_are_replaced_in_order_and_never_on_top_of_each_other() -> None:
    class Renamed(Method):
        info = method_class("identity").info
        official_names = ((r"^net\.", ""), (r"^a(\d)\.", lambda m: f"part.{int(m[1]) - 1}."))
        official_unused = r"net\.spare\."

    keys = ("net.a1.weight", "a2.a3.bias", "net.spare.weight", "part.0.weight", "other")
    state = {key: torch.full((1,), float(number)) for number, key in enumerate(keys)}
    mapped = Renamed.map_official_state(state)
    assert {key: value.item() for key, value in mapped.items()} == {
        "part.0.weight": 0,
        "part.1.a3.bias": 1,
        "part.0.weight (a second part.0.weight)": 3,
        "other": 4,
    }


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 1), (2, 2), (5, 7), (16, 16)])
def test_pad_by_reflection(size: tuple[int, int]) -> None:
    """Each new row and column mirrors those before it, without repeating the border."""
    images = torch.rand(2, 3, *size)
    padded = pad_by_reflection(images, 16, 19)
    assert padded.shape == (2, 3, 16, 19)

    def source(index: int, length: int) -> int:
        period = 2 * (length - 1)
        folded = index % period if period else 0
        return min(folded, period - folded)

    rows = [source(index, size[0]) for index in range(16)]
    columns = [source(index, size[1]) for index in range(19)]
    assert torch.equal(padded, images[..., rows, :][..., columns])


def test_padding_never_crops() -> None:
    with pytest.raises(ValueError, match=r"cannot pad \(8, 4\) to the smaller size \(4, 8\)"):
        pad_by_reflection(torch.rand(1, 3, 8, 4), 4, 8)


def test_size_requirements() -> None:
    sizes = SizeRequirements(minimum=20, multiple_of=8)
    assert [sizes.padded(size) for size in (1, 20, 24, 25)] == [24, 24, 24, 32]
    image = torch.tensor([[1.0, 2.0, 3.0]]).expand(1, 1, 1, 3)
    repeated = SizeRequirements(minimum=5, padding="replicate").pad(image)
    assert torch.equal(repeated, torch.tensor([1.0, 2.0, 3.0, 3.0, 3.0]).expand(1, 1, 5, 5))
    with pytest.raises(UnknownNameError, match="unknown padding 'reflekt'"):
        SizeRequirements(padding="reflekt")


def test_noise_levels() -> None:
    images = torch.rand(2, 3, 4, 4)
    for sigma in (25, 25.0, torch.tensor(25.0), torch.tensor([25.0, 25.0])):
        levels = SideInformation(sigma=sigma).noise_levels(images)
        assert torch.equal(levels, torch.tensor([25.0, 25.0]))
    with pytest.raises(ValueError, match="one for each of 2 images, found 3"):
        SideInformation(sigma=torch.ones(3)).noise_levels(images)
    for wrong in (-1.0, torch.nan, torch.inf):
        with pytest.raises(ValueError, match="expected noise levels of at least 0"):
            SideInformation(sigma=wrong).noise_levels(images)
    with pytest.raises(ValueError, match="expected a noise level"):
        SideInformation().noise_levels(images)


def test_clean_images_must_belong_to_the_degraded() -> None:
    with pytest.raises(ImageError, match=r"expected shape \(1, 3, 8, 8\), found \(1, 3, 8, 7\)"):
        create("oracle").restore(
            torch.rand(1, 3, 8, 8), SideInformation(clean=torch.rand(1, 3, 8, 7))
        )


@pytest.mark.parametrize("name", method_names())
def test_what_authors_files_lack_is_for_training_alone(name: str) -> None:
    cls = method_class(name)
    assert cls.official_lacks <= cls.training_only
