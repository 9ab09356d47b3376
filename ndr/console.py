"""What commands say: names that strangers gave their files do not command the terminal."""

from __future__ import annotations

import logging


def printable(text: str) -> str:
    r"""Text without codes that a terminal obeys; each is replaced by a sign.

    >>> printable("a\x1b[2Jb\n")
    'a�[2Jb\n'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


class _PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def start_logging(
    level: int = logging.INFO, line: str = "%(levelname)s %(name)s: %(message)s"
) -> None:
    """Let a command's messages go to the error stream, as `logging.basicConfig` does."""
    handler = logging.StreamHandler()
    handler.setFormatter(_PlainFormatter(line))
    logging.basicConfig(level=level, handlers=[handler])
