"""Pictures, through Pillow: turned as their EXIF says, white the brightest, without transparency."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from volfuse.errors import FusionError
from volfuse.imaging.content import TRANSPARENT
from volfuse.imaging.formats.declared import Declared
from volfuse.imaging.formats.refusals import damaged
from volfuse.imaging.formats.streams import open_regular
from volfuse.imaging.stored import About, StoredImage

_OPAQUE = 255
_AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])  # columns to the left of the patient, rows to the back
_MAGIC: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"GIF8": "GIF",
}
_GREY = {"1": "u1", "L": "u1", "LA": "u1", "I;16": "u2", "I;16L": "u2", "I;16B": "u2", "I": "i4", "F": "f4"}
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")
# A byte of LZW codes up to 1335 bytes of 8 pixels with 1 bit, each of which is read as a byte; all else codes less.
_MOST_PER_BYTE = 8 * 1335
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLES = 258, 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2


def is_picture(start: bytes) -> bool:
    """Tell whether a file is one, from its beginning."""
    return any(start.startswith(magic) for magic in _MAGIC)


def declared_picture(path: Path) -> Declared:
    """Read how large a picture is.

    Raises:
        FusionError: see :func:`read_picture`; all but damage of what is compressed.
    """
    with _opened(path) as picture:
        return _declared(path, picture)


def read_picture(path: Path) -> StoredImage:
    """Read a picture as a slice, grey or RGB with 8 bits per colour, or the pages of a TIFF file as slices.

    Raises:
        FusionError: if it is damaged, animated, not grey or RGB, or larger than its file can hold.
    """
    with _opened(path) as picture:
        declared = _declared(path, picture)
        notes = []
        if "16" in _raw_mode(picture) and declared.dtype == np.uint8:
            notes.append(f"{path.name} has 16 bits per colour, of which the upper 8 were read.")
        if "A" in picture.getbands() and np.asarray(picture.getchannel("A")).min() < _OPAQUE:
            notes.append(TRANSPARENT.format(path.name))
        pages = []
        for page in range(declared.shape[2]):
            picture.seek(page)
            if picture.size != declared.shape[:2]:
                raise FusionError(f"{path.name} has pages of different sizes; save one of them on its own.")
            pages.append(np.swapaxes(_pixels(picture), 0, 1))
    voxels = np.stack(pages, axis=2)
    dimension = 2 if len(pages) == 1 else 3
    about = About(declared.format, notes=tuple(notes))
    return StoredImage(voxels, _AFFINE, dimension, has_geometry=False, about=about)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with open_regular(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strange metadata, and of large pictures below Pillow's limit
        try:
            with Image.open(file, formats=sorted(set(_MAGIC.values()))) as picture:
                yield picture
        except Image.DecompressionBombError as error:
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise FusionError(
                f"{path.name} has more than {most // 1_000_000} million pixels; crop it, or save it with fewer."
            ) from error


def _declared(path: Path, picture: Image.Image) -> Declared:
    mode, pages = picture.mode, 1
    if mode not in _GREY and mode not in _COLOUR:
        raise FusionError(f"{path.name} has {mode} colours; save it in grey or RGB.")
    if getattr(picture, "is_animated", False):
        if picture.format != "TIFF":
            raise FusionError(f"{path.name} holds several pictures; save one of them on its own.")
        pages = getattr(picture, "n_frames", 1)
    shape = (*picture.size, pages) if mode in _GREY else (*picture.size, pages, 3)
    declared = Declared(picture.format or "", shape, np.dtype(_GREY.get(mode, "u1")))
    if declared.bytes > path.stat().st_size * _MOST_PER_BYTE:
        raise damaged(path, f"its header declares {declared.bytes} bytes of pixels, more than it can hold")
    return declared


def _raw_mode(picture: Image.Image) -> str:
    """Return what Pillow calls the pixels in the file, such as ``RGB;16B``."""
    tiles = getattr(picture, "tile", [])
    return str(tiles[0][-1]) if tiles else ""


def _pixels(picture: Image.Image) -> np.ndarray:
    """Return (H, W) or (H, W, 3)."""
    tags = getattr(picture, "tag_v2", {})
    # Pillow reads 16 bits of grey with alpha as colour, too.
    may_be_grey = picture.mode in ("P", "PA") or "LA" in _raw_mode(picture)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("1", "LA"):
        picture = picture.convert("L")
    elif picture.mode in _COLOUR:
        picture = picture.convert("RGB")
    pixels = np.asarray(picture)
    if may_be_grey and (pixels == pixels[..., :1]).all():
        return pixels[..., 0] if pixels.ndim == 3 else pixels
    # What Pillow passes over in TIFF files.
    bits, sample = tags.get(_TIFF_BITS), tags.get(_TIFF_SAMPLES, (1,))
    if bits == (8,) and sample == (_SIGNED,):
        pixels = pixels.view(np.int8)
    elif bits == (32,) and sample == (1,):
        pixels = pixels.view(np.uint32)
    elif bits == (16,) and tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO and sample == (1,):
        pixels = np.iinfo(np.uint16).max - pixels
    return pixels
