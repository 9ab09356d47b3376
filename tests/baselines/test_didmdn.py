"""DID-MDN: the density label, who learns from what, and the streams."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from baselines.deraining.didmdn import (
    NEVER_USED,
    VISIBLE,
    MultiStreamNetwork,
    Stream,
    density_classes,
    derain_plans,
    residual_plans,
)
from ndr.method import Batch, TrainingContext, parameter_count
from ndr.registry import create


def rain_batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    clean = 0.5 * torch.rand(3, 3, 32, 32, generator=generator)
    degraded = clean.clone()
    for image, rows in enumerate((3, 16, 30)):  # of 32: light, medium, heavy
        degraded[image, :, :rows] += 0.3
    return Batch(degraded, clean, ("rain",) * 3, torch.zeros(3))


def test_published_sizes() -> None:
    with torch.device("meta"):
        method = create("didmdn")
    derain = parameter_count(method.derain) + parameter_count(method.refinement)
    residual = parameter_count(method.residual)
    assert (derain, residual) == (365_236, 103_609)
    assert derain + residual + NEVER_USED == 372_839 + 182_947
    assert method.counted_parameters() == 372_839 + 182_947
    assert parameter_count(method.classifier) == 48_987


def test_density_is_the_share_of_rainy_pixels() -> None:
    batch = rain_batch()
    assert density_classes(batch.degraded, batch.clean).tolist() == [2, 1, 0]
    faint = batch.clean + 0.9 * VISIBLE
    assert density_classes(faint, batch.clean).tolist() == [2, 2, 2]
    one_colour = batch.clean.clone()
    one_colour[:, 1] += 0.3
    assert density_classes(one_colour, batch.clean).tolist() == [0, 0, 0]


def test_training_is_told_the_true_density() -> None:
    torch.manual_seed(0)
    method = create("didmdn", "smoke", identity_init=False)
    batch = rain_batch()
    losses = method.training_losses(batch, TrainingContext(0, 1, F.l1_loss))
    images, clean = 2 * batch.degraded - 1, 2 * batch.clean - 1
    labels = torch.tensor([3, 2, 1])
    told = method.refinement(images - method.derain(images, labels))
    assert losses["restore"].item() == pytest.approx((told - clean).abs().mean().item())
    first = method.residual(images, torch.zeros(3))
    assert losses["residual"].item() == pytest.approx((first - clean).abs().mean().item())
    logits = method.classifier(images - first).log_softmax(dim=1)
    expected = -(logits[0, 2] + logits[1, 1] + logits[2, 0]) / 3
    assert losses["density"].item() == pytest.approx(expected.item())


def test_restoring_uses_the_density_it_found() -> None:
    torch.manual_seed(0)
    method = create("didmdn", "smoke", identity_init=False).eval()
    image = rain_batch().degraded[:1]
    outputs = []
    for density in range(3):
        with torch.no_grad():
            method.classifier.output.weight.zero_()
            method.classifier.output.bias.copy_(F.one_hot(torch.tensor(density), 3).float())
            outputs.append(method.restore(image))
            expected = (method.derained(2 * image - 1, torch.tensor([density])) + 1) / 2
            torch.testing.assert_close(outputs[-1], expected)
    assert not torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[1], outputs[2])


def test_no_gradient_flows_between_the_parts() -> None:
    torch.manual_seed(0)
    batch = rain_batch()
    for name, reached in (
        ("restore", {"derain", "refinement"}),
        ("residual", {"residual"}),
        ("density", {"classifier"}),
    ):
        method = create("didmdn", "smoke", identity_init=False)
        losses = method.training_losses(batch, TrainingContext(0, 1, F.l1_loss))
        losses[name].backward()
        found = {key.split(".")[0] for key, p in method.named_parameters() if p.grad is not None}
        assert found == reached


def test_streams_work_at_their_scales() -> None:
    """Smallest features: half, a quarter and an eighth of the size; in the first network larger."""
    image = torch.rand(1, 3, 32, 32)
    for plans, joined, smallest in (
        (derain_plans(4), True, (16, 8, 4)),
        (residual_plans(4), False, (32, 16, 8)),
    ):
        for plan, side in zip(plans, smallest, strict=True):
            stream = Stream(plan, joined)
            sizes = []
            for stage in stream.children():
                stage.register_forward_hook(lambda *a, sizes=sizes: sizes.append(a[2].shape[-1]))
            output = stream(image)
            assert output.shape == (1, stream.channels, 32, 32)
            assert min(sizes) == side
            if joined:
                assert torch.equal(output[:, -3:], image)
                assert torch.equal(output[:, -8], output[:, -4])


def test_label_is_a_map_of_the_joint_features() -> None:
    torch.manual_seed(0)
    network = MultiStreamNetwork(derain_plans(4)[-1:], True, 8, 6, 2)
    images = torch.rand(2, 3, 32, 32)
    both = network(images, torch.tensor([1.0, 3.0]))
    for index, label in enumerate((1.0, 3.0)):
        single = network(images[index : index + 1], torch.tensor([label]))
        torch.testing.assert_close(both[index : index + 1], single)
    assert not torch.equal(both, network(images, torch.tensor([3.0, 1.0])))


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="expected a width that is a multiple of 4, found 6"):
        create("didmdn", width=6)
    with pytest.raises(ValueError, match="expected 1 to 3 streams, found 4"):
        create("didmdn", streams=4)
