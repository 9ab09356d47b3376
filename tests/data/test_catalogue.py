from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from ndr.data.catalogue import (
    FolderSet,
    PackagedSet,
    SynthesisedSet,
    load_catalogue,
)
from ndr.data.manifest import Manifest
from ndr.degradations.synthesis import KINDS
from ndr.nearest_name import UnknownNameError
from ndr.specs.typed_file import SpecError
from tests.conftest import REPOSITORY

ROOT = REPOSITORY
COMMITTED = ROOT / "config" / "datasets.yaml"


def edited(project, old: str, new: str):
    text = project.config.read_text()
    assert old in text
    project.config.write_text(text.replace(old, new, 1))
    return project.catalogue


# ---- The committed catalogue ----


def test_every_set_that_plans_name_is_there() -> None:
    names = set(load_catalogue(COMMITTED).entries)
    variants = ("x2", "sigma15_x2", "sigma25_x2", "sigma50_x2", "rain_x2", "haze_x2")
    assert names >= {
        *("smoke_train", "photographs_test"),
        *("bsd400", "wed", "cbsd68", "urban100", "rain100l_train", "rain100l_test", "ots"),
        *("sots_outdoor", "div2k_train", "div2k_test", "sidd", "jorder_practical", "rtts"),
        *("msec_train", "msec_test"),
        *("bsds500_train", "bsds500_val", "sots_indoor_train", "sots_indoor_test", "polyu"),
        *("ccnoise", "rni15", "kodak24", "set5", "urban100_crops", "div2k_crops", "real_rain"),
        *("real_haze", "msec_examples"),
        *("bsd400_no_leak", "wed_no_leak", "bsds500_train_no_leak"),
        *("sots_mixed", "ots_mixed", "rain100l_test_x2", "sots_outdoor_x2", "cbsd68_sigma15_x2"),
        *("cbsd68_sigma25_x2", "cbsd68_sigma50_x2", "bsds500_mixed_train"),
        *("bsds500_exposure_train", "cbsd68_exposure", "urban100_crops_x2", "div2k_crops_x2"),
        *("cbsd68_x2", "photographs_urban_test"),
        *(
            part.format(task)
            for part in ("photographs_{}_test", "smoke_{}_test", "smoke_{}_train")
            for task in ("rain", "haze", "mixed", "exposure")
        ),
        *(f"{tier}_{x2}_test" for tier in ("photographs", "smoke") for x2 in variants),
    }


def test_every_set_of_the_tiers_is_in_the_catalogue() -> None:
    names = set(load_catalogue(COMMITTED).entries)
    for tier in sorted((ROOT / "config" / "tiers").glob("*.yaml")):
        content = yaml.safe_load(tier.read_text())
        used = {name for sets in content.get("train_sets", {}).values() for name in sets}
        used |= {test_set["set"] for test_set in content["test_sets"].values()}
        assert used <= names, tier


def test_published_counts_are_those_of_the_protocol() -> None:
    entries = load_catalogue(COMMITTED).entries
    counts = {name: e.expected for name, e in entries.items() if isinstance(e, FolderSet)}
    assert counts == {
        "bsd400": 400,
        "wed": 4744,
        "cbsd68": 68,
        "urban100": 100,
        "rain100l_train": 200,
        "rain100l_test": 100,
        "ots": 72135,
        "sots_outdoor": 500,
        "div2k_train": 750,
        "div2k_test": 50,
        "sidd": 160,
        "jorder_practical": 15,
        "rtts": 4322,
        "msec_train": 17675,
        "msec_test": 5905,
        "bsds500_train": 362,
        "bsds500_val": 32,
        "sots_indoor_train": 30,
        "sots_indoor_test": 470,
        "polyu": 100,
        "ccnoise": 15,
        "rni15": 15,
        "kodak24": 24,
        "set5": 5,
        "urban100_crops": 100,
        "div2k_crops": 100,
        "real_rain": 147,
        "real_haze": 36,
        "msec_examples": 22,
    }
    assert entries["msec_train"].also_expected == (17680,)
    clean = {name: e.expected_clean for name, e in entries.items() if name in ("ots", "msec_test")}
    assert clean == {"ots": 2061, "msec_test": 1181}
    assert entries["sots_outdoor"].expected_clean == 492


