"""The scan on made-up sets of real photographs: each kind of copy, and none where none is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ndr.data.leaks import scanned_set
from ndr.data.leaks.__main__ import main
from ndr.data.leaks.scan import scan
from ndr.records.leak_findings import (
    IDENTICAL,
    NEAR_DUPLICATE,
    Comparison,
    LeakFindings,
    Match,
)
from tests.data.leaks.leaked_sets import (
    FILES,
    as_jpeg,
    clean_only,
    hazy,
    noisy,
    photograph,
    resized,
    write_set,
)

OTHERS = ("rocket", "flower", "grace")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., LeakFindings]:
    """Scan sets in the test's folder."""

    def scanned(train: list[str], test: list[str]) -> LeakFindings:
        return scan(tmp_path, train, test, tmp_path / "cache", workers=2)

    return scanned


def only_match(comparison: Comparison) -> Match:
    (match,) = comparison.matches
    return match


def test_identical_and_unrelated(tmp_path: Path, run) -> None:
    train = clean_only(a=photograph("coffee"), b=photograph("chelsea"), c=photograph("rocket"))
    write_set(tmp_path, "train", train)
    test = clean_only(x=photograph("china"), y=photograph("chelsea"), z=photograph("flower"))
    write_set(tmp_path, "test", test)
    findings = run(["train"], ["test"])
    (comparison,) = findings.trainings
    assert only_match(comparison) == Match(
        "y", "y", IDENTICAL, 1.0, "as it is", "clean = clean", ("b",)
    )
    assert (comparison.count(IDENTICAL), comparison.count(NEAR_DUPLICATE)) == (1, 0)
    assert comparison.share == pytest.approx(1 / 3)
    (facts,) = findings.test_sets
    assert (facts.leaked, facts.unleaked) == (("y",), ("x", "z"))
    assert (facts.images, facts.pictures, facts.scenes, facts.repeats) == (3, 3, 3, ())


@pytest.mark.parametrize(
    ("change", "orientation"),
    [
        (lambda image: as_jpeg(image, 30), "as it is"),
        (lambda image: image[:-1], "as it is"),
        (lambda image: image[1:, 1:], "as it is"),
        (lambda image: resized(image, 0.6), "as it is"),
        (lambda image: noisy(image, 25), "as it is"),
        (np.fliplr, "mirrored"),
        (np.flipud, "upside down"),
        (lambda image: image.transpose(1, 0, 2), "transposed"),
        (lambda image: as_jpeg(np.ascontiguousarray(np.rot90(image)), 60), "turned by 270 degrees"),
    ],
)
def test_near_duplicates(tmp_path: Path, run, change, orientation: str) -> None:
    """The copy is in the test set; what is said is how to turn it back."""
    write_set(tmp_path, "train", clean_only(**{name: photograph(name) for name in FILES}))
    copy = np.ascontiguousarray(change(photograph("astronaut")))
    write_set(tmp_path, "test", clean_only(copy=copy))
    match = only_match(run(["train"], ["test"]).trainings[0])
    assert (match.kind, match.orientation) == (NEAR_DUPLICATE, orientation)
    assert match.partners == ("astronaut",)
    assert 0.7 < match.score <= 1.0


def test_degraded_sides_are_compared_too(tmp_path: Path, run) -> None:
    coffee, china = photograph("coffee"), photograph("china")
    write_set(tmp_path, "train", {"hazy": {"clean": china, "degraded": hazy(china)}})
    # Test sets without ground truth, whose images are inputs or truths of the training.
    write_set(tmp_path, "input", {"x": {"degraded": hazy(china)}, "y": {"degraded": coffee}})
    write_set(tmp_path, "truth", {"x": {"degraded": china}})
    first, second = run(["train"], ["input", "truth"]).trainings
    assert (only_match(first).image, only_match(first).kind) == ("x", IDENTICAL)
    assert only_match(first).sides == "degraded = degraded"
    assert only_match(second).sides == "degraded = clean"


