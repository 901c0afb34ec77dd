"""Keep the contrast of the sources: near every pixel, and of the whole image."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from volfuse.numerics.arithmetic import safe_sqrt

Mode = Literal["match", "maximize"]
WINDOW = 7
FLOOR = 1e-6
"""Added to local variances: the square root has a steep gradient at 0."""


def local_contrast_loss(fused: Tensor, sources: Tensor, mode: Mode = "match") -> Tensor:
    r"""Standard deviation within every 7x7 window, against the strongest of the sources.

    .. math:: L_{match} = \mathrm{mean} \, |c_F - \max_i c_{I_i}|, \quad L_{maximize} = -\mathrm{mean} \, c_F,
              \quad c = \sqrt{\sigma_{7 \times 7}^2 + 10^{-6}}

    over the windows inside the image (CSAFusion, local contrast; its formula is lost,
    see ``research/2026-11-csafusion.md``).

    Args:
        fused: (B, 1, H, W), values 0..1, H and W at least 7.
        sources: (B, N, H, W), values 0..1, any N; without effect in the mode ``"maximize"``.
        mode: ``"match"``, which is 0 or more, or ``"maximize"``, which has no bound but the range of the image.

    Returns:
        A scalar.

    Raises:
        ValueError: for an unknown ``mode``.
    """
    return _compare(_local_contrast(fused), _local_contrast(sources), mode)


def global_contrast_loss(fused: Tensor, sources: Tensor, mode: Mode = "match") -> Tensor:
    r"""Standard deviation of the whole image, against the largest of the sources.

    .. math:: L_{match} = |\sigma_F - \max_i \sigma_{I_i}|, \quad L_{maximize} = -\sigma_F

    the mean over the batch (CSAFusion, global contrast; its formula is lost,
    see ``research/2026-11-csafusion.md``).

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, any N; without effect in the mode ``"maximize"``.
        mode: ``"match"`` or ``"maximize"``.

    Returns:
        A scalar.

    Raises:
        ValueError: for an unknown ``mode``.
    """
    return _compare(_global_contrast(fused), _global_contrast(sources), mode)


def _local_contrast(images: Tensor) -> Tensor:
    # Around the mean of the image rather than 0, where float32 would lose small variances.
    centred = images - images.mean(dim=(2, 3), keepdim=True)
    mean_of_squares = F.avg_pool2d(centred.square(), WINDOW, stride=1)
    variance = mean_of_squares - F.avg_pool2d(centred, WINDOW, stride=1).square()
    return (variance.clamp(min=0) + FLOOR).sqrt()


def _global_contrast(images: Tensor) -> Tensor:
    return safe_sqrt(images.var(dim=(2, 3), correction=0, keepdim=True))


def _compare(of_fused: Tensor, of_sources: Tensor, mode: Mode) -> Tensor:
    match mode:
        case "match":
            return (of_fused - of_sources.amax(dim=1, keepdim=True)).abs().mean()
        case "maximize":
            return -of_fused.mean()
    raise ValueError(f"mode must be 'match' or 'maximize', not {mode!r}")
