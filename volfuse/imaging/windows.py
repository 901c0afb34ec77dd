"""Intensity windows: which values of a source become black and which white.

A window is written as a user would say it: a preset (``ct-brain``), width and level (``W80/L40``), or two
limits (``-160:240``, ``0:p99.9``) of which each is a value or, with a ``p``, a percentile of the source, or for PET as
standardized uptake values (``suv:0-10``). Programs can also give a pair of source values.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor

from volfuse.choices import WindowChoice
from volfuse.errors import FusionError
from volfuse.imaging.files import source_name
from volfuse.imaging.notes import with_notes
from volfuse.imaging.percentiles import percentiles
from volfuse.imaging.slabs import Data, OnSlab, SlabTransform, empty_slices
from volfuse.imaging.stored import About

_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_LIMITS = re.compile(rf"(p?)({_NUMBER}):(p?)({_NUMBER})", re.IGNORECASE)
_UPTAKE = re.compile(r"suv:(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", re.IGNORECASE)
_WIDTH_LEVEL = re.compile(rf"W({_NUMBER})/?L({_NUMBER})", re.IGNORECASE)

# What a window may hide before the user is told: air lies below most windows, little lies above a good one.
_MOST_WHITE, _MOST_BLACK = 1 / 3, 0.99
_SAMPLES = 1 << 20  # voxels that are enough to know such a share


@dataclass(frozen=True)
class Limit:
    """One end of a window: a source value, or a percentile (0..100) of the source's voxels."""

    value: float
    is_percentile: bool = False


@dataclass(frozen=True)
class Window:
    """Source values from ``low`` to ``high`` become 0..1; with ``is_suv`` they are uptake values in g/ml."""

    low: Limit
    high: Limit
    is_suv: bool = False

    @classmethod
    def from_level(cls, width: float, level: float) -> "Window":
        """Return the window of radiology: ``width`` grey values around ``level``."""
        return cls(Limit(level - width / 2), Limit(level + width / 2))

    def resolve(self, voxels: np.ndarray) -> tuple[float, float]:
        """Return the values of a source (any shape) that its limits stand for."""
        ends = (self.low, self.high)
        shares = [end.value for end in ends if end.is_percentile]
        found = iter(percentiles(voxels, shares) if shares else ())
        low, high = (next(found) if end.is_percentile else end.value for end in ends)
        return low, high

    @classmethod
    def parse(cls, chosen: WindowChoice) -> "Window | None":
        """Read a preset, the notation of the module or (low, high) in source values; ``None`` for ``"auto"``.

        Raises:
            FusionError: if ``chosen`` is text that is no window, or whose limits are reversed.
        """
        if not isinstance(chosen, str):
            low, high = chosen
            return cls(Limit(low), Limit(high))
        text = chosen
        if text in PRESETS:
            return PRESETS[text]
        if match := _WIDTH_LEVEL.fullmatch(text):
            window = cls.from_level(float(match[1]), float(match[2]))
        elif match := _LIMITS.fullmatch(text):
            window = cls(Limit(float(match[2]), bool(match[1])), Limit(float(match[4]), bool(match[3])))
        elif match := _UPTAKE.fullmatch(text):
            window = cls(Limit(float(match[1])), Limit(float(match[2])), is_suv=True)
        else:
            raise FusionError(
                f"'{text}' is no intensity window; use one of {', '.join(PRESETS)}, or W80/L40, "
                "or LOW:HIGH with p for percentiles, such as p1:p99, or suv:0-10 for PET."
            )
        percentiles = [limit.value for limit in (window.low, window.high) if limit.is_percentile]
        comparable = window.low.is_percentile == window.high.is_percentile
        if comparable and window.low.value >= window.high.value:
            raise FusionError(f"The window '{text}' is empty; its upper limit must lie above the lower one.")
        if not all(0 <= percentile <= 100 for percentile in percentiles):
            raise FusionError(f"The window '{text}' has a percentile outside 0 to 100.")
        return window


EIGHT_BIT = Window(Limit(0), Limit(255))
ROBUST = Window(Limit(0.1, is_percentile=True), Limit(99.9, is_percentile=True))

PRESETS: Mapping[str, Window | None] = {
    "auto": None,
    "ct-brain": Window.from_level(80, 40),
    "ct-bone": Window.from_level(2000, 500),
    "ct-soft-tissue": Window.from_level(400, 40),
    "mr": Window(Limit(1, is_percentile=True), Limit(99.5, is_percentile=True)),
    "pet": Window(Limit(0), Limit(99.9, is_percentile=True)),
}


