"""Train so that no lesion is lost: what one source alone shows must arrive in the fused image."""

from torch import Tensor, nn

from volfuse.numerics.arithmetic import safe_ratio

_TOO_LITTLE, _TOO_MUCH = 0.7, 1.12
_SHAPE = 0.05


def transfer_loss(
    fused_change: Tensor, source_change: Tensor, enough: float = 1.0, rescue: float = 4.0
) -> Tensor:
    r"""How far the transfer T of changes in the sources is from enough.

    .. math:: L = \mathrm{mean} \left[ (e - T)_+^2 + r \, (0.7 - T)_+^2 + 2 \, (T - 1.12)_+^2
              + 0.05 \frac{\lVert \Delta F - d \rVert^2}{\lVert d \rVert^2} \right], \quad
              T = \frac{\langle \Delta F, d \rangle}{\langle d, d \rangle}

    The second term is for the lesions that are nearly lost, the third against amplification, and the last, small one
    keeps their shape.

    Args:
        fused_change: :math:`\Delta F`, the change of the fused image, (B, 1, H, W).
        source_change: d, what was added to the sources, (B, N, H, W); images without a change do not count.
        enough: e, a transfer that is not pushed further.
        rescue: r, the weight of what is nearly lost.

    Returns:
        A scalar, 0 or more; 0 if no image has a change.
    """
    added = source_change.sum(dim=1, keepdim=True)
    energy = added.square().sum(dim=(1, 2, 3))
    changed = energy > 0
    # Not volfuse.metrics.transfer: its quotient has no gradient for an image without a change.
    kept = safe_ratio((fused_change * added).sum(dim=(1, 2, 3)), energy)
    shape = safe_ratio((fused_change - added).square().sum(dim=(1, 2, 3)), energy)
    losses = (
        (enough - kept).relu().square()
        + rescue * (_TOO_LITTLE - kept).relu().square()
        + 2 * (kept - _TOO_MUCH).relu().square()
        + _SHAPE * shape
    )
    return (losses * changed).sum() / changed.sum().clamp(min=1)


class LesionLoss(nn.Module):
    """A loss of the images as they are, and :func:`transfer_loss` of what lesions change in them.

    Args:
        loss: called as ``loss(fused, sources)`` on the images without lesions.
        weight: of the transfer loss.
        enough: see :func:`transfer_loss`.
        rescue: see :func:`transfer_loss`.
    """

    def __init__(self, loss: nn.Module, weight: float, enough: float = 1.0, rescue: float = 4.0) -> None:
        super().__init__()
        self.loss = loss
        self.weight = weight
        self.enough = enough
        self.rescue = rescue

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """Return a scalar.

        Args:
            fused: (2 B, 1, H, W), values 0..1.
            sources: (2 B, N, H, W), values 0..1: a batch, then the same with lesions, as
                ``volfuse.engine.LesionPrepareBatch`` gives them.
        """
        before, after = fused.chunk(2)
        without, with_lesions = sources.chunk(2)
        lost = transfer_loss(after - before, with_lesions - without, self.enough, self.rescue)
        return self.loss(before, without) + self.weight * lost
