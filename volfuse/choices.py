"""What a user chooses, as types that all rooms share. They import nothing, so that a list of options needs no torch."""

from collections.abc import Sequence
from typing import Literal

Plane = Literal["axial", "coronal", "sagittal"]
"""The slices that are fused."""

WindowChoice = str | tuple[float, float]
"""An intensity window: its name or notation, see ``volfuse.imaging.windows``, or (low, high) in source values."""

Colormap = str | Sequence[Sequence[float]]
"""A matplotlib name, or a table of 256 RGB rows, 0..1 or integers 0..255."""

Color = Literal["gamut", "luminance", "published"]
"""How the colour of a source comes back, see ``volfuse.imaging.RestoreColord``."""
