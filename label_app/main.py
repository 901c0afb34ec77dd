"""Where MONAI Label looks for the app of SlicerFusion; the app itself is in ``volfuse.label``."""

from volfuse.label.application import FusionApp

__all__ = ["FusionApp"]
