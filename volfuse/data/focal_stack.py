"""Focal stacks simulated from single images: a scene of known depth under a microscope, and its sharp truth."""

import math
import zlib
from collections.abc import Hashable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from monai.transforms import MapTransform
from monai.transforms.traits import RandomizableTrait
from torch import Tensor

from volfuse.numerics.windows import gaussian_mean

# Blurs that are computed between one focal plane and the next; pixels in between mix the two nearest.
_STEPS = 4


def focal_stack(image: Tensor, depth: Tensor, num_planes: int, blur: float) -> Tensor:
    """Blur a sharp image as a lens does that is focused on one depth after the other.

    Plane i is focused on the depth i / (num_planes - 1). A pixel is blurred there by a Gaussian whose sigma is
    ``blur`` times the distance of its depth from that plane. Every pixel gathers light by its own depth: near
    parts do not spread over far ones.

    Args:
        image: (1, H, W), the all-in-focus truth, any range.
        depth: (H, W), values 0..1.
        num_planes: N, at least 2.
        blur: sigma in pixels of a pixel that is a whole depth range out of focus, more than 0.

    Returns:
        (N, H, W), in the range of ``image``.

    Raises:
        ValueError: for fewer planes or no blur.
    """
    if num_planes < 2 or blur <= 0:
        raise ValueError(
            f"a focal stack needs 2 planes or more and some blur, not {num_planes} planes and blur {blur}"
        )
    last = (num_planes - 1) * _STEPS
    sigmas = [blur * level / last for level in range(1, last + 1)]
    levels = torch.cat([image, *(gaussian_mean(image, sigma, math.ceil(4 * sigma)) for sigma in sigmas)])
    focus = torch.linspace(0, 1, num_planes, dtype=depth.dtype, device=depth.device)
    level = (depth - focus[:, None, None]).abs() * last
    lower = level.floor().clamp(0, last - 1).long()
    share = level - lower
    return levels.gather(0, lower).lerp(levels.gather(0, lower + 1), share.to(levels.dtype))


def smooth_depth(height: int, width: int, generator: torch.Generator | None = None, hills: int = 4) -> Tensor:
    """Draw a smooth surface that reaches from the nearest focal plane to the farthest.

    Args:
        height: rows.
        width: columns.
        generator: of random numbers, torch's own by default.
        hills: random heights along each axis, at least 2; the surface between them is bicubic.

    Returns:
        (height, width), float32, minimum 0 and maximum 1.
    """
    heights = torch.rand((1, 1, hills, hills), generator=generator)
    surface = F.interpolate(heights, (height, width), mode="bicubic", align_corners=True)[0, 0]
    return (surface - surface.min()) / (surface.max() - surface.min())


class SimulateFocalStackd(MapTransform, RandomizableTrait):
    """Replace an image (1, H, W) by a focal stack (N, H, W) of it on a random surface; the image stays as ``truth``.

    Args:
        keys: the image.
        num_planes: N.
        blur: see :func:`focal_stack`.
        seed_key: the entry of an item, its name for example, that decides its surface, the same one every time.
            Without it every call draws another one.
    """

    def __init__(
        self, keys: str, num_planes: int = 11, blur: float = 6.0, seed_key: str | None = None
    ) -> None:
        super().__init__(keys)
        self.num_planes = num_planes
        self.blur = blur
        self.seed_key = seed_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with its focal stack and ``truth``."""
        item = dict(data)
        generator = None
        if self.seed_key is not None:
            # hash() of a string differs from process to process.
            generator = torch.Generator().manual_seed(zlib.crc32(str(item[self.seed_key]).encode()))
        (key,) = self.keys
        truth = item[key]
        height, width = truth.shape[1:]
        depth = smooth_depth(height, width, generator)
        return {**item, key: focal_stack(truth, depth, self.num_planes, self.blur), "truth": truth}
