"""Photographs from files: every sample as stored, turned upright; the rest refused in one line."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from ndr.photos.photo_reading import PhotoError, read_photo
from tests.photograph_files import ORIENTATION, crop, deep, deep_png, exif, profile, write


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
def test_colour_of_8_bits_is_read_as_stored(tmp_path: Path, name: str) -> None:
    photo = read_photo(write(tmp_path / name, crop()))
    np.testing.assert_array_equal(photo.pixels, crop())
    assert photo.alpha is None
    assert not photo.is_deep
    assert not photo.is_grey


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_lossy_files_are_read_as_pillow_decodes_them(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, crop(), quality=90)
    np.testing.assert_array_equal(read_photo(path).pixels, np.array(Image.open(path)))


@pytest.mark.parametrize("mode", ["L", "1", "LA", "P", "RGBA"])
def test_grey_palette_and_transparency(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(crop())
    if mode in ("LA", "RGBA"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray(crop()[..., 1]))
    else:
        image = image.convert(mode)
    image.save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.is_grey == (mode in ("L", "1", "LA"))
    np.testing.assert_array_equal(
        photo.pixels, np.array(image.convert("L" if photo.is_grey else "RGB"))
    )
    if mode in ("LA", "RGBA"):
        np.testing.assert_array_equal(photo.alpha, crop()[..., 1])
    else:
        assert photo.alpha is None


def test_a_transparent_colour_of_a_palette_becomes_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(crop()).convert("P")
    image.save(tmp_path / "a.png", transparency=image.getpixel((3, 4)))
    photo = read_photo(tmp_path / "a.png")
    assert photo.alpha is not None
    assert photo.alpha[4, 3] == 0
    assert photo.alpha.max() == 255


def test_png_of_16_bits_keeps_the_low_bytes(tmp_path: Path) -> None:
    import cv2

    colour = deep(crop())
    alpha = deep(crop())[..., :1]
    cv2.imwrite(str(tmp_path / "c.png"), colour[..., ::-1])
    cv2.imwrite(str(tmp_path / "ca.png"), np.concatenate([colour[..., ::-1], alpha], axis=2))
    cv2.imwrite(str(tmp_path / "g.png"), alpha)
    np.testing.assert_array_equal(read_photo(tmp_path / "c.png").pixels, colour)
    both = read_photo(tmp_path / "ca.png")
    np.testing.assert_array_equal(both.pixels, colour)
    np.testing.assert_array_equal(both.alpha, alpha[..., 0])
    grey = read_photo(tmp_path / "g.png")
    np.testing.assert_array_equal(grey.pixels, alpha[..., 0])
    assert grey.is_grey
    assert grey.is_deep


def test_png_of_16_bits_with_transparency_of_every_kind(tmp_path: Path) -> None:
    four = deep(np.concatenate([crop(), crop()[..., :1]], axis=2))
    for channels in (2, 4):
        (tmp_path / "a.png").write_bytes(deep_png(four[..., :channels]))
        photo = read_photo(tmp_path / "a.png")
        np.testing.assert_array_equal(photo.alpha, four[..., channels - 1])
        stored = four[..., 0] if channels == 2 else four[..., :3]
        np.testing.assert_array_equal(photo.pixels, stored)
    for channels in (1, 3):
        key = tuple(int(value) for value in four[4, 3, :channels])
        (tmp_path / "a.png").write_bytes(deep_png(four[..., :channels], key))
        photo = read_photo(tmp_path / "a.png")
        assert photo.alpha is not None
        assert photo.alpha[4, 3] == 0
        assert photo.alpha.max() == 65535
        assert photo.is_grey == (channels == 1)


def test_interlaced_png_files(tmp_path: Path) -> None:
    """Sizes at which some of the seven passes hold nothing."""
    for height, width in ((1, 1), (1, 9), (2, 1), (3, 2), (5, 5), (9, 4), (40, 56)):
        samples = deep(crop(height, width))
        (tmp_path / "a.png").write_bytes(interlaced(samples))
        np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, samples)


def interlaced(samples: np.ndarray) -> bytes:
    """A PNG file of 16 bits that stores its pixels in the seven passes of Adam7."""
    passes = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2))
    rows = b""
    for top, down, left, right in (*passes, (1, 2, 0, 1)):
        part = samples[top::down, left::right]
        rows += b"".join(b"\0" + row.astype(">u2").tobytes() for row in part if row.size)
    content = bytearray(deep_png(samples))
    content[28] = 1
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return with_pixels(bytes(content), rows)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_one_wrong_bit_in_a_png_file_is_found(tmp_path: Path, depth: int, channels: int) -> None:
    """Whether it stands in a head, in the pixels or in a checksum."""
    four = np.concatenate([crop(), crop()[..., :1]], axis=2)[..., :channels]
    path = tmp_path / "a.png"
    if depth == 16:
        path.write_bytes(deep_png(deep(four)))
    else:
        write(path, four[..., 0] if channels == 1 else four)
    read_photo(path)
    content = path.read_bytes()
    random = np.random.default_rng(channels)
    for place in random.integers(8 * len(content), size=40):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << int(place % 8)
        path.write_bytes(damaged)
        refused(path)


def test_a_png_file_with_more_pixels_than_its_header_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(with_pixels(deep_png(deep(crop())), bytes(337 * 10_000)))
    assert "more pixels than its header says" in refused(path)


def with_pixels(content: bytes, rows: bytes) -> bytes:
    """The PNG file with other rows in place of its own."""
    start = content.index(b"IDAT") - 4
    length = int.from_bytes(content[start : start + 4], "big")
    body = b"IDAT" + zlib.compress(rows)
    head, checksum = ((len(body) - 4).to_bytes(4, "big"), zlib.crc32(body).to_bytes(4, "big"))
    return content[:start] + head + body + checksum + content[start + 12 + length :]


def test_a_tiff_file_that_lacks_parts_of_its_picture_is_refused(tmp_path: Path) -> None:
    """Pillow would leave them black: 14 kilobytes become a picture of 224 megapixels."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, deep(crop()), photometric="rgb", tile=(16, 16))
    height = struct.pack("<HHI", 257, 4, 1)
    content = path.read_bytes().replace(
        height + struct.pack("<I", 40), height + struct.pack("<I", 4_000_000)
    )
    path.write_bytes(content)
    assert "parts of the picture are missing" in refused(path)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", ["raw", "deflate", "tiles", "alpha", "grey", "extra"])
