"""Small evaluations for the tests: their specs, their command lines, and how they are run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ndr.evaluation.degraded_images import PreparedSets
from ndr.evaluation.loaded_method import LoadedMethod, load_method
from ndr.evaluation.scoring import Evaluation, evaluate
from ndr.registry import method_arguments
from ndr.specs.run_spec import EvaluationSpec, TestSetSpec

RAIN = TestSetSpec("rain", "rain", "rainy", "0" * 64)


def evaluation_spec(method: str = "identity", **changes: Any) -> EvaluationSpec:
    content = {
        "tier": "smoke",
        "run": f"{method}__no_training__seed_0",
        "method": method,
        "arguments": method_arguments(method, "smoke", {}),
        "training_sha256": None,
        "test_sets": (RAIN,),
        "protocols": ("ndr",),
        "suite_seed": 9,
    }
    return EvaluationSpec(**(content | changes))


def evaluated(
    given: EvaluationSpec,
    sets: Path,
    pictures: Path,
    loaded: LoadedMethod | None = None,
    **options: Any,
) -> Evaluation:
    """Evaluate with the weights that the spec asks for, or with a method that is given."""
    prepared = PreparedSets(sets, [given])
    return evaluate(given, loaded or load_method(given), prepared, pictures, **options)


def command(given: EvaluationSpec, sets: Path, out: Path, *more: str) -> list[str]:
    """Arguments of `python -m ndr.evaluate` for one run that writes into the folder `out`."""
    return [
        "--spec-json", given.canonical_json(), "--sets", str(sets), "--device", "cpu",
        "--out", str(out / "per_image.csv"), "--pictures", str(out / "pictures"),
        "--provenance", str(out / "provenance.json"), *more,
    ]  # fmt: skip
