"""Many image files worked on at once: read, hashed, decoded, degraded."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from ndr.data.image_files import FileFacts, read_facts

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4
"""Items per thread that are begun before the first result is taken."""


def processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], title: str, workers: int | None = None
) -> Iterator[Result]:
    """Do `work` on all items in threads and hand out the results in the order of the items.

    Only some items per thread are begun ahead of the result that is asked for, so memory does not
    grow with their number. Reading, hashing, decoding and NumPy leave Python's lock to others.

    Args:
        work: is called in threads.
        items: what to work on.
        title: for the progress bar.
        workers: threads; None: one per processor.

    Raises:
        Exception: what `work` raised first, in the order of the items.
    """
    threads = workers or processors()
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        with tqdm(total=len(items), desc=title, unit="image", disable=None) as progress:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= AHEAD * threads:
                    yield waiting.popleft().result()
                    progress.update()
            while waiting:
                yield waiting.popleft().result()
                progress.update()
    finally:
        pool.shutdown(cancel_futures=True)


def survey(
    paths: Iterable[Path],
    title: str,
    known: Mapping[str, FileFacts] | None = None,
    workers: int | None = None,
) -> dict[Path, FileFacts]:
    """Describe image files, each once however often it is named.

    Args:
        paths: the files.
        title: for the progress bar.
        known: see `read_facts`.
        workers: threads; None: one per processor.

    Raises:
        FileNotFoundError, ImageFileError: of the first bad file in the order of `paths`.
    """
    files = list(dict.fromkeys(paths))
    facts = in_order(functools.partial(read_facts, known=known), files, title, workers)
    return dict(zip(files, facts, strict=True))
