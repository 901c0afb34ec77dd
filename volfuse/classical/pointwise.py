"""Rules that combine the sources at each pixel by itself: average, maximum, alpha blend."""

from torch import Tensor

from volfuse.classical.rule import FusionRule


class Average(FusionRule):
    """Mean of the sources: halves the contrast of what one of two sources shows alone."""

    def fuse(self, sources: Tensor) -> Tensor:
        """(B, N, H, W) -> (B, 1, H, W)."""
        return sources.mean(1, keepdim=True)


class Maximum(FusionRule):
    """Brightest source at each pixel."""

    def fuse(self, sources: Tensor) -> Tensor:
        """(B, N, H, W) -> (B, 1, H, W)."""
        return sources.amax(1, keepdim=True)


class AlphaBlend(FusionRule):
    """``weight`` times source 0 plus the rest of the weight times the mean of the other sources.

    The "over" operator of viewers (Porter and Duff 1984, "Compositing digital images"), two images at a time;
    the only rule here in which the order of the sources matters by design.

    Args:
        weight: the share of source 0, in 0..1.

    Raises:
        ValueError: if the weight lies outside 0..1.
    """

    def __init__(self, weight: float = 0.5) -> None:
        super().__init__()
        if not 0 <= weight <= 1:
            raise ValueError(f"The weight of an alpha blend lies in 0..1, not at {weight}.")
        self.weight = weight

    def fuse(self, sources: Tensor) -> Tensor:
        """(B, N, H, W) -> (B, 1, H, W)."""
        others = sources[:, 1:].mean(1, keepdim=True)
        return others.lerp(sources[:, :1], self.weight)
