"""Files of `python -m ndr.represent` with numbers that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ndr.records.representation import RepresentationFile

SCENES = tuple(f"scene{number}" for number in range(8))
TASKS = {"noise, rain or haze": 1 / 3, "noise of sigma 15 or 25": 0.5}
FEEDS = (
    "own U",
    "U of another picture, same degradation",
    "U of the same picture, another degradation",
    "own U shuffled in space",
    "U of zeros",
)
CONTROL = "clean picture unchanged"
FEATURES = ("features F", "features F, untrained")
RANDOM_D = "U from random vectors in place of D"


def number(mean: float, pictures: Sequence[str] = SCENES) -> dict[str, Any]:
    """A number around which the pictures lie a little to both sides."""
    values = {name: mean + 0.01 * (-1) ** index for index, name in enumerate(pictures)}
    return {"value": mean, "n": 24, "pictures": values, "reason": ""}


def single(value: float, half: float | None = None) -> dict[str, Any]:
    """A number that is no mean over pictures, with an interval of its own."""
    interval = None if half is None else [value - half, value + half]
    return {"value": value, "n": 24, "pictures": {}, "reason": "", "interval": interval}


def missing(reason: str) -> dict[str, Any]:
    return {"value": None, "n": 0, "pictures": {}, "reason": reason}


def content(
    accuracy: Mapping[str, float] | None = None, psnr: Sequence[float] = (27, 15, 19, 20, 18, 22)
) -> dict[str, Any]:
    accuracy = {"trained": 0.9, "untrained": 0.9, "image statistics": 0.9} | dict(accuracy or {})
    levels = {"trained": "123", "untrained": "123"}
    sources = [(s, level) for s, all_of in levels.items() for level in [*all_of, "all"]]
    sources.append(("image statistics", "none"))
    sources += [(name, "all") for name in FEATURES]
    accuracy |= {name: accuracy.get(name, 0.4) for name in FEATURES}
    swap = dict(
        zip(
            ("really degraded views", "own U", "U of another picture"),
            (0.98, 0.9, 0.7),
            strict=True,
        )
    )
    return {
        "schema": 2,
        "run": "ndr_restore__noise_rain_haze__seed_0",
        "tier": "quick",
        "setting": "noise_rain_haze",
        "changes": {},
        "steps": 250,
        "scale": 1,
        "evaluation_sha256": "e" * 64,
        "training_sha256": "t" * 64,
        "checkpoint_sha256": "c" * 64,
        "views": {
            "set": "photographs_test", "pictures": list(SCENES), "per_picture": 2, "side": 64,
            "count": 2 * len(SCENES),
        },
        "sigmas": {"noise": 25.0, "noise_15": 15.0},
        "image_statistics": ["mean", "deviation"],
        "separability": [
            {
                "task": task, "chance": chance, "source": source, "level": level,
                "accuracy": number(accuracy[source]),
            }
            for task, chance in TASKS.items()
            for source, level in sources
        ],
        "explained_variance": [
            {
                "source": s, "level": level, "degradation": single(0.2, 0.05),
                "picture": single(0.6, 0.05), "lead": single(-0.4, 0.05),
            }
            for s, level in sources
        ],
        "recreation": {
            "reason": "",
            "control": CONTROL,
            "feeds": list(FEEDS),
            "psnr": {
                name: number(value) for name, value in zip((*FEEDS, CONTROL), psnr, strict=True)
            },
            "swap": {
                "chance": 1 / 3,
                "accuracy": {name: number(value) for name, value in swap.items()}
                | {"U of another picture, untrained": number(1 / 3)},
            },
        },
        "usage": [
            {
                "source": source, "level": level, "vectors": 32, "entropy": single(0.4),
                "effective_vectors": single(4.0, 0.5), "pixel_entropy": single(0.4),
            }
            for source in ("trained", "untrained")
            for level in "123"
        ],
        "similarity": {"vectors": 32, "dimension": 128}
        | {
            name: {"mean": single(0.07, half), "largest": single(0.2, half)}
            for name, half in (("trained", None), ("untrained", None), ("random", 0.005))
        },
        "settled": {"scaled": single(0.4, 0.1), "walk": single(0.95, 0.1)},
        "settling": [
            {
                "first_step": first, "last_step": last, "change_per_step": change,
                "learning_rate": 1e-3, "scaled": 1000 * change, "walk": walk,
            }
            for first, last, change, walk in ((0, 1, 1e-3, 1.0), (1, 10, 1e-4, 0.9))
        ],
        "residual_correlation": [
            {"source": s, "level": level, "degradation": "all"}
            | {name: number(value) for name, value in (("U", 0.5), ("F", 0.2), ("change", 0.1))}
            for s in ("trained", "untrained")
            for level in "123"
        ],
        "restored": {
            "feeds": [*FEEDS, RANDOM_D],
            "psnr": {
                name: number(value)
                for name, value in zip(
                    (*FEEDS, RANDOM_D), (30, 29, 28, 29.5, 27, 29.99), strict=True
                )
            },
        },
        "dose": [
            {"source": s, "kind": kind, "doses": [5.0, 50.0], "U": number(0.8), "F": number(0.3)}
            for s in ("trained", "untrained")
            for kind in ("noise", "rain", "haze")
        ],
        "unseen": [
            {
                "kind": kind, "degraded": number(25), "restored": number(25 + better),
                "without_u": number(25.5),
            }
            for kind, better in (("noise of sigma 35", 3), ("blur", -1), ("JPEG", 0))
        ],
        "edges": [
            {"source": s, "condition": c, "U": number(0.4), "F": number(0.6)}
            for s in ("trained", "untrained")
            for c in ("all", "clean")
        ],
    }  # fmt: skip


def written(folder: Path, given: Mapping[str, Any], name: str = "run") -> Path:
    path = folder / f"{name}.json"
    RepresentationFile.of_content(given).write(path)
    return path


def read(folder: Path, given: Mapping[str, Any]) -> RepresentationFile:
    return RepresentationFile.read(written(folder, given))
