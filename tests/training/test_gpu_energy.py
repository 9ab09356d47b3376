"""The energy counter of a GPU, read through a stand-in for the driver's library."""

from __future__ import annotations

import ctypes

import pytest
import torch

from ndr.training.progress import EnergyMeter, millijoule_counter

UUID = "4b1c0ffe-0000-1111-2222-333344445555"


class Driver:
    """Answers as NVML does: a status, and the value through the pointer."""

    def __init__(self, status: dict[str, int] | None = None) -> None:
        self.status = status or {}
        self.millijoules = 5_000_000

    def nvmlInit_v2(self) -> int:  # noqa: N802 - the library's name
        return self.status.get("init", 0)

    def nvmlDeviceGetHandleByUUID(self, name: bytes, handle: object) -> int:  # noqa: N802
        assert name == f"GPU-{UUID}".encode()
        return self.status.get("handle", 0)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object, value: object) -> int:  # noqa: N802
        ctypes.cast(value, ctypes.POINTER(ctypes.c_ulonglong))[0] = self.millijoules
        return self.status.get("energy", 0)


def test_joules_since_the_meter_was_made() -> None:
    driver = Driver()
    meter = EnergyMeter(millijoule_counter(UUID, driver))
    driver.millijoules += 2_500
    assert meter.joules == 2.5


@pytest.mark.parametrize("call", ["init", "handle", "energy"])
def test_a_driver_that_refuses_reports_nothing(call: str) -> None:
    assert millijoule_counter(UUID, Driver({call: 3})) is None


def test_a_counter_that_begins_anew_reports_nothing() -> None:
    driver = Driver()
    meter = EnergyMeter(millijoule_counter(UUID, driver))
    driver.millijoules = 10
    assert meter.joules is None
    driver.status["energy"] = 999
    assert meter.joules is None


def test_a_cpu_reports_nothing() -> None:
    assert EnergyMeter.of(torch.device("cpu")).joules is None
