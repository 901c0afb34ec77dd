"""The stored numbers of frames, one at a time, so that no more than a slice is in memory beside the volume."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.dicom.fragments import Fragment, decode, frames_in_fragments
from volfuse.imaging.dicom.header import frame_bytes, inflated
from volfuse.imaging.dicom.instance import Damaged, Instance, PixelFormat


class DamagedPixels(FusionError):  # noqa: N818 - as FusionCancelled
    """The pixels of a file cannot be read; ``reason`` follows its name in a sentence."""

    def __init__(self, instance: Instance, reason: str) -> None:
        super().__init__(f"{instance.path.name} {reason}.")
        self.damage = Damaged(instance.path, reason)


class PixelReader:
    """Reads frames of an open object.

    Raises:
        DamagedPixels: from all methods.
    """

    def __init__(self, instance: Instance, file: BinaryIO) -> None:
        self._instance = instance
        self._file = file
        self._fragments: list[list[Fragment]] = []
        if instance.pixels.length is None:
            with _named(instance):
                self._fragments = frames_in_fragments(file, instance.pixels)

    def bytes_of(self, index: int) -> bytes:
        """Return a frame as it lies in the file."""
        pixels = self._instance.pixels
        if self._fragments:
            parts = self._fragments[index]
        else:
            length = frame_bytes(pixels)
            parts = [(pixels.offset + index * length, length)]
        data = bytearray()
        for at, length in parts:
            self._file.seek(at)
            data += self._file.read(length)
        if len(data) < sum(length for _, length in parts):
            raise DamagedPixels(self._instance, "ends within its pixels")
        return bytes(data)

    def frame(self, index: int) -> np.ndarray:
        """Return stored numbers, (rows, columns), or RGB as 8 or 16 bit, (rows, columns, 3)."""
        pixels = self._instance.pixels
        if self._fragments:
            with _named(self._instance):
                return _with_palette(_counted(decode(self.bytes_of(index), pixels), pixels), pixels)
        return _to_rgb(_with_palette(_counted(_plain(self.bytes_of(index), pixels), pixels), pixels), pixels)


@contextmanager
def reading(instance: Instance) -> Iterator[PixelReader]:
    """Open an object for its pixels."""
    with instance.path.open("rb") as file:
        yield PixelReader(instance, inflated(file))


def _plain(data: bytes, pixels: PixelFormat) -> np.ndarray:
    kind = "f" if pixels.is_float else "i" if pixels.is_signed else "u"
    order = ">" if pixels.is_big_endian else "<"
    stored = np.frombuffer(data, f"{order}{kind}{pixels.bits_allocated // 8}")
    if pixels.swaps_bytes:
        stored = stored.reshape(-1, 2)[:, ::-1].reshape(-1)
    rows, columns, samples = pixels.rows, pixels.columns, pixels.samples
    if samples == 1:
        return stored.reshape(rows, columns)
    if pixels.photometric == "YBR_FULL_422":
        pairs = stored.reshape(-1, 4)  # two of brightness, and one of each colour
        colors = np.repeat(pairs[:, None, 2:], 2, axis=1)
        return np.concatenate([pairs[:, :2, None], colors], axis=2).reshape(rows, columns, 3)
    if pixels.is_planar:
        return np.moveaxis(stored.reshape(samples, rows, columns), 0, -1)
    return stored.reshape(rows, columns, samples)


def _counted(stored: np.ndarray, pixels: PixelFormat) -> np.ndarray:
    """Return the bits that count: others may hold an overlay, or whatever was in memory when the file was written."""
    width = stored.dtype.itemsize * 8
    bits, low = pixels.bits_stored, pixels.high_bit + 1 - pixels.bits_stored
    if stored.dtype.kind == "f" or (bits >= width and low == 0):
        return stored
    left = max(0, width - bits - low)
    plain = stored.astype(f"{'i' if pixels.is_signed else 'u'}{width // 8}")
    counted: np.ndarray = (plain << left) >> (left + low)  # of signed numbers, the sign is drawn along
    return counted


def _with_palette(stored: np.ndarray, pixels: PixelFormat) -> np.ndarray:
    if pixels.palette is None:
        return stored
    first, table = pixels.palette
    colors: np.ndarray = table[np.clip(stored.astype(np.int64) - first, 0, len(table) - 1)]
    return colors


def _to_rgb(stored: np.ndarray, pixels: PixelFormat) -> np.ndarray:
    """Return RGB where a pixel is brightness and two differences of colour (ITU-R BT.601, full range)."""
    if pixels.photometric not in ("YBR_FULL", "YBR_FULL_422"):
        return stored
    y, blue, red = np.moveaxis(stored.astype(np.float32), -1, 0)
    blue, red = blue - 128, red - 128
    rgb = np.stack([y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue], axis=-1)
    whole: np.ndarray = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return whole


@contextmanager
def _named(instance: Instance) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise DamagedPixels(instance, f"has damaged pixels: {error}") from error
