"""The loss that CSAFusion trains with."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from volfuse.losses.contrast import Mode, global_contrast_loss, local_contrast_loss
from volfuse.losses.region_mutual_information import (
    published_mutual_information_loss,
    region_mutual_information_loss,
)
from volfuse.losses.structural import ssim_loss

_TERMS = 6


class CSAFusionLoss(nn.Module):
    r"""SSIM and region mutual information per source, local and global contrast.

    .. math:: L = w_1 L_{ssim}(F, A) + w_2 L_{ssim}(F, B) + w_3 L_{rmi}(F, A) + w_4 L_{rmi}(F, B)
                  + w_5 L_{local} + w_6 L_{global}

    The paper's B, the MR image, is source 0 here; its region mutual information has the weight 2.5. The paper's A, the
    PET, SPECT or CT image, is source 1.

    Args:
        weights: one per term, in the order above.
        contrast: the mode of both contrast terms.
        mean_covariance: see :func:`~volfuse.losses.region_mutual_information_loss`.
        published_information: take :func:`~volfuse.losses.published_mutual_information_loss` for :math:`L_{rmi}`.

    Raises:
        ValueError: if there are not six weights.
    """

    def __init__(
        self,
        weights: Sequence[float] = (1, 1, 1, 2.5, 1, 1),
        contrast: Mode = "match",
        mean_covariance: bool = False,
        published_information: bool = False,
    ) -> None:
        super().__init__()
        if len(weights) != _TERMS:
            raise ValueError(f"{_TERMS} loss terms need as many weights, not {len(weights)}")
        self.weights = tuple(weights)
        self.contrast = contrast
        self.mean_covariance = mean_covariance
        self.published_information = published_information

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """Fused (B, 1, H, W) and sources (B, 2, H, W), values 0..1; returns a scalar."""
        reference, second = sources.split(1, dim=1)
        terms = (
            ssim_loss(fused, second),
            ssim_loss(fused, reference),
            self._information(fused, second),
            self._information(fused, reference),
            local_contrast_loss(fused, sources, self.contrast),
            global_contrast_loss(fused, sources, self.contrast),
        )
        return torch.stack([weight * term for weight, term in zip(self.weights, terms, strict=True)]).sum()

    def _information(self, fused: Tensor, source: Tensor) -> Tensor:
        if self.published_information:
            return published_mutual_information_loss(fused, source)
        return region_mutual_information_loss(fused, source, self.mean_covariance)
