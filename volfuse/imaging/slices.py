"""Some slices of a volume: those that show what there is to fuse."""

from collections.abc import Sequence

from torch import Tensor


def slices_with_content(sources: Tensor, most: int | None = None) -> list[int]:
    """Return the numbers of the slices in which every source shows something, that is, more than one value.

    Args:
        sources: (N, H, W, D).
        most: how many at most, evenly spaced; all without it.
    """
    pixels = sources.flatten(1, 2)
    shown: list[int] = (pixels.amax(1) > pixels.amin(1)).all(0).nonzero().flatten().tolist()
    if most is None or len(shown) <= most:
        return shown
    return [shown[(2 * number + 1) * len(shown) // (2 * most)] for number in range(most)]


def slices_of(volume: Tensor, numbers: Sequence[int]) -> Tensor:
    """Return slices of (C, H, W, D) as a batch (B, C, H, W)."""
    return volume[..., list(numbers)].movedim(-1, 0)