def test_published_sets_say_their_terms_and_where_they_come_from() -> None:
    catalogue = load_catalogue(COMMITTED)
    for name, entry in catalogue.entries.items():
        if isinstance(entry, FolderSet):
            assert entry.terms in catalogue.terms, name
            assert entry.downloads, name
            assert entry.published, name
            assert entry.attribution, name
    used = {entry.terms for entry in catalogue.entries.values() if isinstance(entry, FolderSet)}
    # The others are of packages that a method or a metric runs.
    run = {name for name, terms in catalogue.terms.items() if terms.methods or terms.metrics}
    assert run == {"bm3d_non_commercial", "pyiqa_non_commercial"}
    assert used | run == set(catalogue.terms)
    assert not used & run


def test_published_checksums_are_those_of_the_protocol() -> None:
    files = {
        file.file: (file.bytes, file.sha256)
        for file in load_catalogue(COMMITTED).entries["div2k_train"].downloads
    }
    assert files == {
        "DIV2K_train_HR.zip": (
            3530603713,
            "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
        ),
        "DIV2K_train_LR_bicubic_X2.zip": (
            925390592,
            "a53a424317575838dadce4bcd97cf7b744d6855f43740ed5f0245af3cf4bd850",
        ),
    }


def test_sets_of_one_archive_share_the_download() -> None:
    entries = load_catalogue(COMMITTED).entries
    for first, second in (
        ("bsd400", "bsds500_train"),
        ("bsd400", "bsds500_val"),
        ("rain100l_train", "rain100l_test"),
        ("div2k_train", "div2k_test"),
        ("sots_indoor_train", "sots_indoor_test"),
        ("urban100_crops", "div2k_crops"),
    ):
        assert entries[first].downloads == entries[second].downloads
        assert all(file.shared for file in entries[first].downloads)


def test_degradations_of_the_catalogue_exist_and_training_never_sees_a_test_image() -> None:
    catalogue = load_catalogue(COMMITTED)
    for name, entry in catalogue.entries.items():
        if isinstance(entry, SynthesisedSet):
            assert entry.degradation in KINDS, name
            assert name.endswith("_train") == entry.source.endswith("_train"), name
    train, test = (
        {row.clean_pixels_sha256 for row in Manifest.read(catalogue.committed_manifest(n)).rows}
        for n in ("smoke_train", "photographs_test")
    )
    assert len(train) == 2
    assert len(test) == 17
    assert not train & test


def test_committed_manifests_hold_no_path_of_a_machine() -> None:
    catalogue = load_catalogue(COMMITTED)
    paths = sorted(catalogue.manifests.glob("*.csv"))
    assert len(paths) >= 4
    for path in paths:
        entry = catalogue.entry(path.stem)
        rows = Manifest.read(path).rows
        for row in rows:
            if isinstance(entry, PackagedSet):
                assert row.clean == f"package:{entry.images[row.name]}"
            else:
                assert "/" not in row.clean + row.degraded
        assert len(rows) == len(
            entry.images if isinstance(entry, PackagedSet) else [0] * entry.expected
        )


def test_attributions_name_the_cc_by_photographs_once() -> None:
    catalogue = load_catalogue(COMMITTED)
    lines = catalogue.attributions(
        ["photographs_test", "photographs_rain_test", "photographs_haze_test", "cbsd68"]
    )
    assert len(lines) == len(set(lines))
    text = "\n".join(lines)
    for words in (
        r"china\.jpg.*danielbuechele.*CC BY 2\.0",
        r"flower\.jpg.*vultilion.*CC BY 2\.0",
        r"stream.*Aitzol Berasategi.*CC BY 4\.0.*creativecommons\.org.*reduced and cropped",
    ):
        assert re.search(words, text)
    assert "Berkeley" in text
    assert "hubble" not in text
    assert catalogue.attributions(["smoke_rain_test"]) == catalogue.attributions(
        ["photographs_test"]
    )


