"""Frames as one array of values: each rescaled as it says, in the smallest type that holds all."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np

from volfuse.imaging.dicom.instance import Frame, PixelFormat, Rescale
from volfuse.imaging.dicom.pixels import PixelReader, reading


def read_values(frames: Sequence[Frame]) -> tuple[np.ndarray, str]:
    """Read frames in their order.

    Returns:
        Values (X, Y, Z), or RGB (X, Y, Z, 3), and a note on what was done to pixels without a measurement, or nothing.

    Raises:
        DamagedPixels: if the pixels of a file cannot be read.
    """
    values: np.ndarray | None = None
    holes: list[tuple[int, np.ndarray]] = []  # packed to one bit for each pixel
    lowest, highest = np.inf, -np.inf
    for k, (frame, stored) in enumerate(_stored(frames)):
        measured = _rescaled(stored, frame.rescale)
        if values is None:
            values = np.empty((len(frames), *stored.shape), _type(frames, stored))
        if values.dtype.kind in "iu" and not _fits(measured, values.dtype):
            values = values.astype(np.int32 if _fits(measured, np.dtype(np.int32)) else np.float32)
        values[k] = measured
        padding = frame.instance.padding
        if padding is not None:
            is_hole = (stored >= padding[0]) & (stored <= padding[1])
            if is_hole.any():
                holes.append((k, np.packbits(is_hole)))
            if not is_hole.all():
                lowest = min(lowest, float(measured[~is_hole].min()))
                highest = max(highest, float(measured[~is_hole].max()))
    assert values is not None
    note = _fill(values, holes, lowest, highest) if np.isfinite(lowest) else ""
    return np.swapaxes(values, 0, 2), note


def _fill(values: np.ndarray, holes: Sequence[tuple[int, np.ndarray]], lowest: float, highest: float) -> str:
    """Give pixels without a measurement the lowest value that was measured.

    Where padding lies among the measured values, the header is not believed.
    """
    count = 0
    for k, packed in holes:
        is_hole = np.unpackbits(packed, count=values[k].size).reshape(values[k].shape).astype(bool)
        is_hole &= (values[k] < lowest - 1) | (values[k] > highest)
        count += int(is_hole.sum())
        values[k][is_hole] = lowest
    if not count:
        return ""
    return f"{count} voxels are padding without a measurement; they are given the lowest value, {lowest:g}."


def _stored(frames: Sequence[Frame]) -> Iterator[tuple[Frame, np.ndarray]]:
    """Yield the stored numbers of every frame, each file opened once as long as its frames follow one another."""
    with ExitStack() as opened:
        reader: PixelReader | None = None
        last = None
        for frame in frames:
            if reader is None or frame.instance is not last:
                opened.close()
                last, reader = frame.instance, opened.enter_context(reading(frame.instance))
            yield frame, reader.frame(frame.index)


def _rescaled(stored: np.ndarray, rescale: Rescale) -> np.ndarray:
    if stored.ndim == 3:
        return stored
    if rescale.table is not None:
        first, table = rescale.table
        looked_up: np.ndarray = table[np.clip(stored.astype(np.int64) - first, 0, len(table) - 1)]
        return looked_up
    if (rescale.slope, rescale.intercept) == (1.0, 0.0):
        return stored
    if stored.dtype.kind in "iu" and rescale.slope.is_integer() and rescale.intercept.is_integer():
        return stored.astype(np.int64) * int(rescale.slope) + int(rescale.intercept)
    return stored * np.float64(rescale.slope) + rescale.intercept


def _type(frames: Sequence[Frame], stored: np.ndarray) -> np.dtype:
    """Return the type to begin with; it grows where an integer does not fit."""
    rescales = [frame.rescale for frame in frames]
    if stored.ndim == 3:
        return stored.dtype.newbyteorder("=")
    if stored.dtype.kind == "f" or not all(
        each.slope.is_integer() and each.intercept.is_integer() for each in rescales
    ):
        return np.dtype(np.float32)
    if all((each.slope, each.intercept, each.table) == (1.0, 0.0, None) for each in rescales):
        return _integer(frames[0].instance.pixels)
    return np.dtype(np.int16)


def _integer(pixels: PixelFormat) -> np.dtype:
    if pixels.is_signed:
        return np.dtype(np.int16 if pixels.bits_stored <= 16 else np.int32)
    for dtype, bits in ((np.uint8, 8), (np.int16, 15), (np.uint16, 16)):
        if pixels.bits_stored <= bits and (bits > 8 or pixels.bits_allocated == 8):
            return np.dtype(dtype)
    return np.dtype(np.uint32)


def _fits(values: np.ndarray, dtype: np.dtype) -> bool:
    if values.dtype == dtype:
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= values.min() and values.max() <= limits.max)
