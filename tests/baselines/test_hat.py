"""HAT: one method for restoration and for x2."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ndr.method import parameter_count
from ndr.registry import create, load_official


@pytest.mark.parametrize(
    ("upscale", "published"),
    [("none", 20_477_083), ("pixel_shuffle", 20_624_795), ("pre_upsample", 20_477_083)],
)
def test_published_sizes(upscale: str, published: int) -> None:
    with torch.device("meta"):
        assert parameter_count(create("hat", "paper", upscale=upscale)) == published


@torch.no_grad()
def test_the_input_is_added_only_where_asked() -> None:
    torch.manual_seed(0)
    method = create("hat", "smoke", add_input=False).eval()
    image = torch.rand(1, 3, 16, 16)
    restored = method.restore(image)
    assert torch.equal(restored, method.network(image))
    for parameter in method.network.conv_last.parameters():
        parameter.zero_()
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).reshape(1, 3, 1, 1).expand_as(image)
    torch.testing.assert_close(method.restore(image), mean)


@pytest.mark.parametrize("upscale", ["none", "pixel_shuffle"])
def test_a_checkpoint_says_which_network_it_is(upscale: str, tmp_path) -> None:
    torch.manual_seed(0)
    original = create("hat", "smoke", add_input=False, upscale=upscale).eval()
    path = tmp_path / "weights.pth"
    torch.save({"params_ema": original.network.state_dict()}, path)
    loaded = load_official("hat", path, "smoke", add_input=False)
    assert loaded.scale == original.scale
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded.restore(image), original.restore(image))


@torch.no_grad()
def test_x2_ends_in_pixel_shuffle() -> None:
    method = create("hat", "smoke", add_input=False, upscale="pixel_shuffle").eval()
    features = torch.rand(1, 4, 8, 8)
    enlarging = method.network.upsample[0]
    expected = F.pixel_shuffle(enlarging(features), 2)
    torch.testing.assert_close(method.network.upsample(features), expected)


def test_refuses_windows_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="even side that divides 16, found 7"):
        create("hat", "smoke", window=7)
    with pytest.raises(ValueError, match="heads for each of 1 groups, found 2"):
        create("hat", "smoke", heads=(2, 2))
