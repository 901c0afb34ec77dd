"""Multimodal medical image fusion of whole volumes.

Importing this package imports neither torch nor MONAI, so a command line or a 3D Slicer panel can ask
for the version or show its help at once. ``volfuse.fuse``, ``volfuse.save`` and ``volfuse.FusionOptions`` load on
first use.

Not a medical device: results are for research, not for diagnosis.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["FusionError", "FusionOptions", "fuse", "save"]

_LAZY = {
    "fuse": ("volfuse.fusion.pipeline", "fuse"),
    "save": ("volfuse.imaging.files", "write_image"),
    "FusionOptions": ("volfuse.fusion.options", "FusionOptions"),
    "FusionError": ("volfuse.errors", "FusionError"),
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use (PEP 562)."""
    if name in _LAZY:
        module, own_name = _LAZY[name]
        return getattr(import_module(module), own_name)
    raise AttributeError(f"module 'volfuse' has no attribute '{name}'")
