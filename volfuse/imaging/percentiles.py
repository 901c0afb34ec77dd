"""Percentiles of volumes of any size, exactly and in little memory: voxels are counted, not sorted."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

_AT_A_TIME = 1 << 20
_HALF = 1 << 16  # what 16 bits can hold
_SIGN = np.uint32(1 << 31)


def percentiles(voxels: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Return what ``numpy.percentile`` does, with its linear interpolation, in double precision.

    Args:
        voxels: any shape, finite. Numbers of more than 16 bits are taken as float32.
        shares: 0..100.
    """
    flat = voxels.ravel(order="K")
    if not (flat.dtype.kind in "iu" and flat.dtype.itemsize <= 2):
        flat = flat.astype(np.float32, copy=False)
    places = [share / 100 * (flat.size - 1) for share in shares]
    ranks = sorted({rank for place in places for rank in (math.floor(place), math.ceil(place))})
    ranked = _ranked_floats(flat, ranks) if flat.dtype.kind == "f" else _ranked_integers(flat, ranks)
    found = dict(zip(ranks, ranked, strict=True))
    return [_between(found[math.floor(place)], found[math.ceil(place)], place % 1) for place in places]


def _ranked_integers(flat: np.ndarray, ranks: Sequence[int]) -> list[float]:
    """Return the numbers of 8 or 16 bits that would stand at ``ranks`` if they were sorted."""
    kind = np.iinfo(flat.dtype)
    unsigned = np.dtype(f"u{flat.dtype.itemsize}")
    counts = _count(flat, lambda part: part.view(unsigned), kind.max - kind.min + 1)
    if kind.min < 0:  # the negative ones are counted behind the others
        counts = np.roll(counts, -kind.min)
    return [float(np.searchsorted(np.cumsum(counts), rank, side="right")) + kind.min for rank in ranks]


def _ranked_floats(flat: np.ndarray, ranks: Sequence[int]) -> list[float]:
    """Do the same for float32: first by the upper 16 bits of what sorts alike, then by the lower."""
    upper = np.cumsum(_count(flat, lambda part: _sortable(part) >> 16, _HALF))
    ranked = []
    lower: dict[int, np.ndarray] = {}
    for rank in ranks:
        bucket = int(np.searchsorted(upper, rank, side="right"))
        if bucket not in lower:
            lower[bucket] = np.cumsum(_count(flat, partial(_lower, bucket), _HALF))
        before = int(upper[bucket - 1]) if bucket else 0
        key = np.uint32(bucket << 16 | int(np.searchsorted(lower[bucket], rank - before, side="right")))
        ranked.append(float((key ^ _SIGN if key & _SIGN else ~key).view(np.float32)))
    return ranked


def _sortable(numbers: np.ndarray) -> np.ndarray:
    """Return unsigned integers in the order of float32 numbers."""
    bits = numbers.view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _lower(bucket: int, numbers: np.ndarray) -> np.ndarray:
    keys = _sortable(numbers)
    lower: np.ndarray = keys[keys >> 16 == bucket] & np.uint32(_HALF - 1)
    return lower


def _count(flat: np.ndarray, keys: Callable[[np.ndarray], np.ndarray], length: int) -> np.ndarray:
    counts = np.zeros(length, np.int64)
    for part in _parts(flat):
        counts += np.bincount(keys(part), minlength=length)
    return counts


def _parts(flat: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, flat.size, _AT_A_TIME):
        yield flat[start : start + _AT_A_TIME]


def _between(low: float, high: float, share: float) -> float:
    # From the nearer end, as numpy does: rounding then never leaves the interval.
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