def test_tiff_of_16_bits_keeps_the_low_bytes(tmp_path: Path, byteorder: str, kind: str) -> None:
    colour, four = deep(crop()), deep(np.concatenate([crop(), crop()[..., :1]], axis=2))
    options: dict[str, object] = {"byteorder": byteorder, "photometric": "rgb"}
    samples = colour
    if kind == "deflate":
        options |= {"compression": "zlib", "predictor": True}
    elif kind == "tiles":
        options |= {"tile": (16, 16)}
    elif kind == "alpha":
        samples = four
        options |= {"extrasamples": ["unassalpha"]}
    elif kind == "extra":
        samples = four
        options |= {"extrasamples": ["unspecified"]}
    elif kind == "grey":
        samples = colour[..., 0]
        options["photometric"] = "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", samples, **options)
    photo = read_photo(tmp_path / "a.tif")
    assert photo.pixels.dtype == np.uint16
    np.testing.assert_array_equal(photo.pixels, samples if kind == "grey" else samples[..., :3])
    if kind == "alpha":
        np.testing.assert_array_equal(photo.alpha, four[..., 3])
    else:
        assert photo.alpha is None


def test_compressed_tiff_of_16_bits_written_by_another_library(tmp_path: Path) -> None:
    import cv2

    lzw = [cv2.IMWRITE_TIFF_COMPRESSION, 5]
    cv2.imwrite(str(tmp_path / "a.tif"), deep(crop())[..., ::-1], lzw)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels, deep(crop()))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "deep.tif"])
def test_photographs_are_turned_upright(tmp_path: Path, name: str, orientation: int) -> None:
    path = tmp_path / name
    if name == "deep.tif":
        tag = (ORIENTATION, "H", 1, orientation, True)
        tifffile.imwrite(path, deep(crop()), photometric="rgb", extratags=[tag])
        plain = Image.fromarray(crop())
        plain.getexif()[ORIENTATION] = orientation
        expected = np.array(ImageOps.exif_transpose(plain))
        found = read_photo(path).pixels >> 8
    else:
        write(path, crop(), exif=exif(orientation))
        with Image.open(path) as image:
            expected = np.array(ImageOps.exif_transpose(image))
        found = read_photo(path).pixels
    np.testing.assert_array_equal(found, expected)
    assert (found.shape[:2] == (56, 40)) == (orientation >= 5)


