from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ndr.data.image_files import write_png
from ndr.data.manifest import Manifest
from ndr.data.pairs import PairedSet
from ndr.data.prepare import main
from ndr.specs.run_spec import TestSetSpec
from tests.conftest import REPOSITORY
from tests.data.textured_images import textured_image

ROOT = REPOSITORY


def start(project, name: str) -> subprocess.Popen:
    arguments = ["--set", name, "--catalogue", str(project.config), "--suite-seed", "9"]
    path = os.pathsep.join([str(ROOT), str(project.package_folder.parent)])
    return subprocess.Popen(
        [sys.executable, "-m", "ndr.data.prepare", *arguments, "--sets", str(project.places.sets)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_names_of_other_scripts_come_back_in_files_and_numbers(project, tmp_path) -> None:
    """A set of two names that used to become one empty name, from its files to its pictures."""
    from ndr.records.per_image import scores_text
    from tests.evaluation.small_evaluations import evaluated, evaluation_spec

    text = project.config.read_text().replace("norain-0*(?P<key>\\d+)", "(?P<key>.+)")
    text = text.replace("rain-0*(?P<key>\\d+)", "(?P<key>.+)").replace('"rain-{key}"', '"{key}"')
    project.config.write_text(text)
    names = ["\u6e05\u6668", "\u96e8\u591c", "café"]
    folder = project.places.originals / "tiny_pairs"
    for seed, name in enumerate(names):
        image = textured_image(seed, 20, 24)
        write_png(folder / "gt" / f"{name}.png", image)
        write_png(folder / "rainy" / f"{name}.png", image // 2)
    project.prepare("tiny_pairs")
    manifest = Manifest.read(project.places.sets / "tiny_pairs" / "manifest.csv")
    assert sorted(row.name for row in manifest.rows) == sorted(names)
    test_set = TestSetSpec("rain", "rain", "tiny_pairs", manifest.notes["identity"])
    spec = evaluation_spec(test_sets=(test_set,), pictures=3)
    result = evaluated(spec, project.places.sets, tmp_path / "pictures")
    written = {path.stem for path in (tmp_path / "pictures" / "rain").iterdir()}
    assert written == {score.image for score in result.scores} == set(names)
    assert all(f",{name}," in scores_text(result.scores) for name in names)


def test_names_of_files_do_not_command_the_terminal(project) -> None:
    folder = project.places.originals / "tiny_pairs"
    write_png(folder / "gt" / "a\x1b[2J.png", textured_image(1, 20, 24))
    arguments = ["--set", "tiny_pairs", "--catalogue", str(project.config), "--suite-seed", "9"]
    arguments += ["--sets", str(project.places.sets), "--originals", str(project.places.originals)]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert "a\ufffd[2J.png: expected a name like" in str(caught.value)


def test_images_that_some_protocols_cannot_measure_are_told(project, caplog) -> None:
    """Before anything is trained for them."""
    folder = project.places.originals / "tiny_pairs"
    for side, told in ((16, False), (15, True)):
        for number in (1, 2, 3):
            height = side if number == 2 else 40
            image = textured_image(number, height, 20)
            write_png(folder / "gt" / f"norain-{number}.png", image)
            write_png(folder / "rainy" / f"rain-{number}.png", image // 2)
        project.prepare("tiny_pairs")
        words = "1 of 3 images are smaller than 16 pixels, first rain-2 (20x15)"
        assert (words in caplog.text) == told


def test_a_kill_leaves_no_manifest_and_a_rerun_completes(project) -> None:
    text = project.config.read_text()
    project.config.write_text(text.replace("variants: 2", "variants: 20"))
    project.prepare("tiny")
    expected = project.prepare("tiny_rain").text()
    folder = project.places.sets / "tiny_rain"

    # The manifest of the earlier, complete set is there: it must not survive the kill either.
    shutil.rmtree(folder / "degraded")
    process = start(project, "tiny_rain")
    deadline = time.monotonic() + 60
    while (folder / "manifest.csv").exists() or len(list(folder.glob("degraded/*.png"))) < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert len(list(folder.glob("degraded/*.png"))) < 60, "the kill came in the middle"
    assert not (folder / "manifest.csv").exists()
    with pytest.raises(FileNotFoundError, match="prepare the set first"):
        PairedSet(project.places.sets, "tiny_rain")

    process = start(project, "tiny_rain")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert Manifest.read(folder / "manifest.csv").text() == expected
    assert len(PairedSet(project.places.sets, "tiny_rain")) == 60
    left = [path.name for path in folder.rglob("*") if "partial" in path.name]
    assert left == [], "files of the killed process are gone"


def test_fewer_images_leave_no_files_of_the_earlier_set(project) -> None:
    project.prepare("tiny")
    project.prepare("tiny_rain")
    project.config.write_text(project.config.read_text().replace("variants: 2", "variants: 1"))
    project.prepare("tiny_rain")
    files = sorted(path.name for path in (project.places.sets / "tiny_rain/degraded").iterdir())
    assert files == ["apple.png", "bridge.png", "cloud.png"]


def test_preparing_twice_writes_the_same_bytes(project) -> None:
    folder = project.places.sets
    for name in ("tiny", "tiny_haze"):
        project.prepare(name)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in ("tiny", "tiny_haze"):
        project.prepare(name)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
