"""Where tensors live: the CPU or a GPU, by name."""

from __future__ import annotations

import torch

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
