"""PromptIR: published size, the prompts, the way through the decoder, authors' keys."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from baselines.all_in_one.promptir import Prompt
from ndr.method import CheckpointError, parameter_count
from ndr.registry import create
from tests.baselines.official_shapes import official_state


def test_published_size() -> None:
    """The six layers that the authors never run are counted, but do not exist."""
    with torch.device("meta"):
        method = create("promptir", "paper")
    assert method.counted_parameters() == 35_592_263
    assert parameter_count(method) == 35_592_263 - 215_296


def test_prompt_against_loops() -> None:
    torch.manual_seed(0)
    prompt, features = Prompt(6, 3, 4, 5), torch.randn(2, 6, 8, 10)
    found = prompt(features)
    assert found.shape == (2, 4, 8, 10)
    for image in range(2):
        logits = prompt.weighting(features[image].mean(dim=(1, 2)))
        weights = torch.exp(logits) / torch.exp(logits).sum()
        mixture = sum(weights[n] * prompt.components[0, n] for n in range(3))
        large = F.interpolate(mixture[None], (8, 10), mode="bilinear", align_corners=False)
        expected = F.conv2d(large, prompt.convolution.weight, padding=1)
        torch.testing.assert_close(found[image : image + 1], expected, atol=1e-5, rtol=1e-5)


def test_structure_of_the_decoder() -> None:
    torch.manual_seed(0)
    network = create("promptir", "smoke", zero_init_output=False).eval()
    image = torch.rand(1, 3, 16, 24)

    def told(features: torch.Tensor, level: int) -> torch.Tensor:
        joined = torch.cat([features, network.prompts[level](features)], dim=1)
        narrow = F.conv2d(network.interactions[level](joined), network.reductions[level].weight)
        return network.upsampling[level](narrow)

    with torch.no_grad():
        first = network.encoder[0](network.embedding(image))
        second = network.encoder[1](network.downsampling[0](first))
        third = network.encoder[2](network.downsampling[1](second))
        lowest = network.encoder[3](network.downsampling[2](third))
        up = told(lowest, 2)
        assert up.shape[1] == 16  # half of Restormer's: the features were narrowed before
        up = network.decoder[2](network.fusion[2](torch.cat([up, third], dim=1)))
        up = told(up, 1)
        up = network.decoder[1](network.fusion[1](torch.cat([up, second], dim=1)))
        up = network.decoder[0](torch.cat([told(up, 0), first], dim=1))
        expected = image + network.output(network.refinement(up))
        restored = network.restore(image)
    torch.testing.assert_close(restored, expected, atol=1e-5, rtol=0)
    assert (restored - image).abs().max() > 1e-3


def test_heads_of_the_interactions() -> None:
    network = create("promptir", "smoke")
    heads = [block.attention.temperature.shape[0] for block in network.interactions]
    assert heads == [4, 4, 4]


def test_refuses_other_than_three_prompts() -> None:
    with pytest.raises(ValueError, match="channels and sides of 3 prompts, found 2 and 3"):
        create("promptir", "smoke", prompt_channels=(4, 8))


def test_authors_keys_fit() -> None:
    state = official_state("promptir", "promptir")
    assert sum(value.numel() for value in state.values()) == 35_592_263
    with torch.device("meta"):
        method = create("promptir", "paper")
    method.load_official_state(state, "model.ckpt")
    missing = {k: v for k, v in state.items() if k != "net.prompt2.prompt_param"}
    with pytest.raises(CheckpointError, match=r"1 missing: prompts\.1\.components"):
        method.load_official_state(missing, "model.ckpt")
    with pytest.raises(CheckpointError, match=r"1 unknown: prompt4\.prompt_param"):
        method.load_official_state({**state, "net.prompt4.prompt_param": torch.empty(1)}, "model")
