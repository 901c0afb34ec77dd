"""The MONAI Label app of SlicerFusion; ``volfuse serve`` starts it. Everything is in ``lib``."""

from lib.application import FusionApp

__all__ = ["FusionApp"]
