"""Time of a table column's statistics at the size of the largest test sets (`make bench`).

`python -m bench.statistics_speed` takes 31 methods on 500 images of 492 scenes (SOTS outdoor),
computes the interval of each mean, and whether each is told from the best: interval and tests of
its difference. Run it on one core (`taskset -c 1`, `OMP_NUM_THREADS=1`). What counts
is the processor's time, which other programs on the core do not lengthen much. The exit code is 1
where it is above the limit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

from reports.analysis.bootstrap import RESAMPLES, Sample, resampling_weights
from reports.analysis.evidence import Comparisons, evidence, pairs

METHODS, IMAGES, SCENES = 31, 500, 492
LIMIT_SECONDS = 5.0


def column(seed: int = 0) -> list[Sample]:
    """Values of the methods: a difficulty per image that they share, and noise of their own."""
    generator = np.random.default_rng(seed)
    difficulty = generator.normal(30.0, 3.0, IMAGES)
    scenes = tuple(f"scene {image % SCENES}" for image in range(IMAGES))
    return [
        Sample(difficulty + 0.1 * method + generator.normal(0.0, 0.5, IMAGES), scenes)
        for method in range(METHODS)
    ]


def statistics(samples: Sequence[Sample]) -> int:
    """All intervals and comparisons of a column; returns how many there are."""
    best = max(samples, key=lambda sample: float(sample.values.mean()))
    alone = [evidence([(1.0, [one])], [1.0], name="column") for one in samples]
    beside = [
        evidence([(1.0, [one]), (-1.0, [best])], [1.0], name="column")
        for one in samples
        if one is not best
    ]
    among = Comparisons(pairs(len(samples)))
    words = [one.told(0.0, 0.02, among) for one in beside]
    return len(alone) + len(beside) + len(words)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.statistics_speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(argv)
    samples = column()
    seconds, elapsed = [], []
    for _ in range(arguments.rounds):
        resampling_weights.cache_clear()
        started, clock = time.process_time(), time.perf_counter()
        statistics(samples)
        seconds.append(time.process_time() - started)
        elapsed.append(time.perf_counter() - clock)
    print(
        f"{IMAGES} images x {METHODS} methods x {RESAMPLES:,} resamples, best of "
        f"{arguments.rounds}: {min(seconds):.2f} s of processor time (limit {LIMIT_SECONDS:g} s), "
        f"{min(elapsed):.2f} s elapsed"
    )
    return int(min(seconds) > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
