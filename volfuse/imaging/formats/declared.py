"""What a file says it holds, before any of it is unpacked."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Declared:
    """The size of an image.

    Attributes:
        format: its name, such as ``"NIfTI"``.
        shape: (X, Y, Z) or (X, Y, Z, components).
        dtype: as stored.
    """

    format: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Of memory that its voxels take when they are read."""
        return math.prod(self.shape) * self.dtype.itemsize
