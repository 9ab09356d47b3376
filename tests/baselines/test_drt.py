"""DRT: windows, their attention, and the recursion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from baselines.deraining.drt import (
    DEVIATION,
    MEAN,
    RecursiveLayer,
    WindowBlock,
    joined_windows,
    windows_of,
)
from ndr.method import Batch, TrainingContext, parameter_count
from ndr.registry import create


def test_windows_are_squares_of_seven() -> None:
    features = torch.rand(2, 3, 14, 21)
    windows = windows_of(features)
    assert windows.shape == (2 * 2 * 3, 49, 3)
    # Second image, second row of windows, third column: pixel (2, 4) of the window.
    assert torch.equal(windows[6 + 5, 2 * 7 + 4], features[1, :, 7 + 2, 14 + 4])
    assert torch.equal(joined_windows(windows, 14, 21), features)


def test_relative_positions() -> None:
    """Row of the table: (difference of rows + 6) * 13 + difference of columns + 6."""
    found = WindowBlock(4, heads=2).positions
    for first, second in ((0, 0), (0, 48), (48, 0), (10, 33)):
        rows, columns = first // 7 - second // 7, first % 7 - second % 7
        assert found[first, second] == (rows + 6) * 13 + columns + 6


def test_attention_is_its_definition() -> None:
    torch.manual_seed(0)
    block = WindowBlock(4, heads=2).double()
    torch.nn.init.normal_(block.position_bias)
    windows = torch.randn(1, 49, 4, dtype=torch.float64)
    x = block.query_key_value(block.attention_norm(windows))[0].detach().numpy()
    query, key, value = x[:, :4], x[:, 4:8], x[:, 8:]
    mixed = np.zeros((49, 4))
    for head in range(2):
        part = slice(2 * head, 2 * head + 2)
        bias = block.position_bias[block.positions, head].detach().numpy()
        affinity = np.exp(query[:, part] @ key[:, part].T / np.sqrt(2) + bias)
        mixed[:, part] = affinity / affinity.sum(axis=1, keepdims=True) @ value[:, part]
    after = windows + block.projection(torch.from_numpy(mixed)[None])
    expected = after + block.contraction(F.gelu(block.expansion(block.perceptron_norm(after))))
    torch.testing.assert_close(block(windows, block.bias()), expected)


def test_blocks_are_shared_by_the_recursions() -> None:
    torch.manual_seed(0)
    layer = RecursiveLayer(4, heads=2, recursions=2)
    features = torch.randn(1, 4, 14, 7)
    windows = windows_of(features)

    def both(tokens: torch.Tensor) -> torch.Tensor:
        tokens = layer.second(tokens, layer.second.bias())
        return layer.first(tokens, layer.first.bias())

    twice = both(both(windows) + windows) + windows
    expected = layer.convolution(joined_windows(twice, 14, 7))
    torch.testing.assert_close(layer(features), expected, atol=1e-5, rtol=1e-5)
    assert parameter_count(layer) == parameter_count(RecursiveLayer(4, heads=2, recursions=5))


def test_normalisations_do_not_undo_each_other() -> None:
    """The authors' pair: an output layer of zero gives image - mean + mean * deviation."""
    method = create("drt", "smoke", identity_init=False).eval()
    torch.nn.init.zeros_(method.output.weight)
    torch.nn.init.zeros_(method.output.bias)
    image = torch.rand(1, 3, 7, 7)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
    with torch.no_grad():
        torch.testing.assert_close(method.restore(image), image - mean + mean * deviation)


def test_squared_error_on_patches_of_any_size() -> None:
    torch.manual_seed(0)
    method = create("drt", "smoke", identity_init=False)
    degraded, clean = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    batch = Batch(degraded, clean, ("rain",), torch.zeros(1))
    losses = method.training_losses(batch, TrainingContext(0, 1, F.l1_loss))
    expected = ((method.restore(degraded) - clean) ** 2).mean()
    assert losses["restore"].item() == pytest.approx(expected.item())


def test_heads_share_the_channels() -> None:
    with pytest.raises(ValueError, match="expected channels that 2 heads can share, found 5"):
        create("drt", channels=5)
