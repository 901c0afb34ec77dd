"""A loss made of losses: their weighted sum."""

from collections.abc import Sequence

from torch import Tensor, nn


class WeightedSumLoss(nn.Module):
    """``sum_k weights[k] * terms[k](fused, sources)``.

    TAFIE and LightFusionNet train with SSIM, gradient and intensity terms weighted 50, 100 and 20.

    Args:
        terms: losses called as ``term(fused, sources)``.
        weights: one factor per term.

    Raises:
        ValueError: if there is not exactly one weight per term.
    """

    def __init__(self, terms: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        if len(terms) != len(weights):
            raise ValueError(f"{len(terms)} loss terms need as many weights, not {len(weights)}")
        self.terms = nn.ModuleList(terms)
        self.weights = tuple(weights)

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """Fused (B, 1, H, W) and sources (B, N, H, W), values 0..1; returns a scalar."""
        return sum(
            weight * term(fused, sources) for weight, term in zip(self.weights, self.terms, strict=True)
        )
