"""Photographs to files: what is read back is what was written, samples and metadata."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from ndr.photos.photo_reading import Photo, PhotoError, PhotoMetadata, read_photo, to_8_bit
from ndr.photos.photo_writing import check_writable, output_format, write_photo
from tests.photograph_files import crop, deep, exif, profile, write


def metadata(path: Path) -> PhotoMetadata:
    """As read from a camera's file."""
    source = write(path / "camera.jpg", crop(), exif=exif(3), icc_profile=profile(), dpi=(240, 240))
    return read_photo(source).metadata


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_lossless_files_come_back_with_all_that_they_hold(
    tmp_path: Path, name: str, transparent: bool, grey: bool, bits: int
) -> None:
    if grey and transparent and bits == 16 and name == "a.tif":
        pytest.skip("Pillow reads no 16-bit TIFF of grey and transparency; see the next test")
    samples = crop(130, 56) if bits == 8 else deep(crop(130, 56))
    photo = Photo(
        np.ascontiguousarray(samples[..., 0]) if grey else samples,
        np.ascontiguousarray(samples[..., 1]) if transparent else None,
        metadata(tmp_path),
    )
    write_photo(tmp_path / name, photo)
    found = read_photo(tmp_path / name)
    np.testing.assert_array_equal(found.pixels, photo.pixels)
    assert found.pixels.dtype == photo.pixels.dtype
    if transparent:
        np.testing.assert_array_equal(found.alpha, photo.alpha)
    else:
        assert found.alpha is None
    check_metadata(found, photo)


def check_metadata(found: Photo, written: Photo) -> None:
    """Profile and resolution as written, EXIF with the new size."""
    assert found.metadata.icc_profile == written.metadata.icc_profile
    assert found.metadata.dots_per_inch == pytest.approx((240, 240), abs=0.02)
    block = Image.Exif()
    block.load(b"Exif\x00\x00" + found.metadata.exif)
    assert (block[271], block[272], block[274]) == ("Maker", "Model 1", 1)
    folder = block.get_ifd(0x8769)
    assert float(folder[33434]) == pytest.approx(0.01)
    assert (folder[40962], folder[40963]) == (written.width, written.height)
    assert block.get_ifd(0x8825)[1] == "N"
    assert [float(part) for part in block.get_ifd(0x8825)[2]] == [48.0, 8.0, 14.0]


def test_files_of_16_bits_are_read_alike_by_other_libraries(tmp_path: Path) -> None:
    import cv2

    photo = Photo(deep(crop(130, 57)), deep(crop(130, 57))[..., 2].copy(), metadata(tmp_path))
    for name in ("a.png", "a.tif"):
        write_photo(tmp_path / name, photo)
        found = cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(found[..., [2, 1, 0]], photo.pixels)
        np.testing.assert_array_equal(found[..., 3], photo.alpha)
    # tifffile decodes the predictor only with a further package: the strips are undone by hand.
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        assert page.shape == (130, 57, 4)
        assert page.tags["ExtraSamples"].value[0] == 2
        content = (tmp_path / "a.tif").read_bytes()
        start, length = page.dataoffsets[0], page.databytecounts[0]
        strip = np.frombuffer(zlib.decompress(content[start : start + length]), "<u2")
        rows = np.cumsum(strip.reshape(64, 57, 4), axis=1, dtype=np.uint16)
        np.testing.assert_array_equal(rows[..., :3], photo.pixels[:64])


def test_tiff_of_grey_and_transparency_of_16_bits(tmp_path: Path) -> None:
    photo = Photo(deep(crop())[..., 0].copy(), deep(crop())[..., 1].copy())
    write_photo(tmp_path / "a.tif", photo)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        assert page.shape == (40, 56, 2)
        assert page.photometric == 1


def test_lossy_files(tmp_path: Path) -> None:
    photo = Photo(crop(), None, metadata(tmp_path))
    for name in ("a.jpg", "a.webp"):
        write_photo(tmp_path / name, photo, quality=97)
        found = read_photo(tmp_path / name)
        difference = np.abs(found.pixels.astype(int) - crop())
        assert difference.mean() < 4
        assert found.metadata.icc_profile == profile()
        assert found.metadata.exif
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.info["dpi"] == (240, 240)
        assert {layer[1:3] for layer in image.layer} == {(1, 1)}  # no subsampling
    small, large = tmp_path / "s.jpg", tmp_path / "l.jpg"
    write_photo(small, photo, quality=30)
    write_photo(large, photo, quality=97)
    assert small.stat().st_size < large.stat().st_size


