"""The volumes of one series: what their frames share, and what tells them apart."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from volfuse.imaging.dicom.instance import Frame
from volfuse.imaging.dicom.stack import SAME_PLACE, stacked

_ALWAYS = ("stack",)  # frames of different stacks do not belong together
_OTHER_IMAGES = ("image type", "stack", "component")  # even where they are few
_BY_TURNS = ("trigger time", "reference time", "time")  # differ from slice to slice of one volume
_SAME_DIRECTION = 1e-3


@dataclass(frozen=True)
class Volume:
    """Frames of one volume, in no order, and the words that tell it from others of its series."""

    frames: tuple[Frame, ...]
    words: str = ""


def volumes_of(frames: Sequence[Frame]) -> list[Volume]:
    """Return the volumes that the frames of one series make up."""
    volumes: list[Volume] = []
    for group, words in _told_apart(frames):
        volumes += _split(group, words)
    return volumes


def _told_apart(frames: Sequence[Frame]) -> list[tuple[list[Frame], tuple[str, ...]]]:
    """Split what cannot be one volume: other sizes, directions, pixels or frames of reference."""
    groups: list[list[Frame]] = []
    for frame in frames:
        group = next((each for each in groups if _fits(frame, each[0])), None)
        if group is None:
            groups.append([frame])
        else:
            group.append(frame)
    # A slice whose position is missing belongs to the others of its size, and is refused with them.
    placed = [group for group in groups if group[0].plane.is_placed]
    for group in [each for each in groups if not each[0].plane.is_placed]:
        home = [each for each in placed if _size(each[0]) == _size(group[0])]
        if home:
            max(home, key=len).extend(group)
            groups.remove(group)
    if len(groups) == 1:
        return [(groups[0], ())]
    return [(group, (_looks(group[0], groups),)) for group in groups]


def _fits(frame: Frame, other: Frame) -> bool:
    a, b = frame.plane, other.plane
    if _size(frame) != _size(other) or frame.plane.is_placed != other.plane.is_placed:
        return False
    if not frame.plane.is_placed:
        return True
    spacings = (a.spacing or (0, 0), b.spacing or (0, 0))
    return (
        np.abs(a.directions - b.directions).max() < _SAME_DIRECTION
        and np.allclose(*spacings, rtol=1e-3)
        and all(frame.traits.get(name) == other.traits.get(name) for name in _ALWAYS)
    )


def _size(frame: Frame) -> Hashable:
    instance = frame.instance
    pixels = instance.pixels
    return instance.kind, pixels.rows, pixels.columns, pixels.samples, instance.frame_of_reference


def _looks(frame: Frame, groups: Sequence[Sequence[Frame]]) -> str:
    """Return in words what a group differs by: its stack, image type or direction."""
    others = [group[0] for group in groups]
    for name in (*_ALWAYS, "image type"):
        if len({each.traits.get(name) for each in others}) == len(others):
            return f"{name} {_shown(frame.traits.get(name))}"
    if not frame.plane.is_placed:
        return "without position"
    return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(frame.plane.normal)))]


def _split(frames: list[Frame], words: tuple[str, ...]) -> list[Volume]:
    """Split frames that lie in the same places by the first trait that tells them apart, and so on."""
    placed = [frame for frame in frames if frame.plane.is_placed]
    missing = [frame for frame in frames if not frame.plane.is_placed]
    if not placed or missing:
        return [Volume(tuple(frames), ", ".join(words))]
    places = _places(frames)
    most = max(map(len, places))
    if most == 1:
        names = _trait_names(frames)
        if len(frames) > 2 and stacked(frames).trouble():
            for name in names:
                parts = _by(frames, name)
                if _are_even(parts.values()):
                    return _parts(parts, name, words)
        return [Volume(tuple(frames), ", ".join(words))]
    for name in _trait_names(frames):
        parts = _by(frames, name)
        if _separates(name, parts, places):
            return _parts(parts, name, words)
    return _by_turns(places, most, words)


def _parts(parts: dict[object, list[Frame]], name: str, words: tuple[str, ...]) -> list[Volume]:
    ordered = sorted(parts, key=lambda value: (isinstance(value, str), value is not None, value or 0))
    return [
        volume for value in ordered for volume in _split(parts[value], (*words, f"{name} {_shown(value)}"))
    ]


def _trait_names(frames: Iterable[Frame]) -> list[str]:
    """Return which traits there are, in their order, those that differ from slice to slice left out."""
    names = dict.fromkeys(name for frame in frames for name in frame.traits)
    return [name for name in names if name not in _BY_TURNS]


def _by(frames: Iterable[Frame], name: str) -> dict[object, list[Frame]]:
    parts: dict[object, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[frame.traits.get(name)].append(frame)
    return parts


def _separates(name: str, parts: dict[object, list[Frame]], places: Sequence[Sequence[Frame]]) -> bool:
    """Tell whether a trait differs within places and not only from place to place."""
    if len(parts) < 2 or not any(len(_by(place, name)) > 1 for place in places):
        return False
    sizes = [sum(value in _by(place, name) for place in places) for value in parts]
    return name in _OTHER_IMAGES or float(np.median(sizes)) >= len(places) / 2


def _are_even(parts: Iterable[list[Frame]]) -> bool:
    parts = list(parts)
    return (
        len(parts) > 1
        and max(map(len, parts)) > 2
        and all(max(map(len, _places(part))) == 1 and not stacked(part).trouble() for part in parts)
    )


def _places(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Gather frames that lie in the same place, the places along the normal."""
    stack = stacked(frames)
    places: list[list[Frame]] = []
    for frame, position in zip(stack.frames, stack.positions, strict=True):
        last = places[-1] if places else None
        if last and np.linalg.norm(position - last[0].plane.position) < SAME_PLACE:
            last.append(frame)
        else:
            places.append([frame])
    return places


def _by_turns(places: Sequence[list[Frame]], most: int, words: tuple[str, ...]) -> list[Volume]:
    """Make the first frame of every place one volume, the second another, by time and instance number."""

    def turn(frame: Frame) -> tuple[object, ...]:
        times = [frame.traits.get(name) for name in _BY_TURNS]
        known = tuple((isinstance(time, str), time) for time in times if time is not None)
        return (*known[:1], frame.instance.order, frame.index, str(frame.instance.path))

    ordered = [sorted(place, key=turn) for place in places]
    return [
        Volume(
            tuple(place[k] for place in ordered if k < len(place)),
            ", ".join((*words, f"repetition {k + 1} of {most}")),
        )
        for k in range(most)
    ]


def _shown(value: object) -> str:
    if value is None:
        return "not given"
    return f"{value:g}" if isinstance(value, float) else str(value)
