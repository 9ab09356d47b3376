"""What a person sees of a running training: a bar on a terminal, some lines in a log file."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Self

from tqdm import tqdm

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 5.0


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
