from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ndr.data.image_files import (
    ImageFileError,
    decoder_version,
    pixels_sha256,
    read_rgb,
    to_uint8,
    write_png,
)
from tests.conftest import REPOSITORY
from tests.data.textured_images import textured_image
from tests.photograph_files import deep_png


def png_16_bit(channels: int, width: int = 6, height: int = 4) -> bytes:
    """A valid PNG with 16 bits per channel."""
    line = np.linspace(0, 65535, width * channels).astype(np.uint16)
    return deep_png(np.tile(line, height).reshape(height, width, channels))


def test_png_round_trip_is_exact(tmp_path: Path) -> None:
    image = textured_image(1, 33, 21)
    write_png(tmp_path / "folder" / "a.png", image)
    read = read_rgb(tmp_path / "folder" / "a.png")
    assert read.dtype == np.uint8
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, image)


def test_non_contiguous_images_are_written_as_they_look(tmp_path: Path) -> None:
    image = textured_image(2)[:, ::-1].transpose(1, 0, 2)
    write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), image)


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_grey_and_palette_images_become_rgb_without_loss(tmp_path: Path, mode: str) -> None:
    original = Image.fromarray(textured_image(3)).convert(mode)
    original.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), np.array(original.convert("RGB")))


def test_opaque_alpha_is_dropped(tmp_path: Path) -> None:
    image = textured_image(4)
    opaque = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), image)


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = textured_image(5)
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), image)


def bad_files() -> dict[str, tuple[bytes, str]]:
    image = Image.fromarray(textured_image(6, 64, 64))

    def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        return buffer.getvalue()

    transparent = image.convert("RGBA")
    transparent.putpixel((3, 3), (1, 2, 3, 254))
    palette = image.convert("P")
    frames = [image, Image.fromarray(textured_image(7, 64, 64))]
    damaged = bytearray(saved(image, "PNG"))
    damaged[len(damaged) // 2] ^= 0xFF
    return {
        "empty.png": (b"", "an empty file"),
        "text.png": (b"this is no image", "none of PNG, JPEG, BMP"),
        "truncated.png": (saved(image, "PNG")[:-2000], "truncated or damaged"),
        "truncated.jpg": (saved(image, "JPEG", quality=95)[:-900], "truncated or damaged"),
        "truncated.bmp": (saved(image, "BMP")[:-900], "truncated or damaged"),
        "flipped_bits.png": (bytes(damaged), "truncated or damaged"),
        "header_only.png": (saved(image, "PNG")[:20], "found"),
        "moving.png": (
            saved(image, "PNG", save_all=True, append_images=frames[1:]),
            "2 frames",
        ),
        "moving.gif": (saved(image, "GIF"), "none of PNG, JPEG, BMP"),
        "rgb16.png": (png_16_bit(3), "more than 8 bits"),
        "grey16.png": (png_16_bit(1), "more than 8 bits"),
        "rgba16.png": (png_16_bit(4), "more than 8 bits"),
        "transparent.png": (saved(transparent, "PNG"), "transparent pixels"),
        "transparent_palette.png": (
            saved(palette, "PNG", transparency=palette.getpixel((0, 0))),
            "transparent pixels",
        ),
        "cmyk.jpg": (saved(image.convert("CMYK"), "JPEG"), "colour mode CMYK"),
    }


@pytest.mark.parametrize("name", sorted(bad_files()))
def test_bad_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    content, reason = bad_files()[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageFileError) as caught:
        read_rgb(tmp_path / name)
    message = str(caught.value)
    assert str(tmp_path / name) in message
    assert reason in message
    assert ";" in message, "the message must say what to do"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("limit", [1000, 2000])
def test_too_many_pixels_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    write_png(tmp_path / "a.png", textured_image(1))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2240)
    read_rgb(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ImageFileError, match=r"a\.png.*too many pixels"):
        read_rgb(tmp_path / "a.png")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        read_rgb(tmp_path / "gone.png")


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((4, 4, 3), np.float32), TypeError),
        (np.zeros((4, 4), np.uint8), ValueError),
        (np.zeros((4, 4, 4), np.uint8), ValueError),
        (np.zeros((0, 4, 3), np.uint8), ValueError),
    ],
)
def test_only_8_bit_rgb_is_written(
    tmp_path: Path, image: np.ndarray, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"a\.png"):
        write_png(tmp_path / "a.png", image)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: writing fails in the middle."""
    write_png(tmp_path / "a.png", textured_image(1))
    before = (tmp_path / "a.png").read_bytes()
    program = (
        "import resource, signal, sys, numpy as np\n"
        "from ndr.data.image_files import write_png\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "image = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)\n"
        "write_png(sys.argv[1], image)\n"
    )
    root = REPOSITORY
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.png")],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert f"cannot write {tmp_path / 'a.png'}" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_pixel_hash_sees_pixels_and_shape_only(tmp_path: Path) -> None:
    image = textured_image(8)
    write_png(tmp_path / "a.png", image)
    Image.fromarray(image).save(tmp_path / "b.bmp")
    assert pixels_sha256(read_rgb(tmp_path / "a.png")) == pixels_sha256(
        read_rgb(tmp_path / "b.bmp")
    )
    assert pixels_sha256(image) != pixels_sha256(image.reshape(56, 40, 3))
    changed = image.copy()
    changed[-1, -1, 2] ^= 1
    assert pixels_sha256(image) != pixels_sha256(changed)


def test_rounding_to_8_bits_keeps_every_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_uint8(levels.astype(np.float32) / np.float32(255)), levels)


def test_the_decoder_is_named() -> None:
    assert decoder_version().startswith("Pillow ")
    assert "libjpeg" in decoder_version()
