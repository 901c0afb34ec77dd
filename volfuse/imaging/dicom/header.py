"""Read the header of one file, as far as the pixels, whatever it is."""

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_partial
from pydicom.uid import UID

from volfuse.imaging.dicom.attributes import number, text
from volfuse.imaging.dicom.frames import frames_of
from volfuse.imaging.dicom.instance import Damaged, Instance, NoImage, PixelFormat
from volfuse.imaging.dicom.suv import suv_factor, units_of

_PIXELS = {0x7FE00008: 32, 0x7FE00009: 64, 0x7FE00010: 0}  # Float, Double Float (their bits) and Pixel Data
_META = 140  # where the length of the first group stands, behind the preamble
_SYNTAX = b"\x02\x00\x10\x00UI\x16\x00"  # the element of a transfer syntax of 22 characters
_DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN = ("1.2.840.10008.1.2.2", "1.2.840.113619.5.2")  # the second is GE's: only its pixels
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66."
_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_UNITS = {
    "BQML": "Bq/ml",
    "CNTS": "counts",
    "GML": "g/ml",
    "GY": "Gy",
    "US": "",
    "UNSPECIFIED": "",
    "RELATIVE": "",
}
_UNDEFINED = 0xFFFFFFFF
_MOST_INFLATED = 1 << 31
_MOST_FRAMES = 100_000
# How many bytes one byte can become: in run lengths, in JPEG of 8 and 12 bits, without loss; in any other way.
_PACKING = {
    "1.2.840.10008.1.2.5": 128,
    "1.2.840.10008.1.2.4.50": 1024,
    "1.2.840.10008.1.2.4.51": 1024,
    "1.2.840.10008.1.2.4.57": 64,
    "1.2.840.10008.1.2.4.70": 64,
}
_MOST_PACKED = 20_000


@dataclass(frozen=True)
class Header:
    """What a file says up to its pixels; of these the tag (0 without pixels), where they begin, and their length.

    ``size`` is that of the file, or of what it inflates to; ``in_words`` tells whether pixels are written as OW.
    """

    dataset: FileDataset
    size: int
    tag: int = 0
    offset: int = 0
    length: int = 0
    in_words: bool = False


def read_header(path: Path) -> Header:
    """Read a DICOM file up to its pixels.

    Raises:
        Exception: of many kinds, if the file is damaged.
    """
    with path.open("rb") as opened:
        file = inflated(opened)
        dataset, found = _read_to_pixels(file)
        return Header(dataset, file.seek(0, io.SEEK_END), *found)


def inflated(file: BinaryIO) -> BinaryIO:
    """Return a file as it is, or inflated where all behind its first group was deflated.

    pydicom would inflate it too, but to any size.

    Raises:
        ValueError: if it inflates to more than may be trusted.
    """
    start = file.read(_META + 4)
    meta = start + file.read(int.from_bytes(start[_META:], "little") if len(start) > _META else 0)
    file.seek(0)
    if _SYNTAX + _DEFLATED.encode() not in meta:
        return file
    packed = zlib.decompressobj(-zlib.MAX_WBITS)
    file.seek(len(meta))
    plain = packed.decompress(file.read(), _MOST_INFLATED)
    if packed.unconsumed_tail:
        raise ValueError("it inflates to too much")
    return io.BytesIO(meta.replace(_DEFLATED.encode(), b"1.2.840.10008.1.2.1\0\0\0") + plain)


def _read_to_pixels(file: BinaryIO) -> tuple[FileDataset, tuple[Any, ...]]:
    found: list[Any] = []

    def stop(tag: Any, kind: str | None, length: int) -> bool:
        if tag in _PIXELS:
            found[:] = int(tag), file.tell(), length, kind == "OW"
        return tag in _PIXELS

    return read_partial(file, stop_when=stop, force=True), tuple(found)


def examine(path: Path) -> Instance | NoImage | Damaged:
    """Tell what a DICOM file holds; its pixels are not read, but must have room in the file."""
    try:
        header = read_header(path)
        if what := _what_instead(header):
            return NoImage(path, what)
        pixels = _pixel_format(header)
        reason = _no_room(pixels, header.size)
        return Damaged(path, reason) if reason else _instance(path, header.dataset, pixels)
    except OSError as error:
        return Damaged(path, f"cannot be opened ({error.strerror or 'it is damaged'})")
    except RecursionError:
        return Damaged(path, "has a header that is nested too deeply")
    except EOFError:
        return Damaged(path, "ends before its pixels")
    except Exception:  # pydicom, struct, zlib and decimal each have their own
        return Damaged(path, "has a damaged header")


def _what_instead(header: Header) -> str:
    """Return what an object is that holds no image to be fused, or nothing if it may hold one.

    Raises:
        EOFError: if pixels should be there.
    """
    dataset, kind = header.dataset, _kind(header.dataset)
    if header.tag:
        if kind.startswith(_SEGMENTATION):
            return "SEG"
        return "a whole slide" if kind == _WHOLE_SLIDE or "TotalPixelMatrixRows" in dataset else ""
    if "Rows" in dataset or "Image Storage" in UID(kind).name or not kind:
        raise EOFError
    return text(dataset, "Modality") or UID(kind).name


def _kind(dataset: FileDataset) -> str:
    return text(dataset, "SOPClassUID") or text(dataset.file_meta, "MediaStorageSOPClassUID")


