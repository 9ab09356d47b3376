"""The pairing rules of the published sets (see config/datasets.yaml) on made-up file names."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path

import pytest

from ndr.data.catalogue import Catalogue, FolderSet, Layout, load_catalogue
from ndr.data.folder_set import found_pairs
from ndr.data.manifest import safe_name
from ndr.data.pairing import PairingError, find_pairs, layout_is_there
from tests.conftest import REPOSITORY

CONFIG = REPOSITORY / "config" / "datasets.yaml"
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
    "cbsd68": {"CBSD68-dataset-master/CBSD68/original_png/0000.png": ("0000", "0000")},
    "bsds500_val": {"BSDS500-master/BSDS500/data/images/val/3096.jpg": ("3096", "3096")},
    "urban100": {
        "Urban100_HR/img_001.png": ("img_001", "001"),
        "Urban100_HR/img_100.png": ("img_100", "100"),
    },
    "div2k_train": {
        "DIV2K_train_LR_bicubic/X2/0750x2.png DIV2K_train_HR/0750.png": ("0750", "0750"),
    },
    "div2k_test": {
        "DIV2K_train_LR_bicubic/X2/0751x2.png DIV2K_train_HR/0751.png": ("0751", "0751"),
        "DIV2K_train_LR_bicubic/X2/0800x2.png DIV2K_train_HR/0800.png": ("0800", "0800"),
    },
    "sidd": {
        "SIDD_Small_sRGB_Only/Data/0001_001_S6_00100_00060_3200_L/NOISY_SRGB_010.PNG -": (
            *("0001_001_S6_00100_00060_3200_L",) * 2,
        ),
        "SIDD_Small_sRGB_Only/Data/0002_001_S6_00100_00020_3200_N/0002_NOISY_SRGB_010.PNG -": (
            *("0002_001_S6_00100_00020_3200_N",) * 2,
        ),
    },
    "jorder_practical": {"practical/3.jpg -": ("3", "3")},
    "rtts": {"RTTS/JPEGImages/AM_Bing_211.png -": ("AM_Bing_211", "AM_Bing_211")},
    "msec_train": {
        "t/INPUT_IMAGES/a0001-jmac_DSC1459_N1.5.JPG t/GT_IMAGES/a0001-jmac_DSC1459.jpg": (
            "a0001-jmac_DSC1459_N1.5",
            "a0001-jmac_DSC1459",
        ),
    },
    "msec_test": {
        "t/INPUT_IMAGES/a4747-_MG_9562_0.JPG t/expert_c_testing_set/a4747-_MG_9562.jpg": (
            "a4747-_MG_9562_0",
            "a4747-_MG_9562",
        ),
        "t/INPUT_IMAGES/a4747-_MG_9562_P1.JPG t/expert_c_testing_set/a4747-_MG_9562.jpg": (
            "a4747-_MG_9562_P1",
            "a4747-_MG_9562",
        ),
    },
    "sots_indoor_train": {
        "SOTS/indoor/hazy/1407_3.png SOTS/indoor/gt/1407.png": ("1407_3", "1407")
    },
    "sots_indoor_test": {
        "SOTS/indoor/hazy/1400_10.png SOTS/indoor/gt/1400.png": ("1400_10", "1400")
    },
    "polyu": {
        "P/CroppedImages/Canon5D2_chair_11_real.JPG P/CroppedImages/Canon5D2_chair_11_mean.JPG": (
            *("Canon5D2_chair_11",) * 2,
        ),
    },
    "ccnoise": {
        "R/Real_ccnoise_denoised_part/d6_1_real.png R/Real_ccnoise_denoised_part/d6_1_mean.png": (
            *("d6_1",) * 2,
        ),
    },
    "rni15": {"FFDNet/testsets/RNI15/Dog.png -": ("Dog", "Dog")},
    "kodak24": {"kodim01.png": ("01", "01")},
    "msec_examples": {
        "E/example_images/Roland~Tanglao-CC~BY.jpg -": (*("Roland_Tanglao-CC_BY",) * 2,),
    },
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
    for name in " ".join(names).replace(" -", "").split():
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
    found = {pair.name: pair for pair in found_pairs(entry, tmp_path, layout)}
    assert len(found) == len(files)
    for both, (image, scene) in files.items():
        *degraded, clean = both.split()
        assert found[image].scene == scene
        assert found[image].clean == (tmp_path / clean if entry.reference else None)
        assert found[image].degraded == (tmp_path / degraded[0] if degraded else None)


def test_haze_parameters_come_from_the_name(catalogue: Catalogue, tmp_path: Path) -> None:
    make(tmp_path, "hazy/0001_0.85_0.2.jpg", "gt/0001.png")
    entry = catalogue.entry("sots_outdoor")
    (pair,) = find_pairs(tmp_path, entry.layouts[0], entry.name)
    assert pair.parameters == '{"airlight": 0.85, "beta": 0.2}'


def test_exposure_values_come_from_the_name(catalogue: Catalogue, tmp_path: Path) -> None:
    levels = {"N1.5": -1.5, "N1": -1, "0": 0, "P1": 1, "P1.5": 1.5}
    make(tmp_path, "GT_IMAGES/a1-x.jpg", *(f"INPUT_IMAGES/a1-x_{text}.JPG" for text in levels))
    entry = catalogue.entry("msec_train")
    pairs = found_pairs(entry, tmp_path, entry.layouts[0])
    values = {pair.name: json.loads(pair.parameters)["ev"] for pair in pairs}
    assert values == {f"a1-x_{text}": value for text, value in levels.items()}


def test_a_value_that_is_no_number_is_named(tmp_path: Path) -> None:
    make(tmp_path, "hazy/0001_x.jpg", "gt/0001.png")
    layout = Layout(
        clean=("gt/*",),
        degraded=("hazy/*",),
        clean_name=r"(?P<key>\d+)",
        degraded_name=r"(?P<key>\d+)_(?P<beta>.+)",
    )
    with pytest.raises(PairingError, match=r"0001_x\.jpg: beta .* expected a number, found 'x'"):
        find_pairs(tmp_path, layout)
    with pytest.raises(PairingError, match=r"expected low, high, found 'x'"):
        find_pairs(tmp_path, layout, values={"beta": {"low": 0.1, "high": 1}})


def test_files_with_keys_of_another_set_are_left_alone(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    for number in (1, 750, 751, 800):
        make(tmp_path, f"DIV2K_train_HR/{number:04d}.png")
        make(tmp_path, f"DIV2K_train_LR_bicubic/X2/{number:04d}x2.png")
    for name, expected in (("div2k_train", ["0001", "0750"]), ("div2k_test", ["0751", "0800"])):
        entry = catalogue.entry(name)
        pairs = found_pairs(entry, tmp_path, entry.layouts[0])
        assert [pair.name for pair in pairs] == expected


def test_keys_of_div2k_and_of_indoor_scenes_part_the_whole(catalogue: Catalogue) -> None:
    for names, keys in (
        (("div2k_train", "div2k_test"), [f"{number:04d}" for number in range(1, 801)]),
        (("sots_indoor_train", "sots_indoor_test"), [str(n) for n in range(1400, 1450)]),
    ):
        chosen = [
            [key for key in keys if re.fullmatch(catalogue.entry(name).keys, key)] for name in names
        ]
        assert sorted(chosen[0] + chosen[1]) == keys
        levels = 10 if "indoor" in names[0] else 1
        assert [levels * len(part) for part in chosen] == [
            catalogue.entry(name).expected for name in names
        ]


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


def test_what_systems_leave_in_folders_is_no_image(tmp_path: Path) -> None:
    """A Mac's `._x.png` would be an image without a partner, or no image at all."""
    make(tmp_path, *COMPLETE, "gt/._norain-1.png", "rainy/._rain-1.png", "rainy/.DS_Store")
    make(tmp_path, "__MACOSX/gt/norain-1.png", "gt/desktop.ini", "rainy/Thumbs.db")
    make(tmp_path, "gt/@eaDir/norain-1.png", "rainy/.rain-3.png")
    everything = Layout(
        clean=("**/gt/**/*",), degraded=("**/rainy/**/*",),
        clean_name=RAIN.clean_name, degraded_name=RAIN.degraded_name,
    )  # fmt: skip
    for layout in (RAIN, everything):
        pairs = find_pairs(tmp_path, layout)
        assert [pair.name for pair in pairs] == ["1", "2"]
    make(tmp_path / "empty", "gt/._norain-1.png", "rainy/Thumbs.db")
    assert not layout_is_there(tmp_path / "empty", everything)


