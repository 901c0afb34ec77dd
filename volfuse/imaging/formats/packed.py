"""Voxels as they lie in a file: raw or compressed, checked against the file before memory is taken for them."""

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.formats.refusals import damaged
from volfuse.imaging.formats.streams import MOST_PER_BYTE, Packing, open_regular, unpacked


@dataclass(frozen=True)
class Packed:
    """Where the voxels of a file are, and how they lie there.

    Attributes:
        path: a regular file.
        shape: axes, the fastest first.
        dtype: of a voxel, with its byte order.
        offset: bytes before the first voxel, counted from ``start`` and after unpacking.
        start: bytes of the file before what is compressed.
        packing: how.
        follow: whether the file may be a link.
        padding: bytes after the last voxel that are passed over; archives and tapes pad files.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int = 0
    start: int = 0
    packing: Packing = ""
    follow: bool = True
    padding: int = 4096

    @property
    def size(self) -> int:
        """Bytes of the voxels, unpacked."""
        return math.prod(self.shape) * self.dtype.itemsize

    def check(self) -> None:
        """Refuse what the file cannot hold, before memory is taken for it.

        Raises:
            FusionError: if there are no voxels, or more or far fewer than the file has bytes for.
        """
        if min(self.shape, default=0) < 1 or self.offset < 0:
            raise damaged(self.path, f"its header declares {' x '.join(map(str, self.shape))} voxels")
        held = self.path.stat().st_size - self.start
        if self.offset + self.size > held * MOST_PER_BYTE[self.packing]:
            raise damaged(
                self.path, f"its header declares {self.size} bytes of voxels, more than it can hold"
            )
        if not self.packing and held - self.offset - self.size > self.padding:
            raise self._too_long()

    def read(self) -> np.ndarray:
        """Return the voxels, of ``shape`` and in Fortran order.

        Raises:
            FusionError: see :meth:`check`; or if what is compressed is damaged.
        """
        self.check()
        with open_regular(self.path, self.follow) as file:
            file.seek(self.start)
            if self.packing:
                flat = self._unpack(file)
            else:
                file.seek(self.offset, 1)
                flat = np.fromfile(file, np.uint8, self.size)
        return flat.view(self.dtype).reshape(self.shape, order="F")

    def _unpack(self, file: BinaryIO) -> np.ndarray:
        voxels = np.empty(self.size, np.uint8)
        position = -self.offset
        try:
            # Beyond the last voxel, for at the end of what is compressed stands its checksum.
            for piece in unpacked(file, self.packing):
                part = memoryview(piece)[max(-position, 0) : max(self.size - position, 0)]
                begin = max(position, 0)
                voxels[begin : begin + len(part)] = np.frombuffer(part, np.uint8)
                position += len(piece)
                if position > self.size + self.padding:
                    raise self._too_long()
        except (zlib.error, OSError, EOFError) as error:
            raise damaged(self.path, "what is compressed in it is damaged or incomplete") from error
        if position < self.size:
            raise damaged(self.path, "it ends before its last voxel")
        return voxels

    def _too_long(self) -> FusionError:
        return damaged(self.path, f"its header declares {self.size} bytes of voxels, but it holds more")
