"""Cards of this machine, one job each: `python -m workflows.cards --cards N COMMAND...`.

The command runs with `CUDA_VISIBLE_DEVICES` set to N cards that no other job of this machine has.
A card is held by a lock of the operating system on a file: it ends with the last process that has
it, however that ends, so nothing has to be tidied up after a crash. Under a scheduler that hands
out cards itself (SLURM, PBS, LSF) nothing is chosen here.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import getpass
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from workflows.file_lock import lock

log = logging.getLogger("workflows.cards")

VISIBLE = "CUDA_VISIBLE_DEVICES"
SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
"""Variables of schedulers that hand out cards: those of a job are its own."""
WAIT = 0.5
"""Seconds between two looks where all cards are held."""


class CardError(ValueError):
    """More cards are asked for than this machine has."""


def cards_here(environment: Mapping[str, str], devices: Path = Path("/dev")) -> list[str]:
    """Cards that this process may use: those of `CUDA_VISIBLE_DEVICES`, else all of the machine.

    Args:
        environment: of the process.
        devices: folder of the device files, which a card's driver makes.

    Returns:
        Numbers or names of cards, as `CUDA_VISIBLE_DEVICES` takes them.
    """
    if VISIBLE in environment:
        return [card for card in environment[VISIBLE].replace(" ", "").split(",") if card]
    found = (path.name.removeprefix("nvidia") for path in devices.glob("nvidia[0-9]*"))
    return sorted((number for number in found if number.isdecimal()), key=int)


def lock_folder() -> Path:
    """Where the locks of this user's jobs are, on this machine."""
    folder = Path(tempfile.gettempdir()) / f"ndr-cards-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def claim(count: int, cards: Sequence[str], folder: Path) -> dict[str, int]:
    """Wait until `count` cards are free, and hold them: all at once or none.

    Returns:
        The cards, each with the descriptor that holds its lock; programs that this process becomes
        or starts inherit it.

    Raises:
        CardError: the machine has fewer.
    """
    if count > len(cards):
        raise CardError(
            f"{count} cards are asked for, this machine has {len(cards)} ({', '.join(cards)}); "
            "take fewer (gpus_per_run), or a machine that has them"
        )
    waited = False
    while True:
        held: dict[str, int] = {}
        # Who looks for several holds this lock while looking, or two could hold half each for ever.
        door = os.open(folder / "door", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.closing(os.fdopen(door, "w")):
            fcntl.flock(door, fcntl.LOCK_EX)
            for card in cards:
                if len(held) < count and (held_by := lock(folder / f"{card}.lock")) is not None:
                    held[card] = held_by
        if len(held) == count:
            for descriptor in held.values():
                os.set_inheritable(descriptor, True)
            return held
        for descriptor in held.values():
            os.close(descriptor)
        if not waited:
            log.warning("all cards are held by other jobs (%s); waiting", ", ".join(cards))
            waited = True
        time.sleep(WAIT)


def main(arguments: Sequence[str] | None = None) -> None:
    """Become the command, with its cards."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cards", type=int, required=True, help="number of cards; 0: none")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="program with its arguments")
    options = parser.parse_args(arguments)
    cards = cards_here(os.environ)
    if options.cards and cards and not any(name in os.environ for name in SCHEDULERS):
        try:
            held = claim(options.cards, cards, lock_folder())
        except CardError as error:
            sys.exit(str(error))
        os.environ[VISIBLE] = ",".join(held)
        log.info("cards: %s", os.environ[VISIBLE])
    os.execvp(options.command[0], options.command)


if __name__ == "__main__":
    main()
