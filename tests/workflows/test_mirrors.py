"""Where published sets lie is told to the commands, but is no reason to run them again."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import REPOSITORY
from workflows.configuration import CONFIG, read_yaml, suite_config
from workflows.suite import Suite

RULES = REPOSITORY / "workflows" / "rules"


def suite(*mirrors: str) -> Suite:
    return Suite(suite_config({**read_yaml(CONFIG / "config.yaml"), "data_mirrors": mirrors}))


def test_mirrors_are_in_no_parameter(tmp_path: Path) -> None:
    (tmp_path / "cbsd68" / "test" / "clean").mkdir(parents=True)
    mirrored, plain = suite(str(tmp_path), "https://example.org/sets"), suite()
    assert mirrored.mirror_options == ["--mirror", str(tmp_path)]
    for name in ("cbsd68", "photographs_rain_test"):
        assert mirrored.prepare_options(name) == plain.prepare_options(name)


def test_both_commands_are_told() -> None:
    assert "{suite.mirror_options:q}" in (RULES / "prepare.smk").read_text()
    assert "{suite.fetch_options:q}" in (RULES / "fetch.smk").read_text()
    assert suite("https://example.org").fetch_options[:2] == ["--mirror", "https://example.org"]
