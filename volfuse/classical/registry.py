"""The classical rules by name, for catalogues and tables."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from volfuse.classical.bilateral import JointBilateralGradientEnergy
from volfuse.classical.guided import GuidedFilterFusion
from volfuse.classical.laplacian import LaplacianPyramid
from volfuse.classical.pca import PrincipalComponent
from volfuse.classical.pointwise import AlphaBlend, Average, Maximum
from volfuse.classical.rule import FusionRule
from volfuse.classical.wavelet import WaveletMaximum


@dataclass(frozen=True)
class ClassicalRule:
    """How a front end offers a rule.

    Attributes:
        name: the key in ``CLASSICAL``.
        title: what a list shows.
        description: one plain line for someone who does not know the rule.
        factory: makes the rule, with its defaults when called without arguments.
    """

    name: str
    title: str
    description: str
    factory: Callable[..., FusionRule]


CLASSICAL: dict[str, ClassicalRule] = {
    rule.name: rule
    for rule in (
        ClassicalRule("average", "Average", "Mean of the sources; contrast is lost.", Average),
        ClassicalRule("maximum", "Maximum", "The brightest source at each pixel.", Maximum),
        ClassicalRule(
            "alpha_blend", "Alpha blend", "Transparent overlay with an adjustable weight.", AlphaBlend
        ),
        ClassicalRule(
            "pca", "PCA", "Weighted mean; the source with more variation weighs more.", PrincipalComponent
        ),
        ClassicalRule(
            "laplacian",
            "Laplacian pyramid",
            "The strongest detail at each scale, on the brightest background.",
            LaplacianPyramid,
        ),
        ClassicalRule(
            "laplacian_mean",
            "Laplacian pyramid, mean base",
            "The strongest detail at each scale, on the mean background.",
            partial(LaplacianPyramid, base="mean"),
        ),
        ClassicalRule(
            "dwt", "Wavelet maximum", "The strongest wavelet coefficient in each band.", WaveletMaximum
        ),
        ClassicalRule(
            "guided_filter",
            "Guided filter (GFF)",
            "Smooth weights that follow the edges of the most salient source.",
            GuidedFilterFusion,
        ),
        ClassicalRule(
            "jbf_lge",
            "Joint bilateral filter (JBF-LGE)",
            "Bright large regions of all sources plus the structure with the strongest gradients.",
            JointBilateralGradientEnergy,
        ),
    )
}
