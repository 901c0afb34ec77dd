"""Is a fused image worth more than a single source? Cross-validated classification of both, on the same folds."""

from volfuse.downstream.cases import LabelledCase, read_cases
from volfuse.downstream.classification import Scores, cross_validate
from volfuse.downstream.comparison import compare, markdown
from volfuse.downstream.descriptors import orientation_histograms
from volfuse.downstream.synthetic import write_texture_stacks

__all__ = [
    "LabelledCase",
    "Scores",
    "compare",
    "cross_validate",
    "markdown",
    "orientation_histograms",
    "read_cases",
    "write_texture_stacks",
]
