"""Focal stacks of four classes that no single plane can tell apart."""

import math
from itertools import product
from pathlib import Path

import torch
from monai.data import MetaTensor
from torch import Tensor

from volfuse.data.focal_stack import focal_stack
from volfuse.imaging.files import write_image

_PERIOD, _CONTRAST, _NOISE, _BLUR = 4.0, 0.2, 0.05, 12.0


def write_texture_stacks(
    root: str | Path, cases_per_class: int = 10, num_planes: int = 5, size: int = 64, seed: int = 0
) -> Path:
    """Write labelled cases as ``read_cases`` reads them: striped squares, the left half near, the right half far.

    The stripes of either half run across or down, and the pair of both is the class. A half out of focus shows
    no stripes: the first and the last plane leave one half to chance, the planes between leave both, and an image
    that is sharp everywhere shows the class of every case.

    Args:
        root: a folder; it is made if it is missing.
        cases_per_class: in each of the four classes.
        num_planes: images per case, at least 3.
        size: pixels along a side.
        seed: of phases and noise.

    Returns:
        ``root``.
    """
    root = Path(root)
    generator = torch.Generator().manual_seed(seed)
    depth = (torch.arange(size) >= size // 2).float().expand(size, size)
    for near, far in product(("across", "down"), repeat=2):
        for number in range(cases_per_class):
            folder = root / f"{near}-{far}" / f"{number:03d}"
            folder.mkdir(parents=True, exist_ok=True)
            sharp = torch.where(depth == 0, _stripes(near, size, generator), _stripes(far, size, generator))
            stack = focal_stack(sharp[None], depth, num_planes, _BLUR)
            stack = stack + _NOISE * torch.randn(stack.shape, generator=generator)
            for index, plane in enumerate((stack.clamp(0, 1) * 255).round().to(torch.uint8)):
                # Rows of a picture lie along y.
                write_image(MetaTensor(plane.T[None, :, :, None]), folder / f"plane_{index:02d}.png")
    return root


def _stripes(direction: str, size: int, generator: torch.Generator) -> Tensor:
    phase = 2 * math.pi * torch.rand(1, generator=generator)
    wave = 0.5 + _CONTRAST * torch.sin(2 * math.pi * torch.arange(size) / _PERIOD + phase)
    return (wave[:, None] if direction == "across" else wave[None]).expand(size, size)
