"""The entries: complete, free of PyTorch, and asked by everything that prints or judges."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import pytest

from ndr.metrics import no_reference
from ndr.metrics.metric import COMPARED, MAIN, MEASURES, METRICS, Metric, measures
from ndr.metrics.protocol import PROTOCOLS
from ndr.metrics.quality_networks import WEIGHTS
from ndr.nearest_name import UnknownNameError
from tests.conftest import REPOSITORY

EVERYWHERE = re.compile(r'["\'](?:PSNR|SSIM|DBCNN|MUSIQ|PIQE)["\']')


def test_every_entry_has_its_function() -> None:
    assert MEASURES.keys() == METRICS.keys()
    fields = {name for one in PROTOCOLS.values() for name in one.__dataclass_fields__}
    for name, measure in MEASURES.items():
        known = fields if METRICS[name].needs_reference else {"weights", "device"}
        assert set(measure.takes) <= known
    assert set(WEIGHTS) == {name for name in METRICS if "weights" in MEASURES[name].takes}
    assert no_reference.NAMES == ("DBCNN", "MUSIQ", "PIQE")
    assert METRICS[MAIN].needs_reference
    assert COMPARED == ("PSNR", "SSIM")


def test_directions() -> None:
    assert {name for name, one in METRICS.items() if not one.higher_is_better} == {"PIQE"}


def test_a_function_without_an_entry_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown metric 'SIM': did you mean 'SSIM'"):
        measures("SIM")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PSNR", -0.5, "-0.5 is no PSNR (expected 0 to 1000, or inf)"),
        ("PSNR", -math.inf, "-inf is no PSNR (expected 0 to 1000, or inf)"),
        ("PSNR", 1e6, "1e+06 is no PSNR (expected 0 to 1000, or inf)"),
        ("MUSIQ", 1e308, "1e+308 is no MUSIQ (expected -100 to 200)"),
        ("PSNR", math.inf, ""),
        ("SSIM", 1.0, ""),
        ("SSIM", 1.5, "1.5 is no SSIM (expected -1 to 1)"),
        ("PIQE", math.inf, "inf is no PIQE (expected -100 to 200)"),
        ("PIQE", -3.0, ""),
        ("PIQE", math.nan, "nan is no PIQE (expected -100 to 200)"),
    ],
)
def test_range(name: str, value: float, expected: str) -> None:
    assert METRICS[name].problem(value) == expected


def test_a_single_upper_end() -> None:
    error = Metric("ERROR", digits=1, tolerance=1.0, smallest_effect=0.1, highest=0.0)
    assert error.problem(2.0) == "2 is no ERROR (expected at most 0)"


def test_facts_need_no_heavy_package() -> None:
    program = (
        "import sys, ndr.metrics.metric\n"
        "print({'torch', 'numpy', 'scipy', 'pandas'} & sys.modules.keys() or 'none')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "none"


def test_no_copy_of_a_fact() -> None:
    """Names stand where a metric is defined or a report chooses what it shows, nowhere else."""
    allowed = {
        "ndr/metrics/metric.py",
        "ndr/metrics/full_reference.py",
        "ndr/metrics/no_reference.py",
        "ndr/metrics/quality_networks.py",
        "reports/figures/evaluated_pictures.py",
    }
    found = {}
    for room in ("ndr", "workflows", "reports"):
        for path in sorted((REPOSITORY / room).rglob("*")):
            name = str(path.relative_to(REPOSITORY))
            if path.suffix in {".py", ".j2", ".js"} and name not in allowed:
                text = path.read_text(encoding="utf-8")
                # Examples in docstrings are no facts.
                lines = [line for line in text.splitlines() if not line.lstrip().startswith(">>>")]
                if hits := [line.strip() for line in lines if EVERYWHERE.search(line)]:
                    found[name] = hits
    assert not found