OPEN = Layout(
    clean=("gt/*.png",), degraded=("rainy/*.png",),
    clean_name="(?P<key>.+)", degraded_name="(?P<key>.+)",
)  # fmt: skip
HINDI = "\u0928\u092e\u0938\u094d\u0924\u0947"
NAMES = ("\u6e05\u6668", "\u96e8\u591c", "café", "na\u00efve 2", HINDI, "plain")


def make_pairs(folder: Path, *names: str) -> None:
    for side in ("gt", "rainy"):
        (folder / side).mkdir(exist_ok=True)
        for name in names:
            (folder / side / f"{name}.png").touch()


def test_names_of_all_scripts_stay_distinct_and_readable(tmp_path: Path) -> None:
    make_pairs(tmp_path, *NAMES)
    names = {pair.name for pair in find_pairs(tmp_path, OPEN)}
    assert names == {name.replace(" ", "_") for name in NAMES}
    assert all(safe_name(name) == name for name in names)


def test_composed_and_decomposed_names_are_one(tmp_path: Path) -> None:
    """Macs store the letter and its accent apart."""
    composed, apart = "café", unicodedata.normalize("NFD", "café")
    make(tmp_path, f"gt/{composed}.png", f"rainy/{apart}.png")
    (pair,) = find_pairs(tmp_path, OPEN)
    assert pair.name == composed
    assert pair.degraded == tmp_path / "rainy" / f"{apart}.png"
    make(tmp_path, f"gt/{apart}.png")
    with pytest.raises(PairingError, match="are both the clean image"):
        find_pairs(tmp_path, OPEN)


def test_names_of_signs_alone_and_names_that_become_one(tmp_path: Path) -> None:
    make_pairs(tmp_path, "#", "\u2602")
    names = [pair.name for pair in find_pairs(tmp_path, OPEN)]
    assert len(set(names)) == 2
    assert all(re.fullmatch("image-[0-9a-f]{8}", name) for name in names)
    make_pairs(tmp_path, "a b", "a_b")
    with pytest.raises(PairingError, match="both the image 'a_b'; remove or rename one"):
        find_pairs(tmp_path, OPEN)


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    make(tmp_path, "gt/a.png", "rainy/a.png")
    with open(os.fsencode(tmp_path / "gt") + b"/\xff\xfe.png", "wb"):
        pass
    with pytest.raises(PairingError, match=r"udcff.*no UTF-8; rename the file"):
        find_pairs(tmp_path, OPEN)


def test_folders_and_other_files_are_no_images(tmp_path: Path) -> None:
    make(tmp_path, *COMPLETE, "gt/Thumbs.db", "readme.txt")
    (tmp_path / "gt" / "folder.png").mkdir()
    assert len(find_pairs(tmp_path, RAIN)) == 2
