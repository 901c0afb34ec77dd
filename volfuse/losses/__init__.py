"""Fusion losses without ground truth: ``loss(fused (B, 1, H, W), sources (B, N, H, W)) -> scalar``."""

from volfuse.losses.composite import WeightedSumLoss
from volfuse.losses.contrast import global_contrast_loss, local_contrast_loss
from volfuse.losses.csafusion import CSAFusionLoss
from volfuse.losses.gradient import GradientLoss, gradient_loss
from volfuse.losses.intensity import IntensityLoss, intensity_loss
from volfuse.losses.laplacian import LaplacianLoss, laplacian_loss
from volfuse.losses.lesions import LesionLoss, transfer_loss
from volfuse.losses.quality import QualityLoss, edge_excess_loss, metric_loss
from volfuse.losses.reconstruction import MultiScaleSSIMLoss, ReconstructionLoss, multiscale_ssim_loss
from volfuse.losses.region_mutual_information import (
    published_mutual_information_loss,
    region_mutual_information_loss,
)
from volfuse.losses.regional import RegionalIntensityLoss, regional_intensity_loss
from volfuse.losses.structural import SSIMLoss, ssim_loss

__all__ = [
    "CSAFusionLoss",
    "GradientLoss",
    "IntensityLoss",
    "LaplacianLoss",
    "LesionLoss",
    "MultiScaleSSIMLoss",
    "QualityLoss",
    "ReconstructionLoss",
    "RegionalIntensityLoss",
    "SSIMLoss",
    "WeightedSumLoss",
    "edge_excess_loss",
    "global_contrast_loss",
    "gradient_loss",
    "intensity_loss",
    "laplacian_loss",
    "local_contrast_loss",
    "metric_loss",
    "multiscale_ssim_loss",
    "published_mutual_information_loss",
    "region_mutual_information_loss",
    "regional_intensity_loss",
    "ssim_loss",
    "transfer_loss",
]
