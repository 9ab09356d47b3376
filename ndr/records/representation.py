"""What `python -m ndr.represent` measured, read back and checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ndr.records.record import ResultFileError
from reports.analysis.bootstrap import Interval, Sample, mean_interval

SCHEMA = 1
LEVELS = ("1", "2", "3")
TRAINED, UNTRAINED, PLAIN = "trained", "untrained", "image statistics"

MINIMUM_PICTURES = 4
"""Fewer give no interval: resampling two or three pictures says next to nothing."""


@dataclass(frozen=True, slots=True)
class Number:
    """A measured number with its mean per picture; `value` is None where it cannot be had."""

    value: float | None
    n: int
    pictures: Mapping[str, float]
    reason: str

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the mean over pictures; None where it is no such mean, or of too few."""
        return _interval(self.pictures)


def _interval(pictures: Mapping[str, float]) -> Interval | None:
    if len(pictures) < MINIMUM_PICTURES:
        return None
    # One name for all: the draws are made once, and differences are of the same resamples.
    values = np.array(list(pictures.values()), dtype=np.float64)
    return mean_interval(Sample(values, tuple(pictures)), name="representation")


@dataclass(frozen=True, slots=True)
class Difference:
    """One number minus another on the same pictures."""

    value: float
    interval: Interval | None

    @property
    def sign(self) -> int:
        """1 or -1 where the interval excludes zero, else 0."""
        if self.interval is None or self.interval.contains(0.0):
            return 0
        return 1 if self.value > 0 else -1


def difference(one: Number, other: Number) -> Difference | None:
    """Paired difference over the pictures that both have; None where there is none."""
    shared = [picture for picture in one.pictures if picture in other.pictures]
    if not shared:
        return None
    by_picture = {picture: one.pictures[picture] - other.pictures[picture] for picture in shared}
    mean = math.fsum(by_picture.values()) / len(shared)
    return Difference(mean, _interval(by_picture))


def _number(content: Mapping[str, Any]) -> Number:
    value = content["value"]
    pictures = {str(name): float(each) for name, each in content["pictures"].items()}
    for each in ([] if value is None else [value]) + list(pictures.values()):
        if not math.isfinite(each):
            raise ValueError(f"expected a finite number, found {each}")
    return Number(value, int(content["n"]), pictures, str(content["reason"]))


@dataclass(frozen=True, slots=True)
class SettlingRow:
    """Change of D between two kept steps, see `ndr.study.measurement`."""

    first_step: int
    last_step: int
    change_per_step: float
    learning_rate: float
    scaled: float
    walk: float


@dataclass(frozen=True, slots=True)
class RepresentationFile:
    """The numbers of one run, by what they are looked up with."""

    run: str
    tier: str
    setting: str
    changes: Mapping[str, Any]
    steps: int
    scale: int
    pictures: tuple[str, ...]
    per_picture: int
    side: int
    source_set: str
    statistics: tuple[str, ...]
    tasks: tuple[str, ...]
    accuracy: Mapping[tuple[str, str, str], Number]
    """By task, source, level ("all" for S, "none" for image statistics)."""
    chance: Mapping[str, float]
    """By task."""
    explained: Mapping[tuple[str, str, str], Number]
    """By source, level, and `degradation` or `picture`."""
    no_recreation: str
    """Why there is nothing of NDR-Degrad; empty where there is."""
    control: str
    feeds: tuple[str, ...]
    psnr: Mapping[str, Number]
    """By feed, the control included."""
    swap: Mapping[str, Number]
    swap_chance: float
    vectors: int
    dimension: int
    usage: Mapping[tuple[str, str], Number]
    """Effective number of vectors, by source and level."""
    similarity: Mapping[str, Number]
    """Mean absolute cosine: trained, untrained, random."""
    settling: tuple[SettlingRow, ...]
    correlation: Mapping[tuple[str, str, str], Number]
    """By source, level, and U, F or change; over all degradations."""

    @property
    def label(self) -> str:
        """Training mix and changes in words; a change is named as in the run's id."""
        mix, _, size = self.setting.partition("_x2")
        parts = [" + ".join(word.capitalize() for word in mix.split("_"))]
        parts += [f"x2{size}"] if self.setting != mix else []
        parts += [f"{key} = {value}" for key, value in sorted(self.changes.items())]
        return ", ".join(parts)


