"""Bytes of files from outside: only of regular files, and unpacked a bounded piece at a time."""

import bz2
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from volfuse.imaging.formats.refusals import damaged

Packing = Literal["", "gzip", "zlib", "bzip2"]

# The most bytes that a byte of the file can unpack to: deflate codes 258 bytes in 2 bits; bzip2 codes a block of
# 900000 bytes, each 5 of which stand for up to 259, in no less than 32.
MOST_PER_BYTE: dict[Packing, float] = {"": 1, "gzip": 1032, "zlib": 1032, "bzip2": 900_000 / 5 * 259 / 32}
_MAGIC: dict[Packing, bytes] = {"gzip": b"\x1f\x8b", "bzip2": b"BZh"}
_WINDOW_BITS = {"gzip": 31, "zlib": 15}
_CHUNK = 1 << 20


def open_regular(path: Path, follow: bool = True) -> BinaryIO:
    """Open a file for reading, unless it is a pipe, a device or a socket, which could block for ever.

    Args:
        path: the file.
        follow: whether it may be a link.

    Raises:
        FusionError: if it is no regular file.
    """
    status = path.stat() if follow else path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise damaged(path, "it is no regular file")
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0))), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # replaced since it was looked at
        file.close()
        raise damaged(path, "it is no regular file")
    return file


def beginning(path: Path, length: int) -> tuple[bytes, Packing]:
    """Return the first bytes of a file, unpacked, and how it is compressed as a whole.

    Raises:
        FusionError: if it is no regular file, or what is compressed is damaged there.
    """
    with open_regular(path) as file:
        start = file.read(length)
        packing: Packing = next((packing for packing, magic in _MAGIC.items() if start.startswith(magic)), "")
        if packing:
            file.seek(0)
            start = b""
            try:
                for piece in unpacked(file, packing, length):
                    start += piece
                    if len(start) >= length:
                        break
            except (zlib.error, OSError, EOFError) as error:
                if not start:
                    raise damaged(path, "what is compressed in it is damaged or incomplete") from error
    return start[:length], packing


def unpacked(file: BinaryIO, packing: Packing, most: int = 4 * _CHUNK) -> Iterator[bytes]:
    """Yield what a stream unpacks to, in pieces of at most ``most`` bytes, over all its members.

    Raises:
        zlib.error, OSError, EOFError: if it is damaged, or ends too early.
    """
    chunk = file.read(_CHUNK)
    while True:
        unpacker = bz2.BZ2Decompressor() if packing == "bzip2" else zlib.decompressobj(_WINDOW_BITS[packing])
        is_end = False
        while not unpacker.eof:
            # Only zlib gives back what it has not taken yet; bz2 keeps it and says so.
            if not chunk and getattr(unpacker, "needs_input", True):
                chunk = file.read(_CHUNK)
                is_end = not chunk
            piece = unpacker.decompress(chunk, most)
            chunk = getattr(unpacker, "unconsumed_tail", b"")
            if piece:
                yield piece
            elif is_end:
                raise EOFError
        chunk = unpacker.unused_data or file.read(_CHUNK)
        if packing not in _MAGIC or not chunk.startswith(_MAGIC[packing]):
            return
