"""Where published sets lie is told to the commands, but is no reason to run them again."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import pytest

from ndr.data.mirrors import add_mirror_options, given_mirrors, handed_on
from ndr.specs.typed_file import read_yaml
from tests.conftest import REPOSITORY
from tests.project_copy import copy_project, run_in
from workflows.configuration import CONFIG, suite_config
from workflows.suite import Suite

RULES = REPOSITORY / "workflows" / "rules"
MIRRORS = ("https://host/hidden/{sets}", "--partial", "/mnt/hidden place/ü")


def suite(*mirrors: str) -> Suite:
    config = {**read_yaml(CONFIG / "config.yaml"), "accepted_terms": ["-x"]}
    return Suite(suite_config({**config, "data_mirrors": mirrors, "weights_mirrors": mirrors}))


def taken(*words: str) -> tuple[str, ...]:
    """The mirrors that a command with these words on its line is given."""
    parser = argparse.ArgumentParser()
    add_mirror_options(parser, "a folder")
    return given_mirrors(parser.parse_args(words))


def test_mirrors_are_in_no_parameter() -> None:
    mirrored, plain = suite(*MIRRORS), suite()
    for name in ("cbsd68", "photographs_rain_test"):
        assert mirrored.prepare_options(name) == plain.prepare_options(name)


def test_mirrors_reach_the_commands_but_no_command_line() -> None:
    """Which Snakemake records, and a snapshot stores."""
    made = suite(*MIRRORS)
    for options in (made.mirror_options, made.fetch_options[:1], made.weights_options):
        assert taken(*options) == MIRRORS
        assert "hidden" not in str(options)
    assert taken("--mirror=a", *made.mirror_options) == ("a", *MIRRORS)
    assert suite().mirror_options == suite().weights_options == []
    assert made.weights_options != suite("a").weights_options  # other mirrors: ask again
    assert "{suite.mirror_options:q}" in (RULES / "prepare.smk").read_text()
    assert "{suite.fetch_options:q}" in (RULES / "fetch.smk").read_text()


def test_a_variable_that_names_no_mirrors_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (option,) = handed_on(["a"])
    for text in ("{", "[1]", '"a"', "[" * 100_000):
        monkeypatch.setenv(option.partition("=")[2], text)
        with pytest.raises(ValueError, match=r"expected a JSON list of texts") as caught:
            taken(option)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="the variable NOWHERE is not set; set it"):
        taken("--mirrors-of=NOWHERE")


def test_what_begins_with_a_hyphen_is_no_option() -> None:
    made = suite("--partial")
    assert made.fetch_options[1] == "--accept-terms=-x"
    assert taken(*made.fetch_options[:1]) == taken("--mirror=--partial") == ("--partial",)


def test_texts_with_braces_are_no_wildcards() -> None:
    """Snakemake looks for wildcards in a text that is a parameter, not in what a function gives."""
    texts = re.compile(r"^ +\w+=(?!lambda|source_fingerprint|suite\.\w+_fingerprint)(.*),$", re.M)
    for path in sorted(RULES.glob("*.smk")):
        for block in re.findall(r"    params:\n((?:        .*\n)+)", path.read_text()):
            # Names of sets and devices have patterns of their own.
            free = [t for t in texts.findall(block) if "leak_" not in t and "device" not in t]
            assert not free, path


def changed(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path.write_text(text)


@pytest.mark.slow
def test_braces_and_mirrors_in_a_run(tmp_path: Path) -> None:
    """Texts, mirrors and terms with braces are planned; mirrors are not recorded."""
    project, mirror = copy_project(tmp_path / "project"), tmp_path / "{hidden}"
    mirror.mkdir()
    changed(
        project / "config" / "tables" / "table_11.yaml",
        ("label: Table XI", "label: 'Table {XI}'"),
        ("title: Weight", "title: '{x} {{y}' #"),
        ("label: lambda = 0,", "label: 'lambda {0} } = 0',"),
        ("notes:\n  - ", "notes:\n  - '{a} {{b {0}'\n  - "),
    )
    changed(
        project / "config" / "tiers" / "smoke.yaml",
        ("A few steps", "A {few} {{steps"),
        ("label: Rain,", "label: 'Rain {x} }',"),
    )
    config = ["--config", "tier=smoke", "tables=table_11", "accepted_terms=['{t}']"]
    config += [f"data_mirrors={[str(mirror), 'https://host/{a}']!r}"]
    run = [sys.executable, "-m", "snakemake", "--cores", "1"]
    planned = run_in(project, [*run, "-n", "reports/all_tables.html", *config])
    assert planned.returncode == 0, planned.stderr
    made = run_in(project, [*run, "data/sets/photographs_test/manifest.csv", *config])
    assert made.returncode == 0, made.stderr
    records = [*(project / ".snakemake" / "metadata").iterdir(), *(project / "logs").rglob("*.*")]
    assert len(records) >= 2
    assert not [path for path in records if "hidden" in path.read_text()]
