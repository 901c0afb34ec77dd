"""Fusion metrics: ``metric(fused (B, 1, H, W), sources (B, N, H, W)) -> (B,)``, images in 0..1.

:data:`METRICS` lists them all; :class:`FusionMetric` makes any of them a MONAI metric. ``docs/concepts/metrics.md``
compares them with published tables.
"""

from volfuse.metrics.contrast import average_gradient, spatial_frequency, standard_deviation
from volfuse.metrics.correlation import (
    correlation_coefficient,
    sum_of_correlations_of_differences,
)
from volfuse.metrics.edges import (
    edge_artifacts,
    edge_preservation,
    edge_preservation_index,
    edge_preservation_index_per_source,
    edge_preservation_index_to_first,
    edge_preservation_index_to_second,
)
from volfuse.metrics.exposure import multi_exposure_structural_similarity
from volfuse.metrics.feature_information import (
    feature_mutual_information_dct,
    feature_mutual_information_edge,
    feature_mutual_information_gradient,
    feature_mutual_information_pixel,
    feature_mutual_information_wavelet,
)
from volfuse.metrics.information import (
    entropy,
    mutual_information,
    mutual_information_nats,
    nonlinear_correlation_information_entropy,
    normalised_mutual_information,
)
from volfuse.metrics.monai_metric import FusionMetric
from volfuse.metrics.registry import METRICS, Metric, find_metric
from volfuse.metrics.structural import (
    multiscale_structural_similarity,
    structural_similarity,
    structural_similarity_per_source,
    structural_similarity_to_first,
    structural_similarity_to_second,
)
from volfuse.metrics.transfer import transfer
from volfuse.metrics.visual_information import (
    visual_information_fidelity,
    visual_information_fidelity_for_fusion,
)

__all__ = [
    "METRICS",
    "FusionMetric",
    "Metric",
    "average_gradient",
    "correlation_coefficient",
    "edge_artifacts",
    "edge_preservation",
    "edge_preservation_index",
    "edge_preservation_index_per_source",
    "edge_preservation_index_to_first",
    "edge_preservation_index_to_second",
    "entropy",
    "feature_mutual_information_dct",
    "feature_mutual_information_edge",
    "feature_mutual_information_gradient",
    "feature_mutual_information_pixel",
    "feature_mutual_information_wavelet",
    "find_metric",
    "multi_exposure_structural_similarity",
    "multiscale_structural_similarity",
    "mutual_information",
    "mutual_information_nats",
    "nonlinear_correlation_information_entropy",
    "normalised_mutual_information",
    "spatial_frequency",
    "standard_deviation",
    "structural_similarity",
    "structural_similarity_per_source",
    "structural_similarity_to_first",
    "structural_similarity_to_second",
    "sum_of_correlations_of_differences",
    "transfer",
    "visual_information_fidelity",
    "visual_information_fidelity_for_fusion",
]
