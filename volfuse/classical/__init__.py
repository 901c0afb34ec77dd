"""Fusion rules without training, behind the interface of a network: ``rule(sources (B, N, H, W)) -> (B, 1, H, W)``.

``CLASSICAL`` holds them by name::

    fused = CLASSICAL["laplacian"]()(sources)
"""

from volfuse.classical.bilateral import JointBilateralGradientEnergy
from volfuse.classical.guided import GuidedFilterFusion
from volfuse.classical.laplacian import LaplacianPyramid
from volfuse.classical.pca import PrincipalComponent
from volfuse.classical.pointwise import AlphaBlend, Average, Maximum
from volfuse.classical.registry import CLASSICAL
from volfuse.classical.rule import FusionRule
from volfuse.classical.wavelet import WaveletMaximum

__all__ = [
    "CLASSICAL",
    "AlphaBlend",
    "Average",
    "FusionRule",
    "GuidedFilterFusion",
    "JointBilateralGradientEnergy",
    "LaplacianPyramid",
    "Maximum",
    "PrincipalComponent",
    "WaveletMaximum",
]
