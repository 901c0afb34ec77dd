"""The classical rules by name; ``rules.json`` has the words that lists show, so that they need no torch."""

from collections.abc import Callable
from functools import partial

from volfuse.classical.bilateral import JointBilateralGradientEnergy
from volfuse.classical.guided import GuidedFilterFusion
from volfuse.classical.laplacian import LaplacianPyramid
from volfuse.classical.pca import PrincipalComponent
from volfuse.classical.pointwise import AlphaBlend, Average, Maximum
from volfuse.classical.rule import FusionRule
from volfuse.classical.wavelet import WaveletMaximum

CLASSICAL: dict[str, Callable[..., FusionRule]] = {
    "average": Average,
    "maximum": Maximum,
    "alpha_blend": AlphaBlend,
    "pca": PrincipalComponent,
    "laplacian": LaplacianPyramid,
    "laplacian_mean": partial(LaplacianPyramid, base="mean"),
    "dwt": WaveletMaximum,
    "guided_filter": GuidedFilterFusion,
    "jbf_lge": JointBilateralGradientEnergy,
}
"""What makes each rule, with its defaults when called without arguments."""
