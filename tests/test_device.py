"""Devices by name."""

from __future__ import annotations

import pytest
import torch

from ndr.device import DeviceError, chosen_device


def test_the_cpu_serves_any_number_of_processes() -> None:
    assert chosen_device("cpu", 7) == torch.device("cpu")


def test_auto_is_a_gpu_where_there_is_one() -> None:
    assert chosen_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_process_needs_a_gpu_of_its_own() -> None:
    count = torch.cuda.device_count()
    with pytest.raises(DeviceError, match=f"GPU {count}, PyTorch sees {count}; use --device cpu"):
        chosen_device("cuda", count)
