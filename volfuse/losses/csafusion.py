"""The loss that CSAFusion trains with, and the way to a loss against one source alone."""

from collections.abc import Sequence

from torch import Tensor, nn

from volfuse.losses.composite import WeightedSumLoss
from volfuse.losses.contrast import GlobalContrastLoss, LocalContrastLoss, Mode
from volfuse.losses.region_mutual_information import RegionMutualInformationLoss
from volfuse.losses.structural import SSIMLoss


class OneSourceLoss(nn.Module):
    """Any fusion loss, computed against one of the sources.

    Args:
        loss: called as ``loss(fused, sources)``.
        source: number of the source, from 0.
    """

    def __init__(self, loss: nn.Module, source: int) -> None:
        super().__init__()
        self.loss = loss
        self.source = source

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """Fused (B, 1, H, W) and sources (B, N, H, W), values 0..1; returns a scalar.

        Raises:
            ValueError: if there is no such source.
        """
        if not 0 <= self.source < sources.shape[1]:
            raise ValueError(f"source {self.source} is asked for, but there are {sources.shape[1]}, from 0")
        return self.loss(fused, sources[:, self.source : self.source + 1])


class CSAFusionLoss(WeightedSumLoss):
    r"""SSIM and region mutual information per source, local and global contrast.

    .. math:: L = w_1 L_{ssim}(F, A) + w_2 L_{ssim}(F, B) + w_3 L_{rmi}(F, A) + w_4 L_{rmi}(F, B)
                  + w_5 L_{local} + w_6 L_{global}

    The paper's B is the MR image, whose region mutual information counts 2.5; it is source 0 here. A, the PET, SPECT
    or CT image, is source 1.

    Args:
        weights: one per term, in the order above.
        contrast: the mode of both contrast terms.
        mean_covariance: see :func:`~volfuse.losses.region_mutual_information_loss`.
    """

    def __init__(
        self,
        weights: Sequence[float] = (1, 1, 1, 2.5, 1, 1),
        contrast: Mode = "match",
        mean_covariance: bool = False,
    ) -> None:
        per_source = [SSIMLoss(), RegionMutualInformationLoss(mean_covariance)]
        super().__init__(
            [
                *(OneSourceLoss(loss, source) for loss in per_source for source in (1, 0)),
                LocalContrastLoss(contrast),
                GlobalContrastLoss(contrast),
            ],
            weights,
        )
