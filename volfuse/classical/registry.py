"""The classical rules by name, for catalogues and tables."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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


_FACTORIES: dict[str, Callable[..., FusionRule]] = {
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

# The words are in a file because ``volfuse.listing`` reads them without torch.
CLASSICAL: dict[str, ClassicalRule] = {
    name: ClassicalRule(name, **words, factory=_FACTORIES[name])
    for name, words in json.loads(Path(__file__).with_name("rules.json").read_text(encoding="utf-8")).items()
}
