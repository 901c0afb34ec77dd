"""Fusion losses without ground truth: ``loss(fused (B, 1, H, W), sources (B, N, H, W)) -> scalar``."""

from volfuse.losses.composite import WeightedSumLoss
from volfuse.losses.gradient import GradientLoss, gradient_loss
from volfuse.losses.intensity import IntensityLoss, intensity_loss
from volfuse.losses.quality import EdgeExcessLoss, MetricLoss, QualityLoss, edge_excess_loss, metric_loss
from volfuse.losses.structural import SSIMLoss, ssim_loss

__all__ = [
    "EdgeExcessLoss",
    "GradientLoss",
    "IntensityLoss",
    "MetricLoss",
    "QualityLoss",
    "SSIMLoss",
    "WeightedSumLoss",
    "edge_excess_loss",
    "gradient_loss",
    "intensity_loss",
    "metric_loss",
    "ssim_loss",
]
