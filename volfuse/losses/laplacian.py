"""Keep the strongest dark detail of the sources: what is darker than its neighbours."""

import torch.nn.functional as F
from torch import Tensor, nn

from volfuse.numerics.laplacian import laplacian


def laplacian_loss(fused: Tensor, sources: Tensor) -> Tensor:
    r"""Mean squared difference of positive Laplacians to the largest of the sources.

    .. math:: L = \frac{1}{HW} \lVert l(F) - \max_i l(I_i) \rVert_2^2, \quad l(I) = \max(0, \Delta I)

    with the four-neighbour Laplacian (CrossFuse, eq. 12, where the filter on :math:`F` is left out and called a
    mean). The border is replicated, so the frame of a training crop is no detail.

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, any N.

    Returns:
        A scalar, 0 or more; 0 if the fused image has the largest positive Laplacian everywhere.
    """
    return F.mse_loss(laplacian(fused).relu(), laplacian(sources).relu().amax(dim=1, keepdim=True))


class LaplacianLoss(nn.Module):
    """:func:`laplacian_loss` as a module, which a configuration can name."""

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """See :func:`laplacian_loss`."""
        return laplacian_loss(fused, sources)
