"""What every fusion network can do, whether it was trained or is a rule."""

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


class FusionNetwork(Protocol):
    """Fuses slices; a ``torch.nn.Module`` with such a ``forward`` is one."""

    def __call__(self, sources: "Tensor", /, *args: Any, **kwargs: Any) -> "Tensor":
        """Fuse ``sources`` (B, N, H, W), values 0..1, into (B, 1, H, W); further arguments are the network's own."""


@runtime_checkable
class ExplainableNetwork(FusionNetwork, Protocol):
    """A network that can tell what each source adds to the fused image."""

    def contributions(self, sources: "Tensor") -> "Tensor":
        """Return (B, K, H, W) whose sum over K is the fused image to the last bit of single precision.

        There is one map per source of ``sources`` (B, N, H, W), values 0..1, in their order, and perhaps a last one of
        what the network adds by itself.
        """
