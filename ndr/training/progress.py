"""What goes on beside the steps of a training: what a person sees, energy, signals to stop.

Nothing here decides a number: changes train no run anew (`ndr.source_fingerprint`).
"""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from tqdm import tqdm

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 5.0
NVML = "libnvidia-ml.so.1"
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Progress:
    """Progress of one training on stderr."""

    def __init__(self, name: str, steps: int, done: int, shown: bool = True) -> None:
        """Begin.

        Args:
            name: the run.
            steps: steps of the whole training.
            done: steps done before this process started.
            shown: False keeps silent (processes that do not lead).
        """
        self._steps, self._first = steps, done
        self._started = self._last_line = time.monotonic()
        self._shown = shown
        self._bar: Any = None
        if shown and sys.stderr.isatty():
            self._bar = tqdm(total=steps, initial=done, desc=name, unit="step", file=sys.stderr)

    def update(self, done: int, rate: float, losses: dict[str, float]) -> None:
        """Show the step that was just done."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"{_text(losses)} rate {rate:.2g}", refresh=False)
            self._bar.update(1)
            return
        now = time.monotonic()
        if not self._shown or (
            now - self._last_line < SECONDS_BETWEEN_LINES and done < self._steps
        ):
            return
        self._last_line = now
        left = (now - self._started) / (done - self._first) * (self._steps - done)
        log.info(
            "step %d of %d, %s, rate %.2g, %s left",
            done, self._steps, _text(losses), rate, tqdm.format_interval(left),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _text(losses: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in losses.items())


def millijoule_counter(uuid: str, library: Any | None = None) -> Callable[[], int] | None:
    """A function that reads the counter of one card; None where there is none to read.

    Args:
        uuid: of the card, as PyTorch prints it, without "GPU-".
        library: the loaded NVML; None: that of the driver.
    """
    try:
        nvml = ctypes.CDLL(NVML) if library is None else library
    except OSError:
        return None
    handle = ctypes.c_void_p()
    value = ctypes.c_ulonglong()
    name = f"GPU-{uuid}".encode("ascii")
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByUUID(name, ctypes.byref(handle)):
        return None  # 0 is NVML's success

    def read() -> int:
        status = nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value))
        if status:
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


class Interrupted(Exception):  # noqa: N818 - it is no error
    """A training was asked to stop, and did so between two steps."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class Interruption:
    """Remembers that a signal came; a second one acts at once, as if nobody listened."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}
