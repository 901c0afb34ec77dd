"""Choices between sources, made so that the order of the sources never matters."""

from torch import Tensor


def strongest(coefficients: Tensor) -> Tensor:
    """Coefficient of the largest magnitude, (B, N, H, W) -> (B, 1, H, W); of +a and -a the positive one."""
    highest, lowest = coefficients.amax(1, keepdim=True), coefficients.amin(1, keepdim=True)
    return highest.where(highest >= -lowest, lowest)


def winners(scores: Tensor) -> Tensor:
    """One where a source has the highest score of all, else zero, (B, N, H, W) -> (B, N, H, W).

    Sources that share the highest score all win: what to do about a tie is the caller's to say.
    """
    return (scores == scores.amax(1, keepdim=True)).to(scores.dtype)
