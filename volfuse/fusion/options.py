"""What a user may choose for one fusion: the only list there is. It imports no torch.

A new option is one line of :class:`FusionOptions`: type, default, words, bounds. Whoever shows, checks or carries
options asks :func:`listed` for them: the command makes flags (``volfuse.flags``), a request of ``volfuse.jobs`` is
checked, the label server makes its schema (``volfuse.label.server.parameters``), the panel its parameters and widgets
(``SlicerFusionLib.options``). Which model fuses, and where, is chosen with the pipeline, which stays for the next case.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, get_args, get_type_hints

from volfuse.choices import Color, Colormap, Plane, WindowChoice
from volfuse.errors import FusionError

FrontEnd = Literal["command", "register", "server", "panel"]


@dataclass(frozen=True)
class PerSource:
    """What the entries of an option are that has one value for each source.

    Attributes:
        singular: what one entry is called, and the flag that gives it.
        text: a regular expression for entries that are text, the only ones besides ``None`` that strangers may send.
        is_valid: tells whether something else than text is an entry too.
        expected: says in the plural what entries may be.
    """

    singular: str
    text: str
    is_valid: Callable[[Any], bool]
    expected: str


@dataclass(frozen=True)
class Option:
    """One option, as front ends need it.

    Attributes:
        name: of its field.
        kind: ``bool``, ``int``, ``float`` or a ``Literal`` of texts; of no use where it is ``per_source``.
        default: what is taken unless the user chooses.
        title: its name for people.
        words: what it does, in one sentence or two: help of the command, tool tip of the panel.
        bounds: of a number, the least and the greatest.
        front_ends: who shows it. A request carries all options.
        per_source: what its entries are, if it has one for each source.
    """

    name: str
    kind: Any
    default: Any
    title: str
    words: str
    bounds: tuple[float, float] | None
    front_ends: tuple[FrontEnd, ...]
    per_source: PerSource | None

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts to choose from, if it is such an option."""
        return get_args(self.kind)

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.per_source:
            return f"a list of {self.per_source.expected}"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.bounds:
            number = "a whole number" if self.kind is int else "a number"
            return "{} from {:g} to {:g}".format(number, *self.bounds)
        return "true or false"

    def accepts(self, value: Any) -> bool:
        """Tell whether ``value``, with tuples for lists, has the right type and lies within the bounds."""
        if self.per_source:
            entries = value if isinstance(value, tuple) else (0,)
            return all(
                entry != "" if isinstance(entry, str) else self.per_source.is_valid(entry)
                for entry in entries
            )
        if self.choices:
            return value in self.choices
        if self.bounds:
            least, greatest = self.bounds
            has_type = type(value) is int if self.kind is int else _is_number(value)
            return has_type and least <= value <= greatest
        return isinstance(value, bool)


def option(
    default: Any,
    title: str,
    words: str,
    bounds: tuple[float, float] | None = None,
    front_ends: tuple[FrontEnd, ...] = get_args(FrontEnd),
    per_source: PerSource | None = None,
) -> Any:
    """Return a field of :class:`FusionOptions`; the arguments are the attributes of :class:`Option`."""
    metadata = {"title": title, "words": words, "bounds": bounds}
    return field(default=default, metadata=metadata | {"front_ends": front_ends, "per_source": per_source})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any, count: int) -> bool:
    return isinstance(value, tuple) and len(value) == count and all(map(_is_number, value))


def _is_grey_or_table(value: Any) -> bool:
    is_table = isinstance(value, tuple) and len(value) == 256
    return value is None or (is_table and all(_are_numbers(row, 3) for row in value))


_WINDOWS = PerSource(
    "window",
    r".{1,40}",
    lambda value: _are_numbers(value, 2),
    "window names and (low, high) pairs",
)
_COLORMAPS = PerSource(
    "colormap",
    r"[A-Za-z0-9_]{1,40}",
    _is_grey_or_table,
    "colour map names, tables of 256 RGB rows and None",
)
_SERIES = PerSource(
    "series",
    r"[A-Za-z0-9.]{1,64}",
    lambda value: False,
    "numbers of series in their list, UIDs and 'auto'",
)


