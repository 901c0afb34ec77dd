"""What every classical fusion rule has in common: one input check, one precision, one output range."""

import torch
from torch import Tensor, nn


class FusionRule(nn.Module):
    """A training-free fusion rule; a subclass says in ``fuse`` how the sources are combined.

    ``forward(sources)``: sources (B, N, H, W), floating point in 0..1, N >= 2 and any H, W >= 1;
    returns the fused images (B, 1, H, W) in 0..1, in the dtype and on the device of the sources.
    Raises ``ValueError`` for any other shape and for integer images.
    """

    def forward(self, sources: Tensor) -> Tensor:
        """Fuse each pair, triple, ... of sources: (B, N, H, W) in 0..1 -> (B, 1, H, W) in 0..1."""
        if sources.ndim != 4 or sources.shape[1] < 2 or 0 in sources.shape:
            raise ValueError(
                "A fusion rule needs sources of shape (B, N, H, W) with N >= 2 and no empty axis, "
                f"not {tuple(sources.shape)}."
            )
        if not sources.is_floating_point():
            raise ValueError(f"A fusion rule needs floating-point sources in 0..1, not {sources.dtype}.")
        # Local variances and pyramid differences are smaller than the rounding errors of half precision.
        precise = sources.to(torch.promote_types(sources.dtype, torch.float32))
        with torch.autocast(sources.device.type, enabled=False):
            fused = self.fuse(precise)
        return fused.clamp(0, 1).to(sources.dtype)

    def fuse(self, sources: Tensor) -> Tensor:
        """Combine checked sources (B, N, H, W), at least float32, into (B, 1, H, W)."""
        raise NotImplementedError