def test_metadata_is_kept_without_the_orientation(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", crop(), exif=exif(6), icc_profile=profile(), dpi=(300, 300))
    metadata = read_photo(path).metadata
    assert metadata.icc_profile == profile()
    assert metadata.dots_per_inch == (300, 300)
    kept = Image.Exif()
    kept.load(b"Exif\x00\x00" + metadata.exif)
    assert kept[ORIENTATION] == 1
    assert kept[271] == "Maker"
    assert kept.get_ifd(0x8769)[33434] == 0.01
    assert kept.get_ifd(0x8825)[1] == "N"


def test_damaged_exif_does_not_stop_the_photograph(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.jpg", crop(), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    photo = read_photo(path)
    assert photo.pixels.shape == crop().shape
    assert photo.metadata.exif == b""


def refused(path: Path, **options: float) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.95])
def test_truncated_files_are_refused(tmp_path: Path, name: str, kept: float) -> None:
    path = write(tmp_path / name, crop(120, 160))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    message = refused(path)
    assert "copy" in message


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_files_of_16_bits_are_refused(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / name
    if name == "a.png":
        import cv2

        cv2.imwrite(str(path), deep(crop(120, 160)))
    else:
        tifffile.imwrite(path, deep(crop(120, 160)), photometric="rgb", compression="zlib")
    content = path.read_bytes()
    # The entries of a TIFF file stand first here; its pixels are what is lost.
    path.write_bytes(content[: int(kept * len(content))])
    assert "truncated or damaged" in refused(path)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_animations_and_pages_are_refused(tmp_path: Path, name: str) -> None:
    first, second = Image.fromarray(crop()), Image.fromarray(crop()[::-1])
    path = tmp_path / name
    first.save(path, save_all=True, append_images=[second])
    message = refused(path)
    assert "2 frames (animated)" in message or "2 pages" in message


def test_a_photograph_with_further_views_is_no_animation(tmp_path: Path) -> None:
    first, second = Image.fromarray(crop()), Image.fromarray(crop()[::-1])
    path = tmp_path / "phone.jpg"
    first.save(path, format="MPO", save_all=True, append_images=[second], quality=95)
    photo = read_photo(path)
    assert np.abs(photo.pixels.astype(int) - crop()).mean() < 6


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "a.jpg"), ("CMYK", "a.tif"), ("LAB", "b.tif")])
def test_other_colour_spaces_are_refused(tmp_path: Path, mode: str, name: str) -> None:
    Image.new(mode, (20, 10)).save(tmp_path / name)
    message = refused(tmp_path / name)
    assert f"found {mode}" in message
    assert "convert it to RGB" in message


@pytest.mark.parametrize("kind", ["float", "int16", "uint32", "planar", "premultiplied", "inverse"])
def test_other_kinds_of_samples_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tif"
    samples = deep(crop())
    if kind == "planar":
        planes = np.ascontiguousarray(samples.transpose(2, 0, 1))
        tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    elif kind == "premultiplied":
        four = np.concatenate([samples, samples[..., :1]], axis=2)
        tifffile.imwrite(path, four, photometric="rgb", extrasamples=["assocalpha"])
    elif kind == "inverse":
        tifffile.imwrite(path, samples[..., 0], photometric="miniswhite")
    else:
        dtype = {"float": np.float32, "int16": np.int16, "uint32": np.uint32}[kind]
        tifffile.imwrite(path, samples[..., 0].astype(dtype), photometric="minisblack")
    assert "16" in refused(path)


def test_huge_files_are_refused_from_their_header(tmp_path: Path) -> None:
    """A file of some kilobytes that would unpack to 14 gigabytes."""
    path = tmp_path / "bomb.png"
    Image.new("1", (70_000, 7_000)).save(path)
    assert path.stat().st_size < 200_000
    message = refused(path)
    assert "490 megapixels, more than the limit of 250" in message
    assert "--max-megapixels" in message
    assert "limit of 0.001" in refused(write(tmp_path / "a.png", crop()), max_megapixels=0.001)
    limit = Image.MAX_IMAGE_PIXELS
    assert limit is not None  # Pillow's own limit is back


def test_text_with_the_ending_of_a_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("no picture")
    assert "found something else" in refused(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_photo(tmp_path / "absent.png")
