"""How much the skip connections of CrossFuse carry from each source, place by place."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

WeightMode = Literal["bounded", "official"]

_DETAIL_WINDOW = 11  # pixels


def intensity_weights(first: Tensor, second: Tensor, mode: WeightMode = "bounded") -> tuple[Tensor, Tensor]:
    r"""Weigh deep features by their means over 3x3: :math:`w_i = g_i / (g_1 + g_2 + 10^{-6})`.

    Args:
        first: features (B, C, H, W) of source 0.
        second: features of source 1.
        mode: ``"bounded"`` takes :math:`g` as the magnitude of the mean of each channel, so weights lie in 0..1.
            ``"official"`` takes the sum of the means of all channels with its sign, as the published code does;
            weights then reach 100 and more.

    Returns:
        The weights of both, (B, C, H, W) or in ``"official"`` (B, 1, H, W). They pass no gradient.
    """
    means = _local_mean(first, mode), _local_mean(second, mode)
    if mode == "bounded":
        means = means[0].abs(), means[1].abs()
    return _shares(*means, first.dtype)


def detail_weights(first: Tensor, second: Tensor, mode: WeightMode = "bounded") -> tuple[Tensor, Tensor]:
    """Weigh shallow features by how far they are from their means over 3x3; see :func:`intensity_weights`.

    ``"bounded"`` takes the mean of that distance over 11x11: from pixel to pixel it is mostly noise, which would be
    seen in the fused image.
    """
    return _shares(_detail(first, mode), _detail(second, mode), first.dtype)


def _detail(features: Tensor, mode: WeightMode) -> Tensor:
    detail = (features.detach().float() - _local_mean(features, mode)).abs()
    if mode == "official":
        return detail
    return F.avg_pool2d(detail, _DETAIL_WINDOW, 1, _DETAIL_WINDOW // 2, count_include_pad=False)


def _local_mean(features: Tensor, mode: WeightMode) -> Tensor:
    features = features.detach().float()
    if mode == "official":
        # One ninth of the sum over the window and over all channels, zeros outside the image.
        return F.avg_pool2d(features.sum(dim=1, keepdim=True), 3, stride=1, padding=1)
    return F.avg_pool2d(features, 3, stride=1, padding=1, count_include_pad=False)


def _shares(first: Tensor, second: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    total = first + second + 1e-6
    return (first / total).to(dtype), (second / total).to(dtype)
