"""What a user chooses, as types that all rooms share; they import nothing, so that a command shows them at once."""

from collections.abc import Sequence
from typing import Literal

Convention = Literal["reference", "published"]
"""Whose arithmetic metrics follow: their definitions', or that of the papers' tables where it differs."""

Plane = Literal["axial", "coronal", "sagittal"]
"""The slices that are fused."""

WindowChoice = str | tuple[float, float]
"""An intensity window: its name or notation, see ``volfuse.imaging.windows``, or (low, high) in source values."""

Colormap = str | Sequence[Sequence[float]]
"""A matplotlib name, or a table of 256 RGB rows, 0..1 or integers 0..255."""

Color = Literal["gamut", "luminance", "published"]
"""How the colour of a source comes back, see ``volfuse.imaging.RestoreColord``."""
