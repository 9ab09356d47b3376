"""Energy that an NVIDIA GPU reports to have used, read from its own counter.

The counter (`nvmlDeviceGetTotalEnergyConsumption`) runs since the driver was loaded and counts the
whole card in millijoules, whoever uses it. Cards before Volta have none.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

LIBRARY = "libnvidia-ml.so.1"
SUCCESS = 0


def millijoule_counter(uuid: str, library: Any | None = None) -> Callable[[], int] | None:
    """A function that reads the counter of one card; None where there is none to read.

    Args:
        uuid: of the card, as PyTorch prints it, without "GPU-".
        library: the loaded NVML; None: that of the driver.
    """
    try:
        nvml = ctypes.CDLL(LIBRARY) if library is None else library
    except OSError:
        return None
    handle = ctypes.c_void_p()
    value = ctypes.c_ulonglong()
    name = f"GPU-{uuid}".encode("ascii")
    if nvml.nvmlInit_v2() != SUCCESS:
        return None
    if nvml.nvmlDeviceGetHandleByUUID(name, ctypes.byref(handle)) != SUCCESS:
        return None

    def read() -> int:
        status = nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value))
        if status != SUCCESS:
            raise OSError(f"the GPU's energy counter cannot be read (NVML status {status})")
        return int(value.value)

    try:
        read()
    except OSError:
        return None
    return read


class EnergyMeter:
    """Joules that a device has used since the meter was made."""

    def __init__(self, counter: Callable[[], int] | None) -> None:
        self._counter = counter
        self._start = 0 if counter is None else counter()

    @classmethod
    def of(cls, device: Any) -> EnergyMeter:
        """Meter of a `torch.device`; one that reports nothing for other devices than GPUs."""
        if device.type != "cuda":
            return cls(None)
        import torch

        uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
        return cls(None if uuid is None else millijoule_counter(str(uuid)))

    @property
    def joules(self) -> float | None:
        """None where the device reports none."""
        if self._counter is None:
            return None
        try:
            used = self._counter() - self._start
        except OSError as error:
            log.warning("%s", error)
            return None
        # A driver that was loaded anew counts from zero: the difference means nothing then.
        return used / 1000 if used >= 0 else None
