"""The steps around a network, as the configuration of its model says: preprocessing, inferer, postprocessing."""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose
from torch import Tensor, nn

from volfuse.errors import plain_cause
from volfuse.imaging import OrientSlicesd, RestoreGridd, SaveFusedd, Source, SplitLuminanced

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
        inferer: ``inferer(image (1, N, H, W, D), network) -> (1, C, H, W, D)``.
        signature: equal for models that prepare sources alike.
    """

    def __init__(self, parser: ConfigParser, keys: Sequence[str], network: nn.Module) -> None:
        self.signature = json.dumps(parser["preprocessing"])
        self.preprocessing: Compose = parser.get_parsed_content("preprocessing")
        self.inferer = parser.get_parsed_content("inferer")
        self.postprocessing = _without_saving(parser.get_parsed_content("postprocessing"))
        self._orient = OrientSlicesd("image", parser["plane"])
        self.keys = keys
        self._network = network

    def prepare(self, sources: Sequence[Source]) -> Case:
        """Read images and make of them what the network sees.

        Raises:
            FusionError: if an image is unfit for fusion.
        """
        return _run(self.preprocessing, dict(zip(self.keys, sources, strict=True)))

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
