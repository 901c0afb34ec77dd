"""The discrete Laplacian: how far a pixel lies below the mean of its neighbours."""

import torch.nn.functional as F
from torch import Tensor


def laplacian(images: Tensor) -> Tensor:
    r"""Four-neighbour Laplacian, the border replicated, each channel by itself.

    .. math:: \Delta I_{y,x} = I_{y,x-1} + I_{y,x+1} + I_{y-1,x} + I_{y+1,x} - 4 I_{y,x}

    Positive where a pixel is darker than its neighbours.

    Args:
        images: (B, C, H, W), any range.

    Returns:
        (B, C, H, W); 0 where an image is flat or a plane.
    """
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    across_columns = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    across_rows = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    return across_columns + across_rows - 4 * images
