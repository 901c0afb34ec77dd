from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from volfuse.errors import FusionError
from volfuse.imaging import read_image
from volfuse.imaging.formats import load
from volfuse.imaging.stored import About

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
GREY_16 = RANDOM.integers(0, 1 << 16, (6, 5), dtype=np.uint16)
RGB = RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8)


def pixels(path: Path) -> np.ndarray:
    """Return what is read, rows first: (H, W) or (H, W, 3)."""
    image = load(path)
    assert image.dimension == 2 and not image.has_geometry and image.voxels.shape[2] == 1
    return np.swapaxes(image.voxels[:, :, 0], 0, 1)


TIFFS: dict[str, tuple[np.ndarray, dict[str, Any], np.ndarray]] = {
    "grey": (GREY, {}, GREY),
    "white is 0": (GREY, {"photometric": "miniswhite"}, 255 - GREY),
    "white is 0, 16 bits": (GREY_16, {"photometric": "miniswhite"}, 65535 - GREY_16),
    "white is 0, compressed": (
        GREY_16,
        {"photometric": "miniswhite", "compression": "zlib"},
        65535 - GREY_16,
    ),
    "16 bits": (GREY_16, {}, GREY_16),
    "16 bits, big-endian": (GREY_16, {"byteorder": ">"}, GREY_16),
    "signed, 8 bits": (GREY.view("i1"), {}, GREY.view("i1")),
    "signed, 16 bits": (GREY_16.view("i2"), {}, GREY_16.view("i2")),
    "32 bits": (GREY_16.astype("u4") << 16, {}, GREY_16.astype("u4") << 16),
    "signed, 32 bits": (GREY_16.astype("i4") - 9, {}, GREY_16.astype("i4") - 9),
    "float": (GREY_16 / np.float32(7), {}, GREY_16 / np.float32(7)),
    "colour": (RGB, {"photometric": "rgb"}, RGB),
    "colours apart": (RGB.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}, RGB),
    "more than 4 GB": (GREY, {"bigtiff": True}, GREY),
}


@pytest.mark.parametrize("kind", TIFFS)
def test_kinds_of_tiff(tmp_path: Path, kind: str) -> None:
    """Written by tifffile."""
    stored, settings, expected = TIFFS[kind]
    settings = {"photometric": "minisblack", **settings}
    tifffile.imwrite(tmp_path / "a.tif", stored, **settings)
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), expected)


ORIENTATIONS = {
    1: RGB,
    2: RGB[:, ::-1],
    3: RGB[::-1, ::-1],
    4: RGB[::-1],
    5: RGB.swapaxes(0, 1),
    6: np.rot90(RGB, -1),
    7: np.rot90(RGB.swapaxes(0, 1), 2),
    8: np.rot90(RGB),
}


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_pictures_are_turned_as_their_exif_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    """The numbers are those of the Exif standard, 4.6.4: 6 is a camera held upright, its 0th row at the right."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / f"a.{suffix}", exif=exif)
    np.testing.assert_array_equal(pixels(tmp_path / f"a.{suffix}"), ORIENTATIONS[orientation])


def test_a_16_bit_picture_is_turned(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY_16, extratags=[(274, "H", 1, 6, True)])
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), np.rot90(GREY_16, -1))


def test_a_photograph_is_close_to_what_was_taken(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(48), 2 * np.arange(32)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(pixels(tmp_path / "a.jpg"), smooth, atol=3)


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp"])
@pytest.mark.parametrize("is_grey", [True, False])
def test_palettes(tmp_path: Path, suffix: str, is_grey: bool) -> None:
    palette = RANDOM.integers(0, 256, (256, 1 if is_grey else 3), dtype=np.uint8).repeat(
        3 if is_grey else 1, 1
    )
    picture = Image.fromarray(GREY).convert("P")
    picture.putpalette(palette.tobytes())
    picture.save(tmp_path / f"a.{suffix}")
    expected = palette[GREY]
    np.testing.assert_array_equal(pixels(tmp_path / f"a.{suffix}"), expected[..., 0] if is_grey else expected)


def test_transparency_is_dropped(tmp_path: Path) -> None:
    alpha = np.full((6, 5, 1), 7, np.uint8)
    Image.fromarray(np.concatenate([GREY[..., None], alpha], -1)).save(tmp_path / "la.png")
    Image.fromarray(np.concatenate([RGB, alpha], -1)).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(pixels(tmp_path / "la.png"), GREY)
    np.testing.assert_array_equal(pixels(tmp_path / "rgba.png"), RGB)


def test_16_bits_of_grey_are_kept(tmp_path: Path) -> None:
    Image.fromarray(GREY_16).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), GREY_16)


def test_of_16_bits_of_colour_the_upper_8_are_read_and_it_is_said(tmp_path: Path) -> None:
    colour = RANDOM.integers(0, 1 << 16, (6, 5, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb")
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), colour >> 8)
    note = "a.tif has 16 bits per colour, of which the upper 8 were read."
    assert About.from_meta(read_image(tmp_path / "a.tif").meta).notes == (note,)


def test_a_picture_of_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), 255 * (GREY > 100))


def test_pages_are_slices(tmp_path: Path) -> None:
    stack = RANDOM.integers(0, 1 << 16, (4, 6, 5), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    image = load(tmp_path / "a.tif")
    assert image.dimension == 3 and not image.has_geometry
    np.testing.assert_array_equal(image.voxels, stack.transpose(2, 1, 0))


def test_pages_of_different_sizes_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, photometric="minisblack")
        file.write(GREY[::2, ::2], photometric="minisblack")
    with pytest.raises(
        FusionError, match=r"^a.tif has pages of different sizes; save one of them on its own\.$"
    ):
        load(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_moving_pictures_are_refused(tmp_path: Path, suffix: str) -> None:
    first, second = Image.fromarray(GREY), Image.fromarray(255 - GREY)
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[second])
    with pytest.raises(
        FusionError, match=rf"^a.{suffix} holds several pictures; save one of them on its own\.$"
    ):
        load(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_colours_for_printing_are_refused(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / f"a.{suffix}")
    with pytest.raises(FusionError, match=rf"^a.{suffix} has CMYK colours; save it in grey or RGB\.$"):
        load(tmp_path / f"a.{suffix}")