def test_import_is_light() -> None:
    program = (
        "import sys, ndr.data.catalogue\n"
        "heavy = {'torch', 'pandas', 'skimage', 'numpy', 'scipy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_reading_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read each time that Snakemake parses the workflow: once, by the parser written in C."""
    loaders = []
    load = yaml.load

    def counted(text: str, Loader: type) -> object:  # noqa: N803
        loaders.append(Loader)
        return load(text, Loader=Loader)

    monkeypatch.setattr(yaml, "load", counted)
    load_catalogue(COMMITTED)
    assert loaders == [yaml.CSafeLoader]


# ---- Identity ----


def test_identity_follows_what_can_change_a_pixel(project) -> None:
    names = ("tiny", "tiny_rain", "tiny_pairs")
    before = {name: project.catalogue.identity(name, 9) for name in names}
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in before.values())
    assert before["tiny"] == Manifest.read(project.catalogue.committed_manifest("tiny")).sha256
    assert project.catalogue.identity("tiny_rain", 10) != before["tiny_rain"]
    assert project.catalogue.identity("tiny", 10) == before["tiny"]

    words = edited(project, "title: rain,", "title: streaks of rain,")
    assert {name: words.identity(name, 9) for name in names} == before
    real = edited(project, "variants: 2", "variants: 3")
    assert real.identity("tiny_rain", 9) != before["tiny_rain"]
    assert real.identity("tiny", 9) == before["tiny"]
    counted = edited(project, "expected: 3", "expected: 4")
    assert counted.identity("tiny_pairs", 9) != before["tiny_pairs"]


def test_identity_of_a_synthesis_follows_its_source(project) -> None:
    before = project.catalogue.identity("tiny_rain", 9)
    manifest = project.catalogue.committed_manifest("tiny")
    manifest.write_text(manifest.read_text().replace("apple,apple", "apple,apple_tree"))
    assert project.catalogue.identity("tiny_rain", 9) != before


def test_a_packaged_set_needs_its_committed_manifest(project) -> None:
    project.catalogue.committed_manifest("tiny").unlink()
    with pytest.raises(FileNotFoundError, match=r"sample_photographs --write"):
        project.catalogue.identity("tiny", 9)


# ---- Bad input ----


def test_unknown_set_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cbsd68'"):
        load_catalogue(COMMITTED).entry("cbsd86")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("variants: 2", "variant: 2", r"tiny_rain.*unknown key 'variant'.*'variants'"),
        ("variants: 2", "variants: 0", r"tiny_rain\.variants: expected at least 1, found 0"),
        ("from: tiny, degradation: rain", "from: tinny, degradation: rain", r"did you mean 'tiny'"),
        ("from: tiny, degradation: rain", "from: tiny_rain, degradation: rain", "made from itself"),
        ("kind: packaged", "kind: packed", r"tiny.*'packaged', 'synthesised', 'subset', 'folder'"),
        ("  tiny:", "  Tiny:", r"set 'Tiny': expected lower-case"),
        ("degraded: [", "degradd: [", r"unknown key 'degradd'.*'degraded'"),
        (r"norain-0*(?P<key>\d+)", r"norain-0*(\d+)", r"has no group \(\?P<key>"),
        (r"norain-0*(?P<key>\d+)", r"norain-0*(?P<key>\d+", "no regular expression"),
        (
            'name: "rain-{key}"',
            'name: "rain-{kay}"',
            r"unknown group in 'rain-\{kay\}' 'kay'.*'key'",
        ),
        (
            "expected: 3",
            "expected: many",
            r"tiny_pairs\.expected: .* whole number, found 'many'",
        ),
        ("variants: 2", "disparity: {a: {file: x/y, sha256: '0'}}", r"disparity.*sha256"),
        ("sets:", "sets: [", "no valid YAML"),
        ("licence: none", "", r"expected the key 'licence'"),
    ],
)
def test_mistakes_are_named_with_the_file(project, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        edited(project, old, new)
    assert str(project.config) in str(caught.value)


@pytest.mark.parametrize("values", ["3", "[]"])
def test_a_cycle_is_a_list(project, values: str) -> None:
    with pytest.raises(SpecError, match="angle_cycle: expected a list of values"):
        edited(project, "variants: 2", f"parameters: {{angle_cycle: {values}}}")


def test_disparity_serves_haze_only(project) -> None:
    disparity = "variants: 2, disparity: {apple: {file: x/y, sha256: '" + "0" * 64 + "'}}"
    with pytest.raises(SpecError, match="disparity serves haze, not 'rain'"):
        edited(project, "variants: 2", disparity)
