"""The Sobel operator: how steep an image is along its columns and along its rows."""

import torch
import torch.nn.functional as F
from torch import Tensor

SOBEL_X = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def sobel(images: Tensor, padding: str = "replicate") -> tuple[Tensor, Tensor]:
    """Horizontal and vertical 3x3 Sobel responses, not normalised, each channel by itself.

    Args:
        images: (B, C, H, W), any range.
        padding: how the border is continued, a mode of ``torch.nn.functional.pad``.

    Returns:
        Two tensors (B, C, H, W): the derivative along the columns (x) and along the rows (y).
    """
    kernel_x = torch.tensor(SOBEL_X, dtype=images.dtype, device=images.device)
    kernels = torch.stack([kernel_x, kernel_x.T])[:, None]
    batch, channels, height, width = images.shape
    planes = F.pad(images.reshape(batch * channels, 1, height, width), (1, 1, 1, 1), mode=padding)
    horizontal, vertical = F.conv2d(planes, kernels).unbind(1)
    return horizontal.reshape(images.shape), vertical.reshape(images.shape)
