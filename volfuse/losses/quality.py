"""Train for what the evaluation measures: fusion metrics as losses, and edges that no source has."""

from collections.abc import Mapping

from torch import Tensor, nn

from volfuse.metrics import METRICS
from volfuse.numerics.arithmetic import safe_sqrt
from volfuse.numerics.sobel import sobel


def metric_loss(fused: Tensor, sources: Tensor, metric: str, enough: float | None = None) -> Tensor:
    """The mean of a fusion metric over the batch, with the sign that makes smaller better.

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, N at least 2.
        metric: a differentiable entry of ``volfuse.metrics.METRICS``, for example ``"qabf"`` or ``"scd"``.
        enough: a value that is good enough: an image that reaches it is counted with it and gets no gradient.

    Returns:
        A scalar.

    Raises:
        ValueError: if there is no such metric or it has no gradient.
    """
    definition = METRICS.get(metric)
    if definition is None or not definition.differentiable:
        known = ", ".join(name for name, entry in METRICS.items() if entry.differentiable)
        raise ValueError(f"'{metric}' is no metric to train with; use one of: {known}.")
    sign = -1 if definition.higher_is_better else 1
    losses = sign * definition(fused, sources)
    if enough is not None:
        losses = losses.clamp(min=sign * enough)
    return losses.mean()


def edge_excess_loss(fused: Tensor, sources: Tensor, margin: float = 0.98) -> Tensor:
    r"""How far edges are stronger than those of every source: halos, ringing, noise.

    .. math:: L = \frac{1}{HW} \sum \max(0, g_F - m \max_i g_i), \quad g = \sqrt{s_x^2 + s_y^2} \text{ (Sobel)}

    A smooth stand-in for N^AB/F, which jumps where :math:`g_F` passes the strongest :math:`g_i` and has no
    gradient towards it.

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, any N.
        margin: m; a little below 1 so that training stops short of the jump.

    Returns:
        A scalar, 0 or more.
    """
    return (_strength(fused) - margin * _strength(sources).amax(dim=1, keepdim=True)).relu().mean()


class QualityLoss(nn.Module):
    """Weighted sum of fusion metrics and :func:`edge_excess_loss`; ``research/2026-11-blendnet.md`` has an ablation.

    Args:
        metrics: weight per differentiable metric of ``volfuse.metrics.METRICS``.
        edge_excess: weight of edges stronger than those of the sources.
        enough: for some of the metrics the value that is good enough; see :func:`metric_loss`.
    """

    def __init__(
        self, metrics: Mapping[str, float], edge_excess: float, enough: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        self.metrics = dict(metrics)
        self.edge_excess = edge_excess
        self.enough = dict(enough or {})

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """Fused (B, 1, H, W) and sources (B, N, H, W), values 0..1, N at least 2; returns a scalar."""
        loss = self.edge_excess * edge_excess_loss(fused, sources)
        for metric, weight in self.metrics.items():
            loss = loss + weight * metric_loss(fused, sources, metric, self.enough.get(metric))
        return loss


def _strength(images: Tensor) -> Tensor:
    horizontal, vertical = sobel(images)
    return safe_sqrt(horizontal.square() + vertical.square())
