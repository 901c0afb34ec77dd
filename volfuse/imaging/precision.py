"""What values lose on their way to single precision, in which images are fused."""

import numpy as np

from volfuse.errors import FusionError

_FEWEST_STEPS = 512  # between the lowest and the highest value: half a grey level of 8 bits
_WHOLE_NUMBERS = 1 << 24  # up to which single precision holds every one


def precision_lost(name: str, voxels: np.ndarray) -> list[str]:
    """Return a sentence if values are rounded on the way to float32.

    Args:
        name: of the image, for the sentence.
        voxels: finite real numbers of any type.

    Raises:
        FusionError: if they are too large for it, or too close to each other.
    """
    if voxels.dtype.itemsize < 4 or voxels.dtype == np.float32:
        return []
    low, high = float(voxels.min()), float(voxels.max())
    largest = max(abs(low), abs(high))
    if largest > np.finfo(np.float32).max:
        raise FusionError(f"{name} holds values up to {largest:g}, beyond single precision; scale them down.")
    step = float(np.spacing(np.float32(largest)))
    if high - low < _FEWEST_STEPS * step:
        raise FusionError(
            f"{name} holds values from {low:.10g} to {high:.10g}, which single precision holds in steps of {step:g} "
            "only; subtract the lowest value from all."
        )
    if voxels.dtype.kind in "iu" and largest > _WHOLE_NUMBERS:
        return [f"{name} holds whole numbers up to {largest:.0f}; they were rounded to steps of {step:g}."]
    return []
