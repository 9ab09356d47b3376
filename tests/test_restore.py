"""The command: photographs in, restored photographs out, one clear line for each refusal."""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ndr.checkpoint import write_checkpoint
from ndr.photos.photo_reading import Photo, read_photo
from ndr.photos.photo_writing import write_photo
from ndr.registry import create
from ndr.restore import argument_parser, main
from tests.photograph_files import crop, deep, deep_png, exif, profile, write
from tests.run_headers import header, run_spec


def write_run(folder: Path, method: str = "ndr_restore", **changes: object) -> str:
    """A checkpoint of an untrained network that changes its input."""
    changes = {"zero_init_output": False, **changes} if method == "ndr_restore" else changes
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create(method, "smoke", **changes)
    path = folder / f"{method}.safetensors"
    write_checkpoint(path, network, header(run_spec(method, **changes)))
    return str(path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_run(tmp_path_factory.mktemp("weights"))


def restore(*arguments: object) -> int:
    return main([*map(str, arguments), "--device", "cpu", "--threads", "1"])


def test_a_photograph_is_restored(tmp_path: Path, weights: str) -> None:
    source = write(tmp_path / "a.jpg", crop(), exif=exif(6), icc_profile=profile(), quality=95)
    before = source.read_bytes()
    assert restore(source, "--weights", weights, "--out", tmp_path / "r.png") == 0
    assert source.read_bytes() == before
    upright, restored = read_photo(source), read_photo(tmp_path / "r.png")
    assert restored.pixels.shape == (56, 40, 3) == upright.pixels.shape
    assert (restored.pixels != upright.pixels).any()
    assert restored.metadata.icc_profile == profile()
    with Image.open(tmp_path / "r.png") as image:
        assert image.getexif()[274] == 1
        assert image.getexif()[271] == "Maker"


def test_pixels_are_those_of_the_method(tmp_path: Path, weights: str) -> None:
    from ndr.photos.weight_source import WeightRequest, load_requested

    source = write(tmp_path / "a.png", crop())
    assert restore(source, "--weights", weights, "--out", tmp_path / "r.png") == 0
    method = load_requested(WeightRequest(weights), torch.device("cpu"))[0].method
    image = torch.from_numpy(crop()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        expected = method.restore(image)[0].permute(1, 2, 0).clamp(0, 1).numpy() * 255
    found = read_photo(tmp_path / "r.png").pixels
    assert np.abs(found - expected).max() < 0.501


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_grey_and_transparency_stay(tmp_path: Path, weights: str, name: str) -> None:
    colour, grey = deep(crop()), deep(crop())[..., 0].copy()
    write_photo(tmp_path / "in" / f"colour_{name}", Photo(colour, grey))
    write_photo(tmp_path / "in" / f"grey_{name}", Photo(grey))
    assert restore(tmp_path / "in", "--weights", weights, "--out", tmp_path / "out") == 0
    restored = read_photo(tmp_path / "out" / f"colour_{name}")
    assert restored.is_deep
    np.testing.assert_array_equal(restored.alpha, grey)
    assert len(np.unique(restored.pixels % 256)) > 200  # the low bytes are there
    assert read_photo(tmp_path / "out" / f"grey_{name}").is_grey


def test_enlarging_enlarges_transparency_and_the_noted_size(tmp_path: Path) -> None:
    weights = write_run(tmp_path, upscale="pixel_shuffle")
    alpha = np.zeros(crop().shape[:2], dtype=np.uint8)
    alpha[:, 28:] = 255
    camera = read_photo(write(tmp_path / "camera.jpg", crop(), exif=exif()))
    write_photo(tmp_path / "a.png", Photo(crop(), alpha, camera.metadata))
    options = ("--compare", "--degradation-map", "--tile", "32")
    assert restore(tmp_path / "a.png", "--weights", weights, "--out", tmp_path / "o", *options) == 0
    restored = read_photo(tmp_path / "o" / "a.png")
    assert restored.pixels.shape == (80, 112, 3)
    assert restored.alpha is not None
    np.testing.assert_array_equal(restored.alpha[:, :52], 0)
    np.testing.assert_array_equal(restored.alpha[:, 60:], 255)
    with Image.open(tmp_path / "o" / "a.png") as image:
        assert image.getexif().get_ifd(0x8769)[40962] == 112


def test_files_that_cannot_be_restored_do_not_stop_the_others(
    tmp_path: Path, weights: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "good.png", crop())
    write(folder / "truncated.jpg", crop())
    content = (folder / "truncated.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(content[: len(content) // 2])
    damaged = bytearray(deep_png(deep(crop())))
    damaged[len(damaged) // 2] ^= 1  # one bit: a decoder that trusts the file may end the process
    (folder / "deep.png").write_bytes(damaged)
    Image.new("CMYK", (20, 20)).save(folder / "print.tif")
    frames = [Image.fromarray(crop()), Image.fromarray(crop()[::-1])]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    Image.new("1", (9000, 9000)).save(folder / "huge.png")
    (folder / "nested").mkdir()
    write(folder / "nested" / "fine.tif", crop())
    arguments = (folder, "--weights", weights, "--out", tmp_path / "out", "--max-megapixels", 50)
    with caplog.at_level(logging.INFO):
        assert restore(*arguments) == 1
    assert sorted(
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")
    ) == ["good.png", "nested/fine.tif"]
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 5
    assert all("\n" not in error for error in errors)
    for name, words in (
        ("truncated.jpg", "truncated or damaged"),
        ("deep.png", "truncated or damaged"),
        ("print.tif", "CMYK"),
        ("moving.webp", "animated"),
        ("huge.png", "81 megapixels"),
    ):
        assert any(name in error and words in error for error in errors), name
    assert "2 of 7 photographs restored" in caplog.text
    assert "5 failed" in caplog.text


def test_nothing_is_overwritten_unless_asked(
    tmp_path: Path, weights: str, caplog: pytest.LogCaptureFixture
) -> None:
    source, out = write(tmp_path / "a.png", crop()), tmp_path / "r.png"
    out.write_bytes(b"mine")
    assert restore(source, "--weights", weights, "--out", out) == 1
    assert out.read_bytes() == b"mine"
    assert "pass --overwrite" in caplog.text
    assert restore(source, "--weights", weights, "--out", out, "--overwrite") == 0
    assert read_photo(out).pixels.shape == crop().shape
    caplog.clear()
    assert restore(source, "--weights", weights, "--out", source, "--overwrite") == 1
    assert "never written over" in caplog.text
    np.testing.assert_array_equal(read_photo(source).pixels, crop())


def test_maps_of_tiles_and_of_the_whole(tmp_path: Path, weights: str) -> None:
    source = write(tmp_path / "a.png", crop(75, 90))
    common = (source, "--weights", weights, "--degradation-map", "--compare")
    assert restore(*common, "--out", tmp_path / "whole") == 0
    assert restore(*common, "--out", tmp_path / "tiles", "--tile", 32) == 0
    for folder in ("whole", "tiles"):
        for ending in ("_U", "_S"):
            assert read_photo(tmp_path / folder / f"a{ending}.png").pixels.shape == (75, 90, 3)
        comparison = read_photo(tmp_path / folder / "a_compare.png").pixels
        assert comparison.shape == (75 + 24, 2 * 90 + 4, 3)
        np.testing.assert_array_equal(comparison[24:, :90], crop(75, 90))
        after = read_photo(tmp_path / folder / "a.png").pixels
        np.testing.assert_array_equal(comparison[24:, 94:], after)


def test_maps_need_ndr_restore(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write(tmp_path / "a.png", crop())
    arguments = (source, "--out", tmp_path / "r.png", "--degradation-map")
    assert restore(*arguments, "--method", "identity") == 1
    assert "identity has no degradation_1 and no affinity_1 to show" in caplog.text
    assert restore(*arguments, "--weights", write_run(tmp_path, use_ndr=False)) == 1
    assert "ndr_restore has no" in caplog.text
    assert not (tmp_path / "r.png").exists()


def test_methods_that_must_be_told_the_noise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write(tmp_path / "a.png", crop())
    arguments = (source, "--out", tmp_path / "r.png", "--method", "bm3d")
    assert restore(*arguments) == 1
    assert "pass --sigma" in caplog.text
    assert restore(*arguments, "--sigma", 25) == 0
    smoothed = read_photo(tmp_path / "r.png").pixels.astype(float)
    assert (
        np.abs(np.diff(smoothed, axis=1)).mean()
        < np.abs(np.diff(crop().astype(float), axis=1)).mean()
    )
    assert restore(source, "--out", tmp_path / "o.png", "--method", "oracle") == 1
    assert "needs the clean photograph" in caplog.text


def test_transparency_is_refused_for_jpeg(
    tmp_path: Path, weights: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_photo(tmp_path / "a.png", Photo(crop(), crop()[..., 0].copy()))
    assert restore(tmp_path / "a.png", "--weights", weights, "--out", tmp_path / "r.jpg") == 1
    assert "JPEG holds no transparency" in caplog.text


@pytest.mark.parametrize(
    "arguments",
    [("--quality", "0"), ("--threads", "0"), ("--sigma", "300"), ("--max-megapixels", "0")],
)
def test_numbers_out_of_range_are_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        main(["a.png", "--out", "r.png", *arguments])


def test_bad_options_are_told_before_the_first_photograph(
    tmp_path: Path, weights: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = write(tmp_path / "a.png", crop())
    arguments = (source, "--out", tmp_path / "r.png")
    for options, message in (
        (("--weights", tmp_path / "absent.pth"), "no such file of weights"),
        (("--weights", weights, "--tile", "many"), "expected auto, whole, or a number"),
        (("--weights", weights, "--tile", 64, "--overlap", 40), "more than half of the tile"),
    ):
        caplog.clear()
        assert restore(*arguments, *options) == 1
        assert message in caplog.text


def test_the_command_from_a_shell(tmp_path: Path, weights: str) -> None:
    """With a pattern, as a user types it; exit status and summary."""
    write(tmp_path / "a.png", crop())
    (tmp_path / "b\x1b[2J.png").write_bytes(b"")  # a terminal would be cleared
    command = [sys.executable, "-m", "ndr.restore", f"{tmp_path}/*.png", "--weights", weights]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--threads", "1"],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "1 of 2 photographs restored" in done.stderr
    assert "Traceback" not in done.stderr
    assert "b\ufffd[2J.png: the file is empty" in done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert (tmp_path / "out" / "a.png").is_file()


def test_running_out_of_memory_is_one_line(
    tmp_path: Path,
    weights: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ndr.photos import photo_restorer

    message = "[enforce fail] . DefaultCPUAllocator: can't allocate memory: you tried ..."

    def full(*_: object, **__: object) -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(photo_restorer, "restore_pixels", full)
    source = write(tmp_path / "a.png", crop())
    assert restore(source, "--weights", weights, "--out", tmp_path / "r.png") == 1
    assert "not enough memory; pass a smaller --tile" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.slow
def test_a_photograph_of_24_megapixels_takes_little_beside_the_network(tmp_path: Path) -> None:
    """All but the network, which needs what its tile needs: see docs/restore.md."""
    small = np.kron(crop(), np.ones((100, 108, 1), dtype=np.uint8))[:4000, :6000]
    source = write(tmp_path / "a.jpg", small)
    # Not getrusage: its peak is inherited from the process that started this one.
    code = (
        "import sys; from ndr.restore import main; status = main(sys.argv[1:]); "
        "lines = open('/proc/self/status').read().splitlines(); "
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM'))); "
        "sys.exit(status)"
    )
    command = [sys.executable, "-c", code, str(source), "--method", "identity"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "r.jpg"), "--device", "cpu"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "6000x4000 in" in done.stderr
    assert int(done.stdout) * 1024 < 1.5e9


def test_weights_of_short_and_unfinished_trainings_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They change photographs, and nothing else would tell that it is for the worse."""
    source = write(tmp_path / "a.png", crop())
    for tier, steps, words in (
        ("smoke", 20, "20 of 20 steps at the tier smoke only"),
        ("paper", 7, "7 of 20 steps at the tier paper only"),
        ("paper", 20, None),
    ):
        spec = run_spec("dncnn", tier)
        done = dataclasses.replace(header(spec), steps_done=steps)
        path = tmp_path / f"{tier}{steps}.safetensors"
        write_checkpoint(path, create("dncnn", "smoke"), done)
        caplog.clear()
        assert restore(source, "--weights", path, "--out", tmp_path / f"{tier}{steps}.png") == 0
        warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
        assert len(warned) == (words is not None)
        assert all(words in text and "worse than they went in" in text for text in warned)


def test_what_may_not_be_read_is_no_damage(
    tmp_path: Path, weights: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user: the one that runs the tests may be allowed to read all."""
    source = write(tmp_path / "a.png", crop())
    locked = tmp_path / "locked.safetensors"
    locked.write_bytes(Path(weights).read_bytes())
    real = Path.open

    def guarded(path: Path, *arguments: Any, **options: Any) -> Any:
        if path in (source, locked):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", guarded)
    for given, used in ((source, weights), (write(tmp_path / "b.png", crop()), locked)):
        caplog.clear()
        assert restore(given, "--weights", used, "--out", tmp_path / "r.png") == 1
        assert "Permission denied" in caplog.text
        assert "damaged" not in caplog.text
        assert "Traceback" not in caplog.text


def test_folders_that_cannot_be_looked_into_are_told(
    tmp_path: Path, weights: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / "locked").mkdir(parents=True)
    write(tmp_path / "in" / "a.png", crop())
    real = os.scandir

    def guarded(path: Any = ".") -> Any:
        if os.fspath(path) == str(tmp_path / "in" / "locked"):
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    for number, given in enumerate((tmp_path / "in", f"{tmp_path}/in/**/*.png")):
        out = tmp_path / f"out{number}"
        caplog.clear()
        assert restore(given, "--weights", weights, "--out", out) == 1
        assert (out / "a.png").is_file()
        assert "locked: Permission denied; its files are left out" in caplog.text


def test_bitmaps_and_other_names_of_jpeg_are_restored(tmp_path: Path, weights: str) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.bmp", crop())
    Image.fromarray(crop()).save(tmp_path / "in" / "b.jfif", "JPEG", quality=95)
    assert restore(tmp_path / "in", "--weights", weights, "--out", tmp_path / "out") == 0
    for name, kind in (("a.bmp", "BMP"), ("b.jfif", "JPEG")):
        with Image.open(tmp_path / "out" / name) as image:
            assert image.format == kind
    single = (tmp_path / "in" / "b.jfif", "--weights", weights, "--out", tmp_path / "r.bmp")
    assert restore(*single) == 0
    assert read_photo(tmp_path / "r.bmp").pixels.shape == crop().shape


def test_pictures_of_other_formats_are_named(
    tmp_path: Path, weights: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.png", crop())
    for name in ("b.heic", "c.gif", "d.dng", "notes.txt"):
        (tmp_path / "in" / name).write_bytes(b"-")
    assert restore(tmp_path / "in", "--weights", weights, "--out", tmp_path / "out") == 0
    (warned,) = (r.getMessage() for r in caplog.records if "not read here" in r.getMessage())
    assert all(name in warned for name in ("b.heic", "c.gif", "d.dng"))
    assert "notes.txt" not in warned
    caplog.clear()
    for name in ("r.gif", "r.heic"):
        arguments = (tmp_path / "in" / "a.png", "--weights", weights, "--out", tmp_path / name)
        assert restore(*arguments) == 1
        assert f"{name}: .{name[2:]} is not written here" in caplog.text
        assert not (tmp_path / name).exists()


def test_long_names_are_written(tmp_path: Path, weights: str) -> None:
    for name in ("n" * 236 + ".png", "\u00fc" * 118 + ".png", "\u6e05" * 79 + ".png"):
        source = write(tmp_path / name, crop())
        assert 240 <= len(os.fsencode(name)) <= 241
        assert restore(source, "--weights", weights, "--out", tmp_path / "out") == 0
        assert (tmp_path / "out" / name).is_file()


def test_advice_names_what_the_command_has(
    tmp_path: Path, weights: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = write(tmp_path / "a.png", crop())
    for options, words in (
        (("--method", "bm3d", "--sigma", "0"), "bm3d takes noise levels of 0.01 to 255, found 0"),
        (("--method", "restormer"), "restormer has weights to load: give --weights"),
        (("--method", "stablesr", "--tile", "64"), "leave tiles out for this method"),
        (("--weights", tmp_path / "absent__x__seed_0"), "no such file of weights"),
    ):
        caplog.clear()
        assert restore(source, "--out", tmp_path / "r.png", *options) == 1
        assert words in caplog.text
        assert "Traceback" not in caplog.text
        known = set(re.findall(r"--[a-z-]+", argument_parser().format_help()))
        assert set(re.findall(r"--[a-z-]+", caplog.text)) <= known