def test_a_profile_of_grey_stays_with_grey_pixels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grey = bytes(16) + b"GRAY" + bytes(108)
    photo = Photo(crop()[..., 0].copy(), None, PhotoMetadata(icc_profile=grey))
    for name in ("a.jpg", "a.png", "a.tif"):
        write_photo(tmp_path / name, photo)
        assert read_photo(tmp_path / name).metadata.icc_profile == grey
    assert not caplog.records
    write_photo(tmp_path / "a.webp", photo)
    assert read_photo(tmp_path / "a.webp").metadata.icc_profile == b""
    assert "a.webp: a colour profile of grey fits no three channels" in caplog.text


def test_grey_and_deep_photographs_in_lossy_files(tmp_path: Path) -> None:
    grey = Photo(deep(crop())[..., 0].copy())
    write_photo(tmp_path / "a.jpg", grey, quality=97)
    found = read_photo(tmp_path / "a.jpg")
    assert found.is_grey
    assert np.abs(found.pixels.astype(int) - to_8_bit(grey.pixels)).mean() < 3
    write_photo(tmp_path / "a.webp", grey, quality=97)
    assert read_photo(tmp_path / "a.webp").pixels.shape == (40, 56, 3)


def test_webp_keeps_colours_below_transparency(tmp_path: Path) -> None:
    alpha = np.zeros(crop().shape[:2], dtype=np.uint8)
    write_photo(tmp_path / "a.webp", Photo(crop(), alpha), quality=97)
    found = read_photo(tmp_path / "a.webp")
    np.testing.assert_array_equal(found.alpha, alpha)
    assert np.abs(found.pixels.astype(int) - crop()).mean() < 5


def test_what_a_format_cannot_hold_is_refused_before_the_work(tmp_path: Path) -> None:
    transparent = Photo(crop(), crop()[..., 0].copy())
    with pytest.raises(PhotoError, match="JPEG holds no transparency"):
        check_writable(tmp_path / "a.jpg", transparent)
    wide = Photo(np.zeros((2, 9000), dtype=np.uint8))
    check_writable("a.webp", wide)
    with pytest.raises(PhotoError, match="16383 pixels per side, the result has 18000"):
        check_writable("a.webp", wide, scale=2)
    empty = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint16), (40_000, 40_000), (0, 0))
    with pytest.raises(PhotoError, match="more than 4 GiB"):
        check_writable("a.tif", Photo(empty), scale=2)
    with pytest.raises(PhotoError, match=r"cannot tell the format to write from '\.gif'"):
        output_format("a.gif")


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match=r"a\.png: No space left"):
        write_photo(path, Photo(crop()))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_chunks_of_a_png_of_16_bits_stand_in_order_with_right_sums(tmp_path: Path) -> None:
    photo = Photo(deep(crop()), None, metadata(tmp_path))
    write_photo(tmp_path / "a.png", dataclasses.replace(photo))
    content = (tmp_path / "a.png").read_bytes()[8:]
    kinds = []
    while content:
        length, kind = struct.unpack(">I4s", content[:8])
        kinds.append(kind)
        (checksum,) = struct.unpack(">I", content[8 + length : 12 + length])
        assert checksum == zlib.crc32(content[4 : 8 + length])
        content = content[12 + length :]
    assert [kind for kind in kinds if kind != b"IDAT"] == [
        b"IHDR", b"iCCP", b"pHYs", b"eXIf", b"IEND",
    ]  # fmt: skip


def test_sixteen_bits_are_rounded_to_the_nearest_of_eight() -> None:
    values = np.arange(65536, dtype=np.uint16)[None]
    expected = np.rint(values.astype(np.float64) / 257).astype(np.uint8)
    np.testing.assert_array_equal(to_8_bit(values), expected)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_exif_that_does_not_fit_is_left_out(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """64 KB are the limit of JPEG alone."""
    block = Image.Exif()
    block[271], block[37510] = "Maker", b"x" * 70_000
    photo = Photo(crop(), None, PhotoMetadata(exif=block.tobytes()[6:]))
    write_photo(tmp_path / name, photo)
    found = read_photo(tmp_path / name)
    assert found.pixels.shape == crop().shape
    assert bool(found.metadata.exif) == (name == "a.tif")
    assert ("is not kept" in caplog.text) == (name == "a.jpg")
