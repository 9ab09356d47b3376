"""Where tensors live, the CPU or a GPU, and how those of a network lie in memory."""

from __future__ import annotations

import torch
from torch import nn

DEVICES = ("auto", "cpu", "cuda")


class DeviceError(ValueError):
    """A device that PyTorch does not see here."""


def chosen_device(name: str, local_rank: int = 0) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means for this process.

    Args:
        name: one of `DEVICES`; `auto` is a GPU where PyTorch sees one.
        local_rank: this process's number among those of the machine; it takes the GPU of that
            number.

    Raises:
        DeviceError: `cuda` where PyTorch sees no such GPU.

    >>> chosen_device("cpu")
    device(type='cpu')
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if local_rank >= count:
        raise DeviceError(
            f"device cuda: process {local_rank} of this machine needs GPU {local_rank}, PyTorch "
            f"sees {count}; use --device cpu, or start fewer processes"
        )
    return torch.device("cuda", local_rank)


def lay_out_channels_last(network: nn.Module) -> None:
    """Keep the channels of a pixel side by side in memory, in the weights of all convolutions.

    Features take the layout of the weights that they meet. Most networks are faster so on a CPU.
    """
    for module in network.modules():
        # The others keep theirs: PyTorch refuses to lay out a three-dimensional weight like this.
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