@dataclass(frozen=True)
class FusionOptions:
    """What a user may choose for one fusion, in words and numbers alone.

    Lists and arrays are taken where tuples are named, and one text where an option has one entry for each source.

    Attributes:
        windows: one intensity window for all sources or one each, as text (``"auto"``, ``"ct-brain"``, ``"W80/L40"``,
            ``"p1:p99"``, ``"suv:0-10"``) or (low, high) in source values.
        colormaps: nothing, or one entry for the last source, or one each: a matplotlib name, a table of 256 RGB rows
            (0..1, or integers 0..255), ``None`` or ``"none"`` for grey.
        color: how the colour of a source comes back: ``"gamut"`` keeps its hue, and lets chroma and a little luminance
            give way where no screen shows both; ``"luminance"`` lets chroma alone give way; ``"published"`` keeps Cb
            and Cr and clips, as the papers do.
        plane: the slices that are fused.
        batch_size: slices at a time; 0 chooses by device.
        mixed_precision: let a trained network compute in bfloat16 on a GPU; classical rules never do.
        contributions: also return what each source adds; see ``volfuse.fusion.pipeline.FusedCase``.
        series: which DICOM series of a folder, once for all sources or once each: its number in the list that the error
            gives, or its UID; ``"auto"`` is the only one there is.
        rectify: resample DICOM slices that are sheared or unevenly spaced onto a regular grid.
        skip_damaged: leave out DICOM files that cannot be read, instead of refusing their series.

    Raises:
        FusionError: if a value has the wrong type or lies outside its bounds. Whether there are such windows and
            colour maps is seen when images are fused.
    """

    windows: str | Sequence[WindowChoice] = option(
        ("auto",),
        "Intensity windows",
        "Intensity window, once for all images or once for each: auto, ct-brain, ct-bone, ct-soft-tissue, mr, pet, "
        "W80/L40, -160:240, p1:p99, suv:0-10.",
        front_ends=("command", "server"),
        per_source=_WINDOWS,
    )
    colormaps: str | Sequence[Colormap | None] = option(
        (),
        "Colour maps",
        "Colour map (matplotlib name): once for the last image, or once for each with 'none' for grey.",
        front_ends=("command", "server"),
        per_source=_COLORMAPS,
    )
    color: Color = option(  # noqa: RUF009 - as the others, but Color hides that it is a Literal
        "gamut",
        "Colour",
        "How the colour of an image comes back: gamut keeps its hue and balances colour and brightness where no screen "
        "shows both; luminance keeps the brightness exactly; published clips, as the papers do.",
    )
    plane: Plane = option(  # noqa: RUF009
        "axial", "Slice direction", "Volumes are fused slice by slice in this direction."
    )
    batch_size: int = option(
        0,
        "Slices at a time",
        "Fewer slices at a time need less memory; 0 lets the device decide.",
        bounds=(0, 512),
        front_ends=("command", "panel"),
    )
    mixed_precision: bool = option(
        True,
        "Mixed precision",
        "Faster on a graphics card; values can differ by one grey level.",
        front_ends=("panel",),
    )
    contributions: bool = option(
        False,
        "Show what each volume contributes",
        "Also makes a volume for each source that shows how much of the fused brightness comes from it. "
        "They add up to the fused volume.",
        front_ends=("panel",),
    )

    series: str | Sequence[str] = option(
        ("auto",),
        "DICOM series",
        "Which DICOM series of a folder, once for all images or once for each: its number in the list that the error "
        "gives where there are several, or its UID.",
        front_ends=("command", "register"),
        per_source=_SERIES,
    )
    rectify: bool = option(
        False,
        "Rectify",
        "Resample DICOM slices that are sheared (gantry tilt) or unevenly spaced onto a regular grid, instead of "
        "refusing them.",
        front_ends=("command", "register"),
    )
    skip_damaged: bool = option(
        False,
        "Skip damaged files",
        "Leave out DICOM files that cannot be read, instead of refusing their series.",
        front_ends=("command", "register"),
    )

    def __post_init__(self) -> None:
        """Check every value, and put tuples in place of lists."""
        for each in listed():
            value = _as_tuples(getattr(self, each.name))
            if each.per_source and isinstance(value, str):
                value = (value,)
            if not each.accepts(value):
                raise FusionError(f"The option '{each.name}' must be {each.expected}, not {value!r:.60}.")
            object.__setattr__(self, each.name, value)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FusionOptions":
        """Read options by name, as ``dataclasses.asdict`` writes them.

        Raises:
            FusionError: for an unknown name, or see :class:`FusionOptions`.
        """
        names = [each.name for each in listed()]
        if unknown := [name for name in data if name not in names]:
            raise FusionError(f"There is no option '{unknown[0]}'; use {', '.join(names)}.")
        return cls(**data)


@cache
def listed(front_end: FrontEnd | None = None) -> tuple[Option, ...]:
    """Return all options, or those that a front end shows, in their order."""
    kinds = get_type_hints(FusionOptions)
    every = (
        Option(each.name, kinds[each.name], each.default, **each.metadata) for each in fields(FusionOptions)
    )
    return tuple(each for each in every if front_end is None or front_end in each.front_ends)


def _as_tuples(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value  # an array
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value
