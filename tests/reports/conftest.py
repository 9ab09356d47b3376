"""The small report that several tests look at."""

from __future__ import annotations

import pytest

from tests.reports.fabricated_report import SmallReport, write_small_report


@pytest.fixture(scope="session")
def small_report(tmp_path_factory: pytest.TempPathFactory) -> SmallReport:
    """Inputs of a page."""
    return write_small_report(tmp_path_factory.mktemp("small_report"))


@pytest.fixture(scope="session")
def page(small_report: SmallReport) -> str:
    """The page built from them."""
    return small_report.html()
