"""What the header of a DICOM object says, without its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class PixelFormat:
    """How the frames of an object lie in its file.

    Attributes:
        rows, columns: of a frame.
        samples: numbers per pixel: 1, or 3 for colour.
        frames: how many.
        photometric: such as ``"MONOCHROME2"``.
        is_planar: whether all red numbers of a frame precede all green ones.
        bits_allocated: of a number in the file.
        bits_stored: how many of them count; others may hold an overlay or rubbish.
        high_bit: the highest that counts.
        is_signed: whether numbers are in two's complement.
        is_float: whether numbers are floating point.
        is_big_endian: whether the highest byte comes first.
        syntax: UID of the transfer syntax.
        offset: where the pixels begin in the file, or in what it inflates to.
        length: of the pixels in bytes; ``None`` where they lie in fragments, as compressed ones do.
        in_words: whether they are written as words of 16 bits.
        palette: tables of red, green and blue, (entries, 3) 0..255, with the number of their first entry.
    """

    rows: int
    columns: int
    samples: int
    frames: int
    photometric: str
    is_planar: bool
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_float: bool
    is_big_endian: bool
    syntax: str
    offset: int
    length: int | None
    in_words: bool = False
    palette: tuple[int, np.ndarray] | None = None

    @property
    def swaps_bytes(self) -> bool:
        """Whether bytes stand in pairs the other way round: 8 bits in words whose highest byte comes first."""
        return self.is_big_endian and self.in_words and self.bits_allocated == 8


@dataclass(frozen=True)
class Rescale:
    """How stored numbers become values: ``slope * stored + intercept``, or through a table.

    ``table`` is the number of its first entry and the entries.
    """

    slope: float = 1.0
    intercept: float = 0.0
    table: tuple[int, np.ndarray] | None = None


@dataclass(frozen=True)
class Plane:
    """Where the pixels of a frame lie, in mm; ``None`` where the header does not say.

    Attributes:
        position: centre of the first pixel, (3,), LPS.
        orientation: directions along a row and down a column, (2, 3), LPS.
        spacing: between rows and between columns.
        thickness: of the slice.
        distance: to the next slice, as the header says.
        position_rounding: half a unit of the last decimal place that the header gives positions with.
        orientation_rounding: the same for directions.
    """

    position: np.ndarray | None = None
    orientation: np.ndarray | None = None
    spacing: tuple[float, float] | None = None
    thickness: float | None = None
    distance: float | None = None
    position_rounding: float = 0.0
    orientation_rounding: float = 0.0

    @property
    def is_placed(self) -> bool:
        """Whether the header says where the plane lies and how it is turned."""
        return self.position is not None and self.orientation is not None

    @property
    def directions(self) -> np.ndarray:
        """``orientation``, of a plane that is placed."""
        assert self.orientation is not None
        return self.orientation

    @property
    def normal(self) -> np.ndarray:
        """Unit vector, (3,), LPS, of a plane that is placed."""
        normal: np.ndarray = np.cross(self.directions[0], self.directions[1])
        normal /= np.linalg.norm(normal)
        return normal


@dataclass(frozen=True, eq=False)
class Frame:
    """One plane of pixels.

    Attributes:
        instance: the object it belongs to.
        index: its number there, from 0.
        plane: where it lies.
        rescale: how its numbers become values.
        traits: what can tell volumes of one series apart, by its name for people, such as ``{"echo time": 80.0}``.
    """

    instance: "Instance"
    index: int
    plane: Plane
    rescale: Rescale
    traits: Mapping[str, object]

    @property
    def name(self) -> str:
        """What a message calls it."""
        return self.instance.path.name if self.instance.pixels.frames == 1 else f"frame {self.index + 1}"


@dataclass(eq=False)
class Instance:
    """One DICOM object with an image.

    Attributes:
        path: its file.
        uid: of the object.
        kind: UID of its class, such as CT Image Storage.
        series: UID of its series.
        number: of the series, 0 where it has none.
        order: the instance number.
        modality: such as ``"MR"``.
        description: of the series.
        frame_of_reference: UID.
        units: of its values.
        pixels: how its pixels lie in the file.
        padding: stored numbers, first and last, that stand for no measurement.
        suv: factor of the standardized uptake value, or why there is none.
        frames: all of them.
    """

    path: Path
    uid: str
    kind: str
    series: str
    number: int
    order: int
    modality: str
    description: str
    frame_of_reference: str
    units: str
    pixels: PixelFormat
    padding: tuple[float, float] | None = None
    suv: float | str = ""
    frames: list[Frame] = field(default_factory=list)


@dataclass(frozen=True)
class NoImage:
    """A DICOM object without an image, such as a report: its file and what it is."""

    path: Path
    what: str


@dataclass(frozen=True)
class Damaged:
    """A file that cannot be read; ``reason`` follows its name in a sentence, such as ``"is empty"``."""

    path: Path
    reason: str
