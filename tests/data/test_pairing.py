"""The pairing rules of the published sets (see config/datasets.yaml) on made-up file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndr.data.catalogue import Catalogue, FolderSet, Layout, load_catalogue
from ndr.data.pairing import PairingError, find_pairs, layout_is_there

CONFIG = Path(__file__).resolve().parents[2] / "config" / "datasets.yaml"
PUBLISHED = {
    "rain100l_train": {
        "rainy/rain-1.png gt/norain-1.png": ("rain-1", "1"),
        "rainy/rain-200.png gt/norain-200.png": ("rain-200", "200"),
    },
    "rain100l_test": {
        "input/7.png target/7.png": ("rain-7", "7"),
        "input/100.png target/100.png": ("rain-100", "100"),
    },
    "ots": {
        "part1/0025_0.8_0.04.jpg clear/0025.jpg": ("0025_0.8_0.04", "0025"),
        "part1/0025_1_0.2.jpg clear/0025.jpg": ("0025_1_0.2", "0025"),
        "part4/8961_0.95_0.12.jpg clear/8961.png": ("8961_0.95_0.12", "8961"),
    },
    "sots_outdoor": {
        "hazy/0001_0.8_0.2.jpg gt/0001.png": ("0001_0.8_0.2", "0001"),
        "hazy/1994_1_0.08.jpg clear/1994.png": ("1994_1_0.08", "1994"),
    },
    "bsd400": {
        "BSDS500/data/images/train/2092.jpg": ("2092", "2092"),
        "BSDS500/data/images/test/100007.jpg": ("100007", "100007"),
    },
    "wed": {"pristine_images/00001.bmp": ("00001", "00001")},
    "cbsd68": {"original_png/0000.png": ("0000", "0000")},
}
MIRRORED = {
    "rain100l_train": {
        "train/degraded/rain-2.png train/clean/norain-2.png": ("rain-2", "2"),
    },
    "rain100l_test": {
        "test/degraded/rain-002.png test/clean/norain-002.png": ("rain-2", "2"),
        "test/degraded/rain-010.png test/clean/norain-010.png": ("rain-10", "10"),
    },
    "sots_outdoor": {
        "test/degraded/0002_0.8_0.08.jpg test/clean/0002.png": ("0002_0.8_0.08", "0002"),
    },
    "bsd400": {"train/clean/100039.jpg": ("100039", "100039")},
    "bsds500_train": {"train/clean/100039.jpg": ("100039", "100039")},
    "cbsd68": {"test/clean/101085.png": ("101085", "101085")},
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(CONFIG)


def make(root: Path, *names: str) -> None:
    for name in " ".join(names).split():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def layout_of(entry: FolderSet, root: Path, mirrored: bool) -> Layout:
    matching = [
        layout
        for layout in entry.layouts
        if bool(layout.dataset) == mirrored and layout_is_there(root, layout)
    ]
    assert matching, f"no layout knows {sorted(root.rglob('*.*'))}"
    return matching[0]


@pytest.mark.parametrize(
    ("name", "files", "mirrored"),
    [(name, files, False) for name, files in PUBLISHED.items()]
    + [(name, files, True) for name, files in MIRRORED.items()],
)
def test_published_names_are_paired(
    catalogue: Catalogue, tmp_path: Path, name: str, files: dict, mirrored: bool
) -> None:
    make(tmp_path, *files)
    entry = catalogue.entry(name)
    layout = layout_of(entry, tmp_path, mirrored)
    found = {pair.name: pair for pair in find_pairs(tmp_path, layout, entry.name, entry.scene)}
    assert len(found) == len(files)
    for both, (image, scene) in files.items():
        *degraded, clean = both.split()
        assert found[image].scene == scene
        assert found[image].clean == tmp_path / clean
        assert found[image].degraded == (tmp_path / degraded[0] if degraded else None)


def test_haze_parameters_come_from_the_name(catalogue: Catalogue, tmp_path: Path) -> None:
    make(tmp_path, "hazy/0001_0.85_0.2.jpg", "gt/0001.png")
    entry = catalogue.entry("sots_outdoor")
    (pair,) = find_pairs(tmp_path, entry.layouts[0], entry.name)
    assert pair.parameters == '{"airlight": 0.85, "beta": 0.2}'


RAIN = Layout(
    clean=("gt/*.png",),
    degraded=("rainy/*.png",),
    clean_name=r"norain-0*(?P<key>\d+)",
    degraded_name=r"rain-0*(?P<key>\d+)",
)
COMPLETE = ("rainy/rain-1.png", "gt/norain-1.png", "rainy/rain-2.png", "gt/norain-2.png")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (COMPLETE[:3], r"rain-2\.png: its clean partner '2' is missing.*gt/\*\.png.*copy"),
        ((*COMPLETE[:2], "gt/norain-2.png"), r"norain-2\.png: its degraded partner is missing"),
        ((*COMPLETE, "gt/norain-02.png"), r"norain-2\.png and .*norain-02\.png are both"),
        ((*COMPLETE, "rainy/rain-02.png"), r"rain-2\.png and .*rain-02\.png are both"),
        ((*COMPLETE, "rainy/copy.png"), r"rainy/copy\.png: expected a name like .* found 'copy'"),
        ((*COMPLETE, "gt/rain-3.png"), r"gt/rain-3\.png: expected a name like"),
    ],
)
def test_broken_pairs_are_named(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    make(tmp_path, *files)
    with pytest.raises(PairingError, match=message):
        find_pairs(tmp_path, RAIN)


def test_numbers_are_ordered_by_value(tmp_path: Path) -> None:
    for number in (10, 9, 100, 1):
        make(tmp_path, f"rainy/rain-{number}.png", f"gt/norain-{number}.png")
    names = [pair.name for pair in find_pairs(tmp_path, RAIN, "rain-{key}")]
    assert names == ["rain-1", "rain-9", "rain-10", "rain-100"]


def test_folders_and_other_files_are_no_images(tmp_path: Path) -> None:
    make(tmp_path, *COMPLETE, "gt/Thumbs.db", "readme.txt")
    (tmp_path / "gt" / "folder.png").mkdir()
    assert len(find_pairs(tmp_path, RAIN)) == 2
