"""Where published sets lie is told to the commands, but is no reason to run them again."""

from __future__ import annotations

import re
from pathlib import Path

from ndr.specs.typed_file import read_yaml
from tests.conftest import REPOSITORY
from workflows.configuration import CONFIG, suite_config
from workflows.suite import Suite

RULES = REPOSITORY / "workflows" / "rules"


def suite(*mirrors: str) -> Suite:
    return Suite(suite_config({**read_yaml(CONFIG / "config.yaml"), "data_mirrors": mirrors}))


def test_mirrors_are_in_no_parameter(tmp_path: Path) -> None:
    (tmp_path / "cbsd68" / "test" / "clean").mkdir(parents=True)
    mirrored, plain = suite(str(tmp_path), "https://example.org/sets"), suite()
    assert mirrored.mirror_options == [f"--mirror={tmp_path}"]
    for name in ("cbsd68", "photographs_rain_test"):
        assert mirrored.prepare_options(name) == plain.prepare_options(name)


def test_both_commands_are_told() -> None:
    assert "{suite.mirror_options:q}" in (RULES / "prepare.smk").read_text()
    assert "{suite.fetch_options:q}" in (RULES / "fetch.smk").read_text()
    assert suite("https://example.org").fetch_options[0] == "--mirror=https://example.org"


def test_what_begins_with_a_hyphen_is_no_option() -> None:
    config = {**read_yaml(CONFIG / "config.yaml"), "accepted_terms": ["-x"]}
    mirrors = {"data_mirrors": ["--partial"], "weights_mirrors": ["-h"]}
    made = Suite(suite_config({**config, **mirrors}))
    assert made.fetch_options[:2] == ["--mirror=--partial", "--accept-terms=-x"]
    assert made.weights_options == ["--mirror=-h"]


def test_texts_with_braces_are_no_wildcards() -> None:
    """Snakemake looks for wildcards in a text that is a parameter, not in what a function gives."""
    texts = re.compile(r"^ +\w+=(?!lambda|source_fingerprint|suite\.\w+_fingerprint)(.*),$", re.M)
    for path in sorted(RULES.glob("*.smk")):
        for block in re.findall(r"    params:\n((?:        .*\n)+)", path.read_text()):
            # Names of sets and devices have patterns of their own.
            free = [t for t in texts.findall(block) if "leak_" not in t and "device" not in t]
            assert not free, path
