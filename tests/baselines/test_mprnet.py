"""MPRNet: published sizes, the cut into patches, the stages, losses, x2, authors' keys."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from baselines.all_in_one.mprnet import (
    AttentionBlock,
    Double,
    SupervisedAttention,
    charbonnier,
    join_two,
    laplacian,
    split_in_two,
)
from ndr.layers.bicubic import enlarge_bicubic
from ndr.method import Batch, CheckpointError, SideInformation, TrainingContext, parameter_count
from ndr.registry import create, method_class
from tests.baselines.official_shapes import official_state

WIDTHS = {
    "mprnet_deblurring": ({}, 20_127_073),
    "mprnet_denoising": ({"width": 80}, 15_741_025),
    "mprnet_deraining": ({"width": 40, "level_growth": 20, "stage_growth": 16}, 3_637_249),
}


@pytest.mark.parametrize("name", WIDTHS)
def test_published_sizes(name: str) -> None:
    changes, published = WIDTHS[name]
    with torch.device("meta"):
        assert parameter_count(create("mprnet", "paper", **changes)) == published


def test_published_weights_have_their_widths() -> None:
    weights = method_class("mprnet").info.official_weights
    assert {each.name: dict(each.changes) for each in weights} == {
        name: changes for name, (changes, _) in WIDTHS.items()
    }


def test_attention_block_against_its_formula() -> None:
    torch.manual_seed(0)
    block, features, slope = AttentionBlock(4, 2), torch.randn(2, 4, 5, 6), torch.tensor([0.3])
    inner = F.conv2d(features, block.first.weight, padding=1)
    inner = F.conv2d(torch.where(inner > 0, inner, 0.3 * inner), block.second.weight, padding=1)
    pooled = inner.mean(dim=(2, 3))
    squeezed = (pooled @ block.squeeze.weight.flatten(1).T).clamp(min=0)
    weights = torch.sigmoid(squeezed @ block.excite.weight.flatten(1).T)
    expected = features + inner * weights[:, :, None, None]
    torch.testing.assert_close(block(features, slope), expected)


def test_supervised_attention_against_its_formula() -> None:
    torch.manual_seed(0)
    module, features, base = (
        SupervisedAttention(4, 3),
        torch.randn(1, 4, 5, 6),
        torch.rand(1, 3, 5, 6),
    )
    chosen, image = module(features, base)
    expected = base + F.conv2d(features, module.image.weight)
    torch.testing.assert_close(image, expected)
    mask = torch.sigmoid(F.conv2d(expected, module.attention.weight))
    torch.testing.assert_close(chosen, features + F.conv2d(features, module.features.weight) * mask)


def test_enlargement_commutes_with_its_convolution() -> None:
    """The authors enlarge first; the cheaper order gives the same."""
    torch.manual_seed(0)
    double, features = Double(4, 2), torch.randn(1, 6, 5, 3)
    large = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(double(features), double.convolution(large), atol=1e-6, rtol=1e-5)


def test_halves_become_images_and_come_back() -> None:
    image = torch.rand(2, 3, 8, 16)
    halves = split_in_two(image, 2)
    assert torch.equal(halves[1], image[1, :, :4])
    assert torch.equal(halves[2], image[0, :, 4:])
    quarters = split_in_two(halves, 3)
    assert torch.equal(quarters[4 + 3], image[1, :, 4:, 8:])
    assert torch.equal(join_two(join_two(quarters, 3), 2), image)


def test_first_stage_sees_quarters() -> None:
    """Stage 1 decodes halves from quarters: nothing of the lower half reaches the upper one."""
    torch.manual_seed(0)
    method = create("mprnet", "smoke", zero_init_output=False).eval()
    image = torch.rand(1, 3, 16, 24)
    other = image.clone()
    other[..., 8:, :] = torch.rand(1, 3, 8, 24)
    with torch.no_grad():
        first, second, third = method.stage_images(image)
        changed = method.stage_images(other)
    assert torch.equal(first[..., :8, :], changed[0][..., :8, :])
    assert not torch.equal(second[..., :8, :], changed[1][..., :8, :])
    assert not torch.equal(third[..., :8, :], changed[2][..., :8, :])
    assert not torch.equal(first[..., 8:, :], changed[0][..., 8:, :])


def test_losses_sum_the_three_stages() -> None:
    torch.manual_seed(0)
    method = create("mprnet", "smoke", zero_init_output=False).train()
    clean, degraded = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    batch = Batch(degraded, clean, ("rain", "rain"), torch.zeros(2))
    losses = method.training_losses(batch, TrainingContext(0, 10, F.l1_loss))
    images = method.stage_images(degraded)
    assert losses["restore"].item() == pytest.approx(
        sum(charbonnier(image, clean).item() for image in images), rel=1e-5
    )
    edges = [charbonnier(laplacian(image), laplacian(clean)).item() for image in images]
    assert losses["edge"].item() == pytest.approx(0.05 * sum(edges), rel=1e-5)
    assert set(losses) == {"restore", "edge"}


@pytest.mark.parametrize("upscale", ["pixel_shuffle", "pre_upsample"])
def test_enlarges_in_all_stages(upscale: str) -> None:
    torch.manual_seed(0)
    method = create("mprnet", "smoke", upscale=upscale).eval()
    image = torch.rand(1, 3, 16, 8)
    with torch.no_grad():
        for stage in method.stage_images(image):
            torch.testing.assert_close(stage, enlarge_bicubic(image), atol=1e-6, rtol=0)
        torch.nn.init.normal_(method.tail.weight)
        assert method.restore(torch.rand(1, 3, 5, 9)).shape == (1, 3, 10, 18)
        assert (method(image, SideInformation()) - enlarge_bicubic(image)).abs().max() > 1e-2


@pytest.mark.parametrize("name", WIDTHS)
def test_authors_keys_fit(name: str) -> None:
    state = official_state("mprnet", name)
    cls = method_class("mprnet")
    changes, _ = WIDTHS[name]
    assert changes.items() <= cls.official_changes(state).items()
    with torch.device("meta"):
        method = create("mprnet", "paper", **cls.official_changes(state))
    method.load_official_state(state, name)
    slope = "stage2_decoder.skip_attn1.body.1.weight"
    for changed, message in (
        ({k: v for k, v in state.items() if k != slope}, "1 missing: slope"),
        ({k: v for k, v in state.items() if k != "tail.weight"}, r"1 missing: tail\.weight"),
        ({**state, "sam34.conv1.bias": state[slope]}, "1 unknown: "),
        ({**state, "stage3_orsnet.orb2.body.9.weight": state[slope]}, "1 unknown: "),
        ({**state, "tail.weight": state[slope]}, r"1 of other shape: tail\.weight"),
    ):
        with pytest.raises(CheckpointError, match=message):
            method.load_official_state(changed, name)


def test_rectifiers_share_one_slope() -> None:
    state = {
        "shallow_feat1.1.body.1.weight": torch.tensor([0.2]),
        "sam.body.1.weight": torch.tensor([0.3]),
    }
    with pytest.raises(CheckpointError, match="one slope for all rectifiers"):
        method_class("mprnet").map_official_state(state)
