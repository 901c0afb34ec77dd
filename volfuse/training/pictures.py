"""What TensorBoard shows of a validation."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def nothing(batch: object) -> tuple[list[None], list[None]]:
    """Show no picture of the batch itself: see :func:`side_by_side`."""
    return [None], [None]


def side_by_side(output: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
    """Return the sources and the fused image of every case beside each other, (1, H, (N + 1) W), values 0..1.

    Args:
        output: what MONAI's evaluator returns: per case ``image`` (N, H, W) or (N, H, W, D), values 0..1, and ``pred``
            (1, H, W) or (1, H, W, D). The middle slice of a volume is shown.
    """
    pictures = []
    for case in output:
        images = torch.cat([case["image"], case["pred"][:1]]).detach().cpu()
        slices = images if images.ndim == 3 else images[..., images.shape[-1] // 2]
        pictures.append(torch.cat([*slices.clamp(0, 1)], dim=-1)[None])
    return pictures
