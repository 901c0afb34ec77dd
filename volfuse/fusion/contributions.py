"""What each source adds to a fused image, where the network can tell."""

import torch
from torch import Tensor, nn

from volfuse.errors import FusionError
from volfuse.models import ExplainableNetwork


class WithContributions(nn.Module):
    """A network that returns what the fused image is the sum of, after the fused image itself.

    Args:
        network: an :class:`~volfuse.models.ExplainableNetwork`.
        name: what a message calls the network.

    Raises:
        FusionError: if the network cannot tell.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        if not isinstance(network, ExplainableNetwork):
            raise FusionError(
                f"{name} cannot tell what each image contributes; choose another model, or fuse without contributions."
            )
        self.network = network

    def forward(self, sources: Tensor) -> Tensor:
        """Fuse ``sources`` (B, N, H, W), values 0..1; returns (B, 1 + K, H, W), the fused image first."""
        contributions = self.network.contributions(sources)
        return torch.cat([contributions.sum(dim=1, keepdim=True), contributions], dim=1)
