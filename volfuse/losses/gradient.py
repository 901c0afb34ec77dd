"""Keep the strongest edge of the sources at every pixel."""

from torch import Tensor, nn

from volfuse.numerics.sobel import sobel


def gradient_loss(fused: Tensor, sources: Tensor) -> Tensor:
    r"""Mean absolute difference of Sobel magnitudes to the strongest source edge.

    .. math:: L_{grad} = \frac{1}{HW} \lVert |\nabla F| - \max_i |\nabla I_i| \rVert_1,
              \quad |\nabla I| = |S_x * I| + |S_y * I|

    (TAFIE and LightFusionNet, gradient term.) The border is replicated, so the frame of a training crop is no edge.

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, any N.

    Returns:
        A scalar, 0 or more; 0 if every edge of the fused image is as strong as the strongest of the sources.
    """
    strongest = _magnitude(sources).amax(dim=1, keepdim=True)
    return (_magnitude(fused) - strongest).abs().mean()


class GradientLoss(nn.Module):
    """:func:`gradient_loss` as a module, which a configuration can name."""

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """See :func:`gradient_loss`."""
        return gradient_loss(fused, sources)


def _magnitude(images: Tensor) -> Tensor:
    horizontal, vertical = sobel(images)
    return horizontal.abs() + vertical.abs()
