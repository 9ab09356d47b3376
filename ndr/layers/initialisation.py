"""How the layers of a network start."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


def initialise(network: nn.Module, rule: Callable[[Tensor], object], shift: float = 0.0) -> None:
    """Start each convolution and linear layer, in order.

    Args:
        network: a layer, or a module with layers.
        rule: draws a weight in place, as those of `torch.nn.init` do.
        shift: what the biases start at.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            rule(layer.weight)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, shift)


def start_at_zero(*layers: nn.Module) -> None:
    """Set last layers to zero: where their output is added to the input, nothing is added."""
    for layer in layers:
        initialise(layer, nn.init.zeros_)
