"""Operations at the edge of their domain, with gradients that stay finite there."""

import torch
from torch import Tensor


def safe_sqrt(squares: Tensor) -> Tensor:
    """Square root; 0, with the gradient 0 instead of infinity, of 0 and of what rounding made negative."""
    positive = squares > 0
    return torch.where(positive, squares.where(positive, 1).sqrt(), 0)


def safe_ratio(numerator: Tensor, denominator: Tensor, otherwise: float = 0) -> Tensor:
    """Quotient of quantities that are not negative; a constant, with the gradient 0, where the denominator is 0."""
    positive = denominator > 0
    return torch.where(positive, numerator / denominator.where(positive, 1), otherwise)
