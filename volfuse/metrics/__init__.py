"""Fusion metrics: ``metric(fused (B, 1, H, W), sources (B, N, H, W)) -> (B,)``, images in 0..1.

:data:`METRICS` lists them all; :class:`FusionMetric` makes any of them a MONAI metric. ``docs/metrics.md`` compares
them with published tables.
"""

from volfuse.metrics.contrast import average_gradient, spatial_frequency, standard_deviation
from volfuse.metrics.correlation import correlation_coefficient, sum_of_correlations_of_differences
from volfuse.metrics.edges import edge_preservation
from volfuse.metrics.information import (
    entropy,
    mutual_information,
    mutual_information_nats,
    nonlinear_correlation_information_entropy,
    normalised_mutual_information,
)
from volfuse.metrics.monai_metric import FusionMetric
from volfuse.metrics.registry import METRICS, Metric, find_metric

__all__ = [
    "METRICS",
    "FusionMetric",
    "Metric",
    "average_gradient",
    "correlation_coefficient",
    "edge_preservation",
    "entropy",
    "find_metric",
    "mutual_information",
    "mutual_information_nats",
    "nonlinear_correlation_information_entropy",
    "normalised_mutual_information",
    "spatial_frequency",
    "standard_deviation",
    "sum_of_correlations_of_differences",
]
