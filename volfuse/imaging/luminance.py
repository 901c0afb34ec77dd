"""From windowed sources to what a network sees, and from what it returns to an image to look at."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from volfuse.choices import Color, Colormap
from volfuse.errors import FusionError
from volfuse.imaging.color import apply_table, color_table, combine_colors, rgb_to_ycbcr, ycbcr_to_rgb
from volfuse.imaging.files import source_name
from volfuse.imaging.gamut import ROOM, recolor
from volfuse.imaging.notes import notes_of
from volfuse.imaging.slabs import Data, OnSlab, SlabTransform, empty_slices
from volfuse.imaging.stored import About


def restore_in_gamut(luminance: Tensor, color: Tensor) -> Tensor:
    """Return RGB (3, ...) of a luminance (...) with the hue of ``color`` (3, ...; Y, Cb, Cr), and room for chroma."""
    return recolor(luminance, ycbcr_to_rgb(color), ROOM)


def restore_at_luminance(luminance: Tensor, color: Tensor) -> Tensor:
    """Return RGB (3, ...) of exactly a luminance (...) with the hue of ``color`` (3, ...; Y, Cb, Cr)."""
    return recolor(luminance, ycbcr_to_rgb(color))


def restore_as_published(luminance: Tensor, color: Tensor) -> Tensor:
    """Return RGB (3, ...) of a luminance (...) with the Cb and Cr of ``color``, clipped: the way of the papers."""
    return ycbcr_to_rgb(torch.cat([luminance[None], color[1:]]))


COLORS: Mapping[Color, Callable[[Tensor, Tensor], Tensor]] = {
    "gamut": restore_in_gamut,
    "luminance": restore_at_luminance,
    "published": restore_as_published,
}
"""The ways in which colour comes back."""


class SplitLuminanced(SlabTransform):
    """Stack the luminance of the sources; set their colour aside.

    Args:
        keys: windowed sources on one grid, each (1, H, W, D) or (3, H, W, D), values clipped to 0..1 here.
        colormaps: ``None``, or one entry per source: ``None`` for grey, else what ``color_table`` takes.

    Returns (in the dictionary, in place of the sources):
        ``image``: (N, H, W, D) luminance 0..1, with the metadata of the reference; ``meta["notes"]`` has those of all
            sources.
        ``color``: (3, H, W, D) Y 0..1, Cb and Cr -0.5..0.5, only if a source has colour.

    Raises:
        FusionError: if the number of colour maps is wrong, or one is given for a colour source.
    """

    def __init__(
        self, keys: KeysCollection, colormaps: Sequence[Colormap | np.ndarray | None] | None = None
    ) -> None:
        super().__init__(keys)
        colormaps = colormaps or [None] * len(self.keys)
        if len(colormaps) != len(self.keys):
            raise FusionError(
                f"{len(self.keys)} sources need as many colour maps (or none), not {len(colormaps)}."
            )
        self.colors = [None if colormap is None else color_table(colormap) for colormap in colormaps]
        # Going through YCbCr once per table entry instead of once per voxel.
        self.tables = [None if table is None else rgb_to_ycbcr(table.T).T for table in self.colors]

    def settle(self, data: Mapping[Hashable, Any]) -> tuple[Data, OnSlab]:
        """Refuse colour maps of colour images; see :class:`~volfuse.imaging.slabs.SlabTransform`."""
        for key, table in zip(self.keys, self.tables, strict=True):
            if table is not None and data[key].shape[0] == 3:
                raise FusionError(f"{source_name(data[key])} is a colour image; leave out its colour map.")
        return dict(data), self._split

    def _split(self, data: Data) -> Data:
        result = dict(data)
        sources = [result.pop(key) for key in self.keys]
        shape = sources[0].shape[1:]
        image = empty_slices(len(sources), shape)
        if any(source.shape[0] == 3 for source in sources) or any(table is not None for table in self.tables):
            result["color"] = empty_slices(3, shape)
        for number in range(shape[-1]):  # a slice lies in one piece, and its numbers stay in the cache
            planes = [
                _luminance_first(source.as_tensor()[..., number].clamp(0, 1), table)
                for source, table in zip(sources, self.tables, strict=True)
            ]
            for luminance, plane in zip(image, planes, strict=True):
                luminance[..., number] = plane[0]
            if colors := [plane for plane in planes if plane.shape[0] == 3]:
                result["color"][..., number] = combine_colors(colors)
        result["image"] = MetaTensor(image, meta=sources[0].meta | {"notes": notes_of(sources)})
        return result

    def colored(self, data: Mapping[Hashable, MetaTensor]) -> list[Tensor]:
        """Return the windowed sources as they are shown: each (1 or 3, H, W, D), values 0..1, in its colours."""
        shown = [data[key].as_tensor().clamp(0, 1) for key in self.keys]
        return [
            values if table is None else apply_table(values[0], table)
            for values, table in zip(shown, self.colors, strict=True)
        ]


def _luminance_first(values: Tensor, table: Tensor | None) -> Tensor:
    """Return Y, Cb and Cr (3, ...) of colour (3, ...) or of what a table colours, else grey (1, ...) as it is."""
    if table is not None:
        return apply_table(values[0], table)
    return rgb_to_ycbcr(values) if values.shape[0] == 3 else values


class RestoreColord(MapTransform):
    """Put the colour of the sources back and make 8-bit values.

    Args:
        keys: fused luminance (1, H, W, D), values 0..1; becomes uint8 (1, H, W, D), or (3, H, W, D) RGB where
            ``color`` is in the dictionary.
        color: how: ``"gamut"`` keeps the hue, and of chroma and luminance what RGB has: where bright tissue leaves no
            room for chroma, luminance gives way by up to 0.114. ``"luminance"`` keeps hue and luminance, chroma alone
            gives way. ``"published"`` keeps Cb and Cr and clips.

    Raises:
        FusionError: for another ``color``.
    """

    def __init__(self, keys: KeysCollection, color: Color = "gamut") -> None:
        super().__init__(keys)
        if color not in COLORS:
            raise FusionError(f"Colour cannot come back as '{color}'; use {', '.join(COLORS)}.")
        self.restore = COLORS[color]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        color = result.pop("color", None)
        for key in self.key_iterator(data):
            values: Tensor = result[key].as_tensor()
            levels = empty_slices(1 if color is None else 3, values.shape[1:], torch.uint8)
            # Slice by slice: then none depends on how many are restored at once.
            for number in range(values.shape[-1]):
                shown = values[..., number]
                if color is not None:
                    shown = self.restore(shown[0], torch.as_tensor(color[..., number]).to(shown))
                levels[..., number] = (shown * 255).round_().clamp_(0, 255)
            # Of what is known about the reference, only where it lies is true of the fused image as well.
            about = About(frame_of_reference=About.from_meta(result[key].meta).frame_of_reference)
            fused = {"stored_dtype": "uint8", "about": about.to_meta()}
            result[key] = MetaTensor(levels, meta=result[key].meta | fused)
        return result


def as_stored(luminance: Tensor) -> Tensor:
    """Return values 0..1 as an 8-bit file holds them: the nearest of 256 levels, still 0..1. Metrics see these."""
    return (luminance * 255).round() / 255