Windows = str | Window | Sequence[WindowChoice | Window | None]
"""One window for all sources or one each; ``None`` is ``"auto"``."""


class ApplyWindowsd(SlabTransform):
    """Scale each source so that its window becomes 0..1, or 1..0 where a file says that high values are dark.

    Values outside the window are kept outside 0..1: resampling comes next, and interpolating before
    clipping is what a viewer does. ``"auto"`` is 0..255 for 8-bit sources, otherwise the 0.1 and 99.9
    percentiles. A colour source always keeps its 0..255.

    Args:
        keys: the sources, each (C, H, W, D) with MetaTensor metadata.
        windows: one window for all sources, or a list of one per source; what :meth:`Window.parse` reads is read.

    Raises:
        FusionError: if the number of windows is wrong or a window holds no range of values.
    """

    def __init__(self, keys: KeysCollection, windows: Windows) -> None:
        super().__init__(keys)
        each = [windows] * len(self.keys) if isinstance(windows, str | Window) else list(windows)
        if len(each) != len(self.keys):
            raise FusionError(f"{len(self.keys)} sources need one window or one each, not {len(each)}.")
        self.windows = [
            window if isinstance(window, Window | None) else Window.parse(window) for window in each
        ]

    def settle(self, data: Mapping[Hashable, Any]) -> tuple[Data, OnSlab]:
        """Find the limits of every window; see :class:`~volfuse.imaging.slabs.SlabTransform`."""
        result = dict(data)
        found = {}
        for key, chosen in zip(self.keys, self.windows, strict=True):
            source: MetaTensor = result[key]
            low, high = limits(source, chosen)
            notes, about = notes_on_window(source, chosen, low, high), About.from_meta(source.meta)
            found[key] = (high, low) if about.is_inverted else (low, high)
            result[key] = with_notes(source, about, notes)
        return result, partial(_scale, found)


def _scale(found: Mapping[Hashable, tuple[float, float]], data: Data) -> Data:
    result = dict(data)
    for key, (black, white) in found.items():
        source: MetaTensor = data[key]
        values = empty_slices(source.shape[0], source.shape[1:]).copy_(source.as_tensor())
        result[key] = MetaTensor(values.sub_(black).div_(white - black), meta=source.meta)
    return result


def limits(source: MetaTensor, chosen: Window | None) -> tuple[float, float]:
    """Return the lowest and highest value of a source (C, ...) in a window; ``None`` is ``"auto"``.

    Raises:
        FusionError: if there is nothing between them, or they are uptake values and the source cannot tell these.
    """
    window = EIGHT_BIT if source.shape[0] == 3 else chosen
    window = window or (EIGHT_BIT if source.meta["stored_dtype"] == "uint8" else ROBUST)
    low, high = window.resolve(source.as_tensor().numpy())
    if window.is_suv:
        about = About.from_meta(source.meta)
        if about.suv is None:
            reason = about.suv_reason or "its file does not say how"
            raise FusionError(
                f"{source_name(source)} cannot be shown in standardized uptake values, because {reason}; "
                "choose a window in its own values, such as 0:p99.9."
            )
        low, high = low / about.suv, high / about.suv
    if high <= low:
        raise FusionError(
            f"{source_name(source)} has no contrast between the limits of its window "
            f"({low:g} to {high:g}); choose another window."
        )
    return low, high


def notes_on_window(source: MetaTensor, chosen: Window | None, low: float, high: float) -> list[str]:
    """Return what to tell about a window that hides most of a source (C, X, Y, Z), or is left out."""
    name = source_name(source)
    if source.shape[0] == 3:
        return (
            [f"{name} is in colour and keeps its own brightness; no window is applied to it."]
            if chosen
            else []
        )
    step = max(1, round((source.numel() / _SAMPLES) ** (1 / 3)))
    sample = source.as_tensor()[:, ::step, ::step, ::step]
    notes = []
    bright, dark = ("black", "white") if About.from_meta(source.meta).is_inverted else ("white", "black")
    for hidden, most, side, shown in (
        (sample > high, _MOST_WHITE, "above", bright),
        (sample < low, _MOST_BLACK, "below", dark),
    ):
        share = float(hidden.double().mean())
        if share > most:
            notes.append(
                f"{share:.0%} of the voxels of {name} lie {side} its window ({low:g} to {high:g}) and are "
                f"{shown}; choose another window if they matter."
            )
    return notes