def _instance(path: Path, dataset: FileDataset, pixels: PixelFormat) -> Instance:
    instance = Instance(
        path,
        uid=text(dataset, "SOPInstanceUID"),
        kind=_kind(dataset),
        series=text(dataset, "SeriesInstanceUID"),
        number=int(number(dataset, "SeriesNumber") or 0),
        order=int(number(dataset, "InstanceNumber") or 0),
        modality=text(dataset, "Modality"),
        description=text(dataset, "SeriesDescription") or text(dataset, "ProtocolName"),
        frame_of_reference=text(dataset, "FrameOfReferenceUID"),
        units=_units(dataset),
        pixels=pixels,
        padding=_padding(dataset, pixels),
        suv=suv_factor(dataset),
    )
    instance.frames = frames_of(instance, dataset)
    return instance


def _pixel_format(header: Header) -> PixelFormat:
    dataset, tag = header.dataset, header.tag
    syntax = text(dataset.file_meta, "TransferSyntaxUID") if "TransferSyntaxUID" in dataset.file_meta else ""
    # pydicom 2 has the one, pydicom 3 the other
    encoding = getattr(dataset, "original_encoding", None)
    little = encoding[1] if encoding else dataset.read_little_endian
    bits = _PIXELS[tag] or int(dataset.BitsAllocated)
    stored = bits if _PIXELS[tag] else int(number(dataset, "BitsStored") or bits)
    return PixelFormat(
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=int(number(dataset, "SamplesPerPixel") or 1),
        frames=max(1, int(number(dataset, "NumberOfFrames") or 1)),
        photometric=text(dataset, "PhotometricInterpretation") or "MONOCHROME2",
        is_planar=number(dataset, "PlanarConfiguration") == 1,
        bits_allocated=bits,
        bits_stored=stored,
        high_bit=stored - 1 if number(dataset, "HighBit") is None else int(dataset.HighBit),
        is_signed=number(dataset, "PixelRepresentation") == 1,
        is_float=bool(_PIXELS[tag]),
        is_big_endian=little is False or syntax in _BIG_ENDIAN,
        syntax=syntax,
        offset=header.offset,
        length=None if header.length == _UNDEFINED else header.length,
        in_words=bool(header.in_words),
        palette=_palette(dataset),
    )


def frame_bytes(pixels: PixelFormat) -> int:
    """Return how many bytes a frame takes where it is not compressed."""
    numbers = pixels.rows * pixels.columns * pixels.samples
    if pixels.photometric == "YBR_FULL_422" and pixels.length is not None:
        numbers = numbers * 2 // 3  # two pixels share their colour
    return numbers * pixels.bits_allocated // 8


def _no_room(pixels: PixelFormat, size: int) -> str:
    """Return why pixels cannot be what the header promises, in a file of so many bytes, or nothing."""
    if not (pixels.rows and pixels.columns):
        return "has no rows or no columns"
    ends_within_word = pixels.swaps_bytes and frame_bytes(pixels) % 2
    if pixels.bits_allocated not in (8, 16, 32, 64) or pixels.samples not in (1, 3, 4) or ends_within_word:
        return f"has pixels of {pixels.samples} times {pixels.bits_allocated} bits, which are not read"
    if not 0 < pixels.bits_stored <= pixels.high_bit + 1 <= pixels.bits_allocated:
        return "contradicts itself on the bits of its pixels"
    if pixels.frames > _MOST_FRAMES:
        return f"says that it has {pixels.frames} frames; at most {_MOST_FRAMES} are read"
    needed = frame_bytes(pixels) * pixels.frames
    if pixels.length is not None and pixels.length < needed:
        return f"holds {pixels.length} bytes of pixels where its header asks for {needed}"
    if pixels.length is None:
        needed = max(8 * pixels.frames, needed // _PACKING.get(pixels.syntax, _MOST_PACKED))
    return "ends within its pixels" if size - pixels.offset < needed else ""


def _units(dataset: Dataset) -> str:
    """Return the units of values for people; CT is in Hounsfield units unless its header says otherwise."""
    default = "HU" if text(dataset, "Modality") == "CT" else ""
    units = text(dataset, "DoseUnits") or units_of(dataset) or default
    return _UNITS.get(units, units)


def _padding(dataset: Dataset, pixels: PixelFormat) -> tuple[float, float] | None:
    """Return the first and last stored number that stand for no measurement, in the sign of the pixels."""
    first = dataset.get("PixelPaddingValue")
    if first is None or pixels.samples != 1:
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    limits = [first, first if last is None else last]
    bits = pixels.bits_allocated
    if pixels.is_signed:
        limits = [(int(each) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1) for each in limits]
    else:
        limits = [int(each) % (1 << bits) for each in limits]
    return (float(min(limits)), float(max(limits)))


def _palette(dataset: Dataset) -> tuple[int, np.ndarray] | None:
    if text(dataset, "PhotometricInterpretation") != "PALETTE COLOR":
        return None
    tables = []
    entries, first, bits = (int(each) for each in dataset.RedPaletteColorLookupTableDescriptor)
    for color in ("Red", "Green", "Blue"):
        data = dataset[f"{color}PaletteColorLookupTableData"].value
        wide = np.frombuffer(data, "<u2" if len(data) >= 2 * (entries or 1 << 16) else "u1")
        tables.append((wide >> 8 if bits == 16 and wide.dtype.itemsize == 2 else wide).astype(np.uint8))
    shortest = min(map(len, tables))
    if not shortest:
        raise ValueError("an empty palette")
    return first, np.stack([table[:shortest] for table in tables], axis=-1)
