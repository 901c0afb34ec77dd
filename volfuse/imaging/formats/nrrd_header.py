"""The words of a NRRD header: https://teem.sourceforge.net/nrrd/format.html."""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

DTYPES: Mapping[str, str] = {
    name: dtype
    for dtype, names in {
        "i1": "signed char, int8, int8_t",
        "u1": "uchar, unsigned char, uint8, uint8_t",
        "i2": "short, short int, signed short, signed short int, int16, int16_t",
        "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
        "i4": "int, signed int, int32, int32_t",
        "u4": "uint, unsigned int, uint32, uint32_t",
        "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
        "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
        "f4": "float",
        "f8": "double",
    }.items()
    for name in names.split(", ")
}
# Factors from the directions of a space to left, posterior, superior.
_SPACES: Mapping[str, tuple[int, int, int]] = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
_VECTOR = re.compile(r"none|\(([^()]*)\)", re.IGNORECASE)


def parse(text: str) -> tuple[dict[str, str], bool]:
    """Return the fields of a header in small letters, and whether its keys say that it is a segmentation."""
    fields: dict[str, str] = {}
    is_segmentation = False
    for line in text.splitlines()[1:]:
        if line.startswith("#"):
            continue
        key, is_key, _ = line.partition(":=")
        if is_key:
            is_segmentation |= key.startswith("Segment0_")
            continue
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields, is_segmentation


def vectors(text: str) -> list[np.ndarray | None]:
    """Return vectors such as ``(1,0,0) none``."""
    found = _VECTOR.finditer(text)
    return [
        None if match[1] is None else np.array([float(number) for number in match[1].split(",")])
        for match in found
    ]


def spatial_axes(fields: Mapping[str, str], dimension: int) -> list[int]:
    """Return the axes that run through space; every other one runs through components or volumes."""
    if "space directions" in fields:
        return [axis for axis, vector in enumerate(vectors(fields["space directions"])) if vector is not None]
    kinds = fields.get("kinds", "").lower().split() or ["domain"] * dimension
    return [axis for axis, kind in enumerate(kinds) if kind in ("domain", "space", "???", "none")]


def affine(fields: Mapping[str, str], axes: Sequence[int], name: str) -> tuple[np.ndarray, list[str]]:
    """Return the way from indices of ``axes`` to RAS mm, and a sentence if it is a guess.

    A space that names no direction of a patient counts as left, posterior, superior, as ITK has it.
    """
    result = np.eye(4)
    space = fields.get("space", "").lower()
    if "space directions" in fields:
        rows = [vector for vector in vectors(fields["space directions"]) if vector is not None]
        width = len(rows[0])
        if width > 3:
            raise ValueError(f"{name} has a space of {width} dimensions")
        result[:width, : len(rows)] = np.transpose(rows)
        if (len(rows), width) == (2, 3):  # a plane in space
            normal = np.cross(rows[0], rows[1])
            result[:3, 2] = normal / max(float(np.linalg.norm(normal)), 1e-12)
        if (origin := vectors(fields.get("space origin", ""))) and origin[0] is not None:
            result[:width, 3] = origin[0]
    else:
        space = ""
        spacings, minima = (_numbers(fields, field, axes) for field in ("spacings", "axis mins"))
        centerings = (fields.get("centerings") or fields.get("centers") or "").lower().split()
        for number, (axis, spacing, minimum) in enumerate(zip(axes, spacings, minima, strict=True)):
            step = 1.0 if math.isnan(spacing) else spacing
            is_node = len(centerings) > axis and centerings[axis] == "node"
            result[number, number] = step
            result[number, 3] = 0.0 if math.isnan(minimum) else minimum + (0.0 if is_node else step / 2)
    result = np.diag([*_SPACES.get(space, (1, 1, 1)), 1.0]) @ result
    notes = []
    if space not in _SPACES:
        notes.append(
            f"{name} does not say which way the patient lies; its axes were taken to run to the left, the back and "
            "the head, as ITK and 3D Slicer take them."
        )
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ result, notes


def _numbers(fields: Mapping[str, str], name: str, axes: Sequence[int]) -> list[float]:
    numbers = [float(number) for number in fields.get(name, "").split()]
    return [numbers[axis] if axis < len(numbers) else math.nan for axis in axes]
