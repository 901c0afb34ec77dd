"""The list of all metrics: what tables, documentation, tests and the evaluation iterate over."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from volfuse.choices import Convention
from volfuse.errors import unknown_name
from volfuse.metrics import (
    contrast,
    correlation,
    edges,
    exposure,
    feature_information,
    information,
    structural,
    visual_information,
)
from volfuse.metrics.inputs import is_published

_WRAPS = "8-bit differences and squares wrap around modulo 256"


@dataclass(frozen=True)
class Metric:
    """One metric with what a reader of a table must know about it.

    Attributes:
        name: the key in :data:`METRICS`.
        label: the column title of tables.
        function: ``function(fused (B, 1, H, W), sources (B, N, H, W)) -> (B,)``.
        value_range: the possible values, as text.
        identical: the value if the fused image and all sources are the same image, as text.
        higher_is_better: the direction of the arrow in tables.
        differentiable: whether gradients flow to the fused image.
        published: what ``convention="published"`` computes instead; empty if there is no difference.
    """

    name: str
    label: str
    function: Callable[..., Tensor]
    value_range: str
    identical: str
    higher_is_better: bool = True
    differentiable: bool = True
    published: str = ""

    def __call__(self, fused: Tensor, sources: Tensor, *, convention: Convention = "reference") -> Tensor:
        """Compute the metric, shape (B,), under ``"reference"`` or ``"published"`` arithmetic."""
        if is_published(convention) and self.published:
            return self.function(fused, sources, convention=convention)
        return self.function(fused, sources)


_METRICS = (
    Metric("en", "EN", information.entropy, "0..8 bits", "H(F)", differentiable=False),
    Metric("sd", "SD", contrast.standard_deviation, "0..127.5 grey levels", "SD(F)"),
    Metric("sf", "SF", contrast.spatial_frequency, "0..360.6 grey levels", "SF(F)", published=_WRAPS),
    Metric("ag", "AG", contrast.average_gradient, "0..255 grey levels", "AG(F)", published=_WRAPS),
    Metric("mi", "MI", information.mutual_information, "0..8N bits", "N H(F)", differentiable=False),
    Metric(
        "mi_nats",
        "MI (nats)",
        information.mutual_information_nats,
        "0..5.55N nats",
        "N H(F)",
        differentiable=False,
    ),
    Metric("nmi", "NMI", information.normalised_mutual_information, "0..N", "N", differentiable=False),
    Metric(
        "qncie",
        "Q_NCIE",
        information.nonlinear_correlation_information_entropy,
        "0.80..1 (N = 2)",
        "depends on H(F)",
        differentiable=False,
    ),
    Metric("cc", "CC", correlation.correlation_coefficient, "-1..1", "1"),
    Metric(
        "scd",
        "SCD",
        correlation.sum_of_correlations_of_differences,
        "-2..2",
        "0",
        published="sum of the correlations with the sources, N times CC",
    ),
    Metric(
        "ssim",
        "SSIM",
        structural.structural_similarity,
        "-1..1",
        "1",
        published="sum over the sources, not their mean",
    ),
    Metric("ssim_first", "SSIM (source 0)", structural.structural_similarity_to_first, "-1..1", "1"),
    Metric("ssim_second", "SSIM (source 1)", structural.structural_similarity_to_second, "-1..1", "1"),
    Metric("ms_ssim", "MS-SSIM", structural.multiscale_structural_similarity, "0..1", "1"),
    Metric("mef_ssim", "MEF-SSIM", exposure.multi_exposure_structural_similarity, "0..1", "1"),
    Metric("qabf", "Q^AB/F", edges.edge_preservation, "0..0.975", "0.975"),
    Metric("nabf", "N^AB/F", edges.edge_artifacts, "0..1", "0", higher_is_better=False),
    Metric("epi", "EPI", edges.edge_preservation_index, "-1..1", "1"),
    Metric("epi_first", "EPI (source 0)", edges.edge_preservation_index_to_first, "-1..1", "1"),
    Metric("epi_second", "EPI (source 1)", edges.edge_preservation_index_to_second, "-1..1", "1"),
    Metric("vif", "VIF", visual_information.visual_information_fidelity, "0..N and above", "N"),
    Metric("viff", "VIFF", visual_information.visual_information_fidelity_for_fusion, "0..1 and above", "1"),
    *(
        Metric(f"fmi_{feature}", f"FMI ({feature})", function, "0..1", "1", differentiable=False)
        for feature, function in (
            ("edge", feature_information.feature_mutual_information_edge),
            ("gradient", feature_information.feature_mutual_information_gradient),
            ("dct", feature_information.feature_mutual_information_dct),
            ("wavelet", feature_information.feature_mutual_information_wavelet),
            ("pixel", feature_information.feature_mutual_information_pixel),
        )
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
"""Every metric by name, in the order of the tables."""


def find_metric(name: str) -> Metric:
    """Return the metric with this name.

    Raises:
        FusionError: if there is none.
    """
    if name not in METRICS:
        raise unknown_name("metric", name, METRICS)
    return METRICS[name]
