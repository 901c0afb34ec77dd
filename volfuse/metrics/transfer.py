"""How much of a lesion that one source alone shows arrives in the fused image."""

from torch import Tensor

from volfuse.metrics.inputs import plain_tensor, working_precision


def transfer(fused_before: Tensor, fused_after: Tensor, difference: Tensor) -> Tensor:
    r"""Transfer of a change in one source: the share of its contrast that the fused image shows.

    .. math:: T = \frac{\langle F_1 - F_0, d \rangle}{\langle d, d \rangle}

    1: it arrives with its whole contrast; 0.5: as in the plain average; 0: it is lost. Above 1 it is amplified, below
    0 inverted. T is the least-squares answer to "how many times :math:`d` is in :math:`F_1 - F_0`", so changes that
    do not look like the lesion do not count.

    Args:
        fused_before: the sources fused as they are, F0: (B, 1, H, W) or (B, 1, H, W, D).
        fused_after: fused again after the change, F1, of the same shape.
        difference: what was added to one source, d, of the same shape.

    Returns:
        (B,), any real number; NaN where nothing was added.

    Raises:
        ValueError: the shapes differ.
    """
    if not fused_before.shape == fused_after.shape == difference.shape:
        raise ValueError(
            "fused_before, fused_after and difference must have one shape, got "
            f"{tuple(fused_before.shape)}, {tuple(fused_after.shape)} and {tuple(difference.shape)}."
        )
    precision = working_precision(difference.device)
    before, after, added = (
        plain_tensor(images).to(precision).flatten(1) for images in (fused_before, fused_after, difference)
    )
    return ((after - before) * added).sum(1) / added.square().sum(1)
