"""The door by which MONAI Label finds the app of SlicerFusion; everything is in ``volfuse.label``."""

from volfuse.label.application import FusionApp

__all__ = ["FusionApp"]