def test_a_scene_with_another_degradation_is_the_same_picture(tmp_path: Path, run) -> None:
    """Several hazy versions of a clean image: all are named, the image counts once."""
    china = photograph("china")
    hazes = {f"0001_{n}": {"clean": china, "degraded": np.uint8(china // 2 + n)} for n in (1, 99)}
    train = {"0000_1": {"clean": photograph("rocket"), "degraded": hazy(photograph("rocket"))}}
    write_set(tmp_path, "ots", train | hazes)
    write_set(tmp_path, "sots", {"0001_5": {"clean": as_jpeg(china, 60), "degraded": hazy(china)}})
    (comparison,) = run(["ots"], ["sots"]).trainings
    assert set(only_match(comparison).partners) == set(hazes)
    assert comparison.share == 1


def test_repeated_scenes_of_a_test_set(tmp_path: Path, run) -> None:
    """Equal truths, a trimmed truth, and a scene that only the manifest knows."""
    coffee, grace = photograph("coffee"), photograph("grace")
    rows = {
        "r1": {"clean": coffee, "degraded": noisy(coffee, 9)},
        "r2": {"clean": grace, "degraded": noisy(grace, 9)},
        "r3": {"clean": coffee, "degraded": hazy(coffee)},
        "r4": {"clean": photograph("rocket"), "degraded": hazy(photograph("rocket"))},
        "r5": {"clean": photograph("flower"), "degraded": hazy(photograph("flower"))},
        "r6": {"clean": grace[1:, 1:], "degraded": hazy(grace[1:, 1:])},
        "r7": {"clean": photograph("china"), "degraded": hazy(photograph("china"))},
    }
    write_set(tmp_path, "rain", rows, scenes={"r4": "sea", "r5": "sea"})
    (facts,) = run([], ["rain"]).test_sets
    assert facts.repeats == (("r1", "r3"), ("r2", "r6"), ("r4", "r5"))
    assert (facts.images, facts.pictures, facts.scenes) == (7, 6, 4)
    assert facts.unleaked == tuple(rows)


def test_numbers_of_the_rain_benchmark(tmp_path: Path, run) -> None:
    """The logic behind 75, 25 and 91 on 8 pairs: 5 in training, 3 in the noise test set, 6 scenes.

    The pairs of the rain set repeat two photographs, as Rain100L repeats nine.
    """
    names = ["china", "coffee", "flower", "china", "grace", "coffee", "rocket", "chelsea"]
    rain = {
        f"rain-{n}": {"clean": photograph(name), "degraded": noisy(photograph(name), 5 + n)}
        for n, name in enumerate(names, 1)
    }
    write_set(tmp_path, "rain", rain)
    write_set(
        tmp_path, "bsd", clean_only(**{n: photograph(n) for n in ("china", "coffee", "flower")})
    )
    write_set(
        tmp_path, "cbsd", clean_only(**{n: photograph(n) for n in ("grace", "rocket", "chelsea")})
    )
    findings = run(["bsd"], ["rain", "cbsd"])
    in_bsd, cbsd_in_bsd = findings.trainings
    rain_in_cbsd, cbsd_in_rain = sorted(findings.tests, key=lambda found: found.other)
    assert (in_bsd.count(IDENTICAL), len(cbsd_in_bsd.matches)) == (5, 0)
    assert (rain_in_cbsd.other, rain_in_cbsd.test) == ("cbsd", "rain")
    assert {match.image for match in rain_in_cbsd.matches} == {"rain-5", "rain-7", "rain-8"}
    assert {match.image for match in cbsd_in_rain.matches} == {"grace", "rocket", "chelsea"}
    facts = findings.facts("rain")
    assert facts is not None
    assert (len(facts.leaked), len(facts.unleaked), facts.scenes) == (5, 3, 6)
    assert findings.leaked_from("rain", ["bsd"]) == set(facts.leaked)
    assert findings.leaked_from("rain", ["cbsd"]) == frozenset()


def test_name_clashes(tmp_path: Path, run) -> None:
    """An example folder with test images under their names; and equal numbers by chance."""
    example = {
        "0001_0.8": {"clean": photograph("china"), "degraded": hazy(photograph("china"))},
        "0002_0.8": {"clean": photograph("coffee"), "degraded": hazy(photograph("coffee"))},
        "0007_0.8": {"clean": photograph("rocket"), "degraded": hazy(photograph("rocket"))},
    }
    test = {
        "0001_0.9": {"clean": photograph("china"), "degraded": hazy(photograph("china"))},
        "0002_0.8": {"clean": photograph("grace"), "degraded": hazy(photograph("grace"))},
        "0003_0.8": {"clean": photograph("flower"), "degraded": hazy(photograph("flower"))},
    }
    write_set(tmp_path, "example", example, scenes={name: name[:4] for name in example})
    write_set(tmp_path, "sots", test, scenes={name: name[:4] for name in test})
    (comparison,) = run(["example"], ["sots"]).trainings
    found = [(c.image, c.partner, c.same_picture) for c in comparison.name_clashes]
    assert found == [("0001_0.9", "0001_0.8", True), ("0002_0.8", "0002_0.8", False)]
    assert only_match(comparison).image == "0001_0.9"


def test_flat_pictures_match_only_by_pixels(tmp_path: Path, run) -> None:
    grey = np.full((40, 60, 3), 90, dtype=np.uint8)
    write_set(tmp_path, "train", clean_only(a=grey, b=np.full_like(grey, 91)))
    write_set(tmp_path, "test", clean_only(x=grey, y=np.full_like(grey, 99)))
    assert only_match(run(["train"], ["test"]).trainings[0]).partners == ("a",)


def test_the_second_scan_decodes_nothing(
    tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path, "train", clean_only(a=photograph("coffee")))
    write_set(tmp_path, "test", clean_only(x=photograph("coffee"), y=photograph("grace")))
    first = run(["train"], ["test"])

    def refuse(path: Path) -> np.ndarray:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(scanned_set, "read_rgb", refuse)
    assert run(["train"], ["test"]) == first
    write_set(tmp_path, "test", clean_only(x=photograph("rocket")))
    with pytest.raises(AssertionError, match=r"x\.png was read"):
        run(["train"], ["test"])


def test_a_scan_that_is_cut_off_goes_on(
    tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanned_set, "PICTURES_PER_FILE", 2)
    write_set(tmp_path, "test", clean_only(**{name: photograph(name) for name in list(FILES)[:5]}))
    broken = tmp_path / "test" / "clean" / f"{list(FILES)[4]}.png"
    content = broken.read_bytes()
    broken.write_bytes(content[:100])
    with pytest.raises(ValueError, match="truncated or damaged"):
        run([], ["test"])
    assert len(list((tmp_path / "cache").iterdir())) == 2
    broken.write_bytes(content)
    run([], ["test"])
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path, "train", clean_only(a=photograph("coffee")))
    write_set(tmp_path, "test", clean_only(x=photograph("coffee"), y=photograph("grace")))
    out = tmp_path / "results" / "leaks.json"
    options = ["--sets", str(tmp_path), "--cache", str(tmp_path / "cache"), "--out", str(out)]
    main([*options, "--train", "train", "--test", "test"])
    printed = capsys.readouterr().out
    assert "test in train: 1 of 2 images (1 identical, 0 near duplicates)" in printed
    assert "test: 2 of 2 images, 2 pictures, 2 scenes, 1 in training sets" in printed
    findings = LeakFindings.read(out)
    assert findings == scan(tmp_path, ["train"], ["test"], tmp_path / "cache", workers=1)
    with pytest.raises(SystemExit, match="no such manifest; prepare the set first"):
        main([*options, "--train", "tarin", "--test", "test"])
    with pytest.raises(SystemExit):
        main([*options, "--test", "test", "--workers", "0"])


def test_a_changed_file_is_not_scanned(tmp_path: Path, run) -> None:
    write_set(tmp_path, "test", clean_only(x=photograph("coffee")))
    other = write_set(tmp_path, "other", clean_only(x=photograph("grace"))).parent
    (other / "clean" / "x.png").replace(tmp_path / "test" / "clean" / "x.png")
    with pytest.raises(ValueError, match="changed since its set was prepared"):
        run([], ["test"])