def read_representation(path: Path) -> RepresentationFile:
    """Read one file.

    Raises:
        FileNotFoundError: no such file.
        ResultFileError: damaged, of another version, or with NaN.
    """
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ResultFileError(
            f"{path} is no representation file of this version ({error!r}); delete it and run again"
        ) from error


def _parsed(content: Mapping[str, Any]) -> RepresentationFile:
    if content["schema"] != SCHEMA:
        raise ValueError(f"expected schema {SCHEMA}, found {content['schema']}")
    views, recreation, similar = content["views"], content["recreation"], content["similarity"]
    made = not recreation["reason"]
    rows = content["separability"]
    return RepresentationFile(
        run=content["run"],
        tier=content["tier"],
        setting=content["setting"],
        changes=content["changes"],
        steps=int(content["steps"]),
        scale=int(content["scale"]),
        pictures=tuple(views["pictures"]),
        per_picture=int(views["per_picture"]),
        side=int(views["side"]),
        source_set=views["set"],
        statistics=tuple(content["image_statistics"]),
        tasks=tuple(dict.fromkeys(row["task"] for row in rows)),
        accuracy={
            (row["task"], row["source"], row["level"]): _number(row["accuracy"]) for row in rows
        },
        chance={row["task"]: float(row["chance"]) for row in rows},
        explained={
            (row["source"], row["level"], factor): _number(row[factor])
            for row in content["explained_variance"]
            for factor in ("degradation", "picture")
        },
        no_recreation=recreation["reason"],
        control=recreation["control"] if made else "",
        feeds=tuple(recreation["feeds"]) if made else (),
        psnr={name: _number(each) for name, each in recreation["psnr"].items()} if made else {},
        swap={name: _number(each) for name, each in recreation["swap"]["accuracy"].items()}
        if made
        else {},
        swap_chance=float(recreation["swap"]["chance"]) if made else math.nan,
        vectors=int(similar["vectors"]),
        dimension=int(similar["dimension"]),
        usage={
            (row["source"], row["level"]): _number(row["effective_vectors"])
            for row in content["usage"]
        },
        similarity={
            name: _number(similar[name]["mean"]) for name in (TRAINED, UNTRAINED, "random")
        },
        settling=tuple(SettlingRow(**row) for row in content["settling"]),
        correlation={
            (row["source"], row["level"], name): _number(row[name])
            for row in content["residual_correlation"]
            if row["degradation"] == "all"
            for name in ("U", "F", "change")
        },
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """A number, how many values it is the mean of, and its mean per picture.

    `value` is None where it cannot be had, and `reason` says why. `pictures` is empty where the
    number is no mean over pictures (a share of variance, an entropy).
    """

    value: float | None
    n: int
    pictures: dict[str, float] = field(default_factory=dict)
    reason: str = ""


def missing(reason: str) -> Measured:
    """A number that cannot be had.

    >>> missing("needs 3 pictures, found 2").value is None
    True
    """
    return Measured(None, 0, {}, reason)


def single(value: float, n: int) -> Measured:
    """A number that is no mean over pictures; None with a reason where it is not finite.

    >>> single(0.5, 12).value, single(float("nan"), 12).value
    (0.5, None)
    """
    if not np.isfinite(value):
        return missing("the number is not defined for these values (nothing varies)")
    return Measured(float(value), n)


def mean_over_pictures(values: ArrayLike, pictures: Sequence[str]) -> Measured:
    """Mean of the means per picture, so that a picture with more values counts no more.

    Args:
        values: one per sample; NaN where a sample has none (a correlation of constants).
        pictures: the picture of each sample.

    >>> mean_over_pictures([1.0, 0.0, 1.0, float("nan")], ["a", "a", "b", "b"])
    Measured(value=0.75, n=3, pictures={'a': 0.5, 'b': 1.0}, reason='')
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (len(pictures),):
        raise ValueError(f"expected {len(pictures)} values, one per picture's name: {array.shape}")
    known = np.isfinite(array)
    owners = np.asarray(pictures)
    means = {
        str(picture): float(array[known & (owners == picture)].mean())
        for picture in dict.fromkeys(pictures)
        if (known & (owners == picture)).any()
    }
    if not means:
        return missing("the number is not defined for any picture (nothing varies)")
    return Measured(float(np.mean(list(means.values()))), int(known.sum()), means)
