"""Which files may be DICOM: one file, all in a folder, or those that a DICOMDIR lists."""

import os
from pathlib import Path

from pydicom.dataset import Dataset

from volfuse.errors import FusionError

MOST_FILES = 50_000
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"  # Media Storage Directory
_MARK = 128  # where "DICM" stands
_EXPLICIT = [
    b"UL",
    b"UI",
    b"CS",
    b"SH",
    b"LO",
    b"DA",
    b"TM",
    b"OB",
    b"UN",
]  # kinds of value that begin a header


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder and its subfolders in order, without what the Macintosh adds.

    Links are followed only to files inside the folder, and what is no ordinary file is passed over.

    Raises:
        FusionError: for more than ``MOST_FILES``.
    """
    home = folder.resolve()
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__MACOSX")
        for name in sorted(names):
            path = Path(parent, name)
            inside = not path.is_symlink() or path.resolve().is_relative_to(home)
            if not name.startswith("._") and inside and path.is_file():
                found.append(path)
        if len(found) > MOST_FILES:
            raise FusionError(
                f"The folder {folder.name} holds more than {MOST_FILES} files; give the folder of one study."
            )
    return found


def files_of_directory(path: Path, directory: Dataset) -> list[Path]:
    """Return the files that a DICOMDIR lists, whether they are there or not.

    Raises:
        FusionError: for more than ``MOST_FILES``, or a file outside of its folder.
    """
    listed: list[Path] = []
    for record in directory.get("DirectoryRecordSequence") or []:
        parts = record.get("ReferencedFileID")
        if not parts:
            continue
        parts = [parts] if isinstance(parts, str) else [str(part) for part in parts]
        if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in parts):
            raise FusionError(
                f"{path.name} lists a file outside of its folder; give the folder of the images."
            )
        names = [parts, [part.lower() for part in parts]]  # discs are often mounted in small letters
        candidates = [path.parent.joinpath(*each) for each in names]
        there = [each for each in candidates if each.is_file()] or [
            each for each in candidates if each.parent.is_dir()
        ]
        listed.append([*there, *candidates][0])
        if len(listed) > MOST_FILES:
            raise FusionError(
                f"{path.name} lists more than {MOST_FILES} files; give the folder of one study."
            )
    return listed


def is_dicom(path: Path) -> bool:
    """Tell from its first bytes whether a file is DICOM; its name does not count."""
    with path.open("rb") as file:
        return begins_as_dicom(file.read(_MARK + 4))


def begins_as_dicom(start: bytes) -> bool:
    """Tell whether a file that starts with these bytes, 132 or more, is DICOM, with or without the preamble of 128."""
    return start[_MARK : _MARK + 4] == b"DICM" or _begins_a_header(start)


def _begins_a_header(start: bytes) -> bool:
    """Tell whether the first element is one of group 2 or 8, as in files of old programs that lack the preamble."""
    if len(start) < _MARK:
        return False
    group, element, kind = start[:2], start[2:4], start[4:6]
    if group in (b"\x00\x02", b"\x00\x08"):  # big endian, always explicit
        return element < b"\x00\x20" and kind in _EXPLICIT
    if group not in (b"\x02\x00", b"\x08\x00") or element[1] or element[0] > 0x20:
        return False
    return kind in _EXPLICIT or int.from_bytes(start[4:8], "little") <= 64


def looks_like(path: Path, images: list[Path]) -> bool:
    """Tell whether the name of a file says that it belongs to the DICOM files beside it."""
    if path.suffix.lower() in DICOM_SUFFIXES:
        return True
    pattern = _pattern(path)
    return "#" in pattern and any(_pattern(image) == pattern for image in images)


def _pattern(path: Path) -> str:
    return "".join("#" if character.isdigit() else character for character in path.name.lower())
