"""Keep the mutual information of 3x3 regions of the fused image and the same regions of the sources."""

import torch
import torch.nn.functional as F
from torch import Tensor

REGION, STRIDE = 3, 3
RIDGE = 5e-4
"""Added to the diagonals, so that flat images have a finite value (Zhao et al. 2019, their public code)."""


def region_mutual_information_loss(
    fused: Tensor, sources: Tensor, mean_covariance: bool = False, padding: int = 0
) -> Tensor:
    r"""Entropy that is left in the regions of a source once those of the fused image are known, per pixel.

    .. math:: L = \frac{1}{2 \cdot 9} \log\det(M + \epsilon I),
              \quad M = S_Y - S_{YP} (S_P + \epsilon I)^{-1} S_{YP}^T, \quad \epsilon = 5 \cdot 10^{-4}

    with the 9x9 covariances of the 3x3 regions of source Y and fused image P after a 3x3 maximum with stride 3; the
    mean over the sources. A lower bound of their mutual information, negative and without the constant entropy of Y
    (Zhao et al. 2019, arXiv:1910.12037; CSAFusion's RMI terms). Computed in double precision. Adding a constant to
    the fused image changes nothing.

    Args:
        fused: (B, 1, H, W), values 0..1, H and W at least 9.
        sources: (B, N, H, W), values 0..1, any N.
        mean_covariance: divide the covariances by the number of regions, so that the value does not depend on the
            image size; the published code sums them.
        padding: pixels around the image that the maximum leaves out, 0 or 1.

    Returns:
        A scalar of the dtype of ``fused``, at least :math:`\frac{1}{2} \log \epsilon = -3.80`.
    """
    of_sources, of_fused = _regions(sources, padding), _regions(fused, padding)
    scale = of_fused.shape[-1] if mean_covariance else 1
    ridge = RIDGE * torch.eye(REGION**2, dtype=torch.float64, device=fused.device)

    factor = torch.linalg.cholesky(of_fused @ of_fused.mT / scale + ridge)
    explained = torch.linalg.solve_triangular(factor, of_fused @ of_sources.mT / scale, upper=False)
    unexplained = of_sources @ of_sources.mT / scale - explained.mT @ explained
    half_log_determinant = torch.linalg.cholesky(unexplained + ridge).diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return half_log_determinant.mean().to(fused.dtype) / REGION**2


def published_mutual_information_loss(fused: Tensor, sources: Tensor) -> Tensor:
    r"""Half the loss above of a squashed image, and half a cross entropy: what MATR's code trains with.

    .. math:: L = \frac{1}{2} L_{rmi}(\sigma(F), I) + \frac{1}{2} \mathrm{mean} \left[ -I \log \sigma(F)
              - (1 - I) \log (1 - \sigma(F)) \right]

    The code is Zhao et al.'s for segmentation, where F are logits, with a maximum that pads by one pixel; MATR (Tang
    et al. 2022, doi:10.1109/TIP.2022.3193288), whose term CSAFusion took over, gives it the fused image.

    Args:
        fused: (B, 1, H, W), values 0..1, H and W at least 9.
        sources: (B, N, H, W), values 0..1, any N.

    Returns:
        A scalar.
    """
    information = region_mutual_information_loss(fused.sigmoid(), sources, padding=1)
    entropy = F.binary_cross_entropy_with_logits(fused.expand_as(sources), sources)
    return (information + entropy) / 2


def _regions(images: Tensor, padding: int) -> Tensor:
    """(B, C, H, W) -> (B, C, 9, L) in double precision: every 3x3 region as a column, less the mean column."""
    pooled = F.max_pool2d(images.double(), STRIDE, padding=padding)
    regions = F.unfold(pooled.flatten(0, 1)[:, None], REGION).unflatten(0, images.shape[:2])
    return regions - regions.mean(dim=-1, keepdim=True)
