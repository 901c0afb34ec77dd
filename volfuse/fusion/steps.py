"""The steps around a network, as the configuration of its model says: preprocessing, inferer, postprocessing."""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, cast

from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, MapTransform
from torch import Tensor, nn

from volfuse.errors import plain_cause
from volfuse.fusion.inferers import FusionInferer
from volfuse.imaging import (
    ApplyWindowsd,
    LoadSourcesd,
    MatchReferenced,
    OrientSlicesd,
    RestoreColord,
    RestoreGridd,
    SaveFusedd,
    Source,
    SplitLuminanced,
)
from volfuse.imaging.grid import slab_of
from volfuse.imaging.slabs import SlabSources

_PREPROCESSING = [LoadSourcesd, OrientSlicesd, ApplyWindowsd, MatchReferenced, SplitLuminanced]
_POSTPROCESSING = [RestoreColord, RestoreGridd]

Case = dict[Hashable, MetaTensor]
"""Prepared sources: luminance ``image`` (N, H, W, D), values 0..1, and ``color`` (Y, Cb, Cr) if one has colour."""


class Steps:
    """What fuses one number of sources with one choice of options.

    Its methods may run in several threads. It is made in one, because MONAI's parser is not made for several.

    Args:
        parser: the configuration with the options in their places.
        keys: what the configuration calls the sources.
        network: what the inferer runs.

    Attributes:
        keys: what the configuration calls the sources.
        preprocessing: makes a :data:`Case` of files.
        postprocessing: makes an image of ``pred``, and does not write it.
        in_slabs: whether slices come out the same however many are prepared, fused and restored at once.
        inferer: ``inferer(image (1, N, H, W, D), network) -> (1, C, H, W, D)``.
        signature: equal for models that prepare sources alike.
    """

    def __init__(self, parser: ConfigParser, keys: Sequence[str], network: nn.Module) -> None:
        self.signature = json.dumps(parser["preprocessing"])
        self.preprocessing: Compose = parser.get_parsed_content("preprocessing")
        self.inferer = parser.get_parsed_content("inferer")
        self.postprocessing = _without_saving(parser.get_parsed_content("postprocessing"))
        self.in_slabs = self._is_known()
        self._orient = OrientSlicesd("image", parser["plane"])
        self.keys = keys
        self._network = network

    def prepare(self, sources: Sequence[Source]) -> Case:
        """Read images and make of them what the network sees.

        Raises:
            FusionError: if an image is unfit for fusion.
        """
        return _run(self.preprocessing, dict(zip(self.keys, sources, strict=True)))

    def open(self, sources: Sequence[Source]) -> SlabSources:
        """Read images that are prepared slab by slab, if ``in_slabs``; what :meth:`prepare` makes at once.

        Raises:
            FusionError: if an image is unfit for fusion.
        """
        load, turn, *on_slabs = self.preprocessing.transforms
        loaded = _run(Compose([load]), dict(zip(self.keys, sources, strict=True)))
        turned: dict[Hashable, Any] = {}
        for key in self.keys:  # only one of them is there twice, as it was loaded and turned
            turned |= _run(Compose([_allowing_missing_keys(turn)]), {key: loaded.pop(key)})
        with plain_errors():
            return SlabSources(turned, self.keys, on_slabs, slab_of)

    def fuse(self, case: Case) -> MetaTensor:
        """Return luminance (1, H, W, D), values 0..1, and behind it whatever else the network returns.

        Raises:
            FusionError: if the network returns values that are not finite, or memory runs out.
            FusionCancelled: when whoever asked for the steps wants them no more.
        """
        # torch's annotations forget that an indexed MetaTensor is one; see also FusionPipeline.fuse_case.
        return cast(MetaTensor, self.infer(case["image"][None])[0])

    def infer(self, sources: Tensor) -> Tensor:
        """Fuse luminance (B, N, H, W) or (B, N, H, W, D), values 0..1, as :meth:`fuse` does; returns (B, C, ...)."""
        with plain_errors():
            fused: Tensor = self.inferer(sources, self._network)
        return fused

    def restore(self, case: Case, fused: Tensor) -> MetaTensor:
        """Return fused luminance (1, H, W, D) as a uint8 image (1 or 3, X, Y, Z) on the reference's grid."""
        return _run(self.postprocessing, {**case, "pred": fused})["pred"]

    def levels(self, case: Case, fused: Tensor) -> MetaTensor:
        """Return fused luminance (1, H, W, D) of a slab as :meth:`restore` does, but turned: (1 or 3, H, W, D)."""
        color, _ = self.postprocessing.transforms
        return _run(Compose([color]), {**case, "pred": fused})["pred"]

    def shown(self, sources: Sequence[Source]) -> list[Tensor]:
        """Return images in their windows and colours: each (1 or 3, H, W, D), values 0..1, on one grid.

        Raises:
            FusionError: if an image is unfit for fusion.
        """
        (split,) = (step for step in self.preprocessing.transforms if isinstance(step, SplitLuminanced))
        before = [step for step in self.preprocessing.transforms if step is not split]
        return split.colored(_run(Compose(before), dict(zip(self.keys, sources, strict=True))))

    def seen(self, image: MetaTensor) -> MetaTensor:
        """Return a restored image as its slices are read, like what ``shown`` returns: (1 or 3, H, W, D), 0..1."""
        seen: MetaTensor = self._orient({"image": image})["image"] / 255
        return seen

    def _is_known(self) -> bool:
        """Bundles of others may smooth along slices, or fuse them along another axis."""
        return (
            [type(step) for step in self.preprocessing.transforms] == _PREPROCESSING
            and [type(step) for step in self.postprocessing.transforms] == _POSTPROCESSING
            and type(self.inferer) is FusionInferer
            and self.inferer.axis == -1
        )


def notes_of_case(case: Case) -> tuple[str, ...]:
    """Return what a user should know about prepared sources, see :mod:`volfuse.imaging.notes`."""
    return tuple(case["image"].meta["notes"])


def on_grid_of_reference(maps: Tensor) -> MetaTensor:
    """Return what a network returned (C, H, W, D) as it is, but on the reference's grid (C, X, Y, Z)."""
    restored: MetaTensor = RestoreGridd("maps")({"maps": maps})["maps"]
    return restored


def _run(transforms: Compose, data: Mapping[Hashable, Any]) -> Case:
    with plain_errors():
        case: Case = transforms(data)
    return case


def _allowing_missing_keys(transform: MapTransform) -> MapTransform:
    """Return a transform that leaves out the sources that are not there."""
    tolerant = copy(transform)
    tolerant.allow_missing_keys = True
    return tolerant


def _without_saving(postprocessing: Compose) -> Compose:
    """Return the steps that do not write: where the result goes is the caller's matter, not the bundle's."""
    return Compose([step for step in postprocessing.transforms if not isinstance(step, SaveFusedd)])


@contextmanager
def plain_errors() -> Iterator[None]:
    """Let a FusionError or a MemoryError out of the RuntimeErrors that MONAI wraps around it."""
    try:
        yield
    except RuntimeError as error:
        if (cause := plain_cause(error)) is None:
            raise
        raise cause from error
