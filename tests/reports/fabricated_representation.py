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


def number(mean: float, pictures: Sequence[str] = SCENES) -> dict[str, Any]:
    """A number around which the pictures lie a little to both sides."""
    values = {name: mean + 0.01 * (-1) ** index for index, name in enumerate(pictures)}
    return {"value": mean, "n": 24, "pictures": values, "reason": ""}


def single(value: float) -> dict[str, Any]:
    return {"value": value, "n": 24, "pictures": {}, "reason": ""}


def missing(reason: str) -> dict[str, Any]:
    return {"value": None, "n": 0, "pictures": {}, "reason": reason}


def content(
    accuracy: Mapping[str, float] | None = None, psnr: Sequence[float] = (27, 15, 19, 20, 18, 22)
) -> dict[str, Any]:
    accuracy = {"trained": 0.9, "untrained": 0.9, "image statistics": 0.9} | dict(accuracy or {})
    levels = {"trained": "123", "untrained": "123"}
    sources = [(s, level) for s, all_of in levels.items() for level in [*all_of, "all"]]
    sources.append(("image statistics", "none"))
    swap = dict(
        zip(
            ("really degraded views", "own U", "U of another picture"),
            (0.98, 0.9, 0.7),
            strict=True,
        )
    )
    return {
        "schema": 1,
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
            {"source": s, "level": level, "degradation": single(0.2), "picture": single(0.6)}
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
                "source": source, "level": level, "vectors": 32, "effective_vectors": single(4.0),
                "entropy": single(0.4), "pixel_entropy": single(0.4),
            }
            for source in ("trained", "untrained")
            for level in "123"
        ],
        "similarity": {"vectors": 32, "dimension": 128}
        | {
            name: {"mean": single(0.07), "largest": single(0.2)}
            for name in ("trained", "untrained", "random")
        },
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
    }  # fmt: skip


def written(folder: Path, given: Mapping[str, Any], name: str = "run") -> Path:
    path = folder / f"{name}.json"
    RepresentationFile.of_content(given).write(path)
    return path


def read(folder: Path, given: Mapping[str, Any]) -> RepresentationFile:
    return RepresentationFile.read(written(folder, given))
