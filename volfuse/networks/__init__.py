"""Fusion networks, one file per paper: ``forward(sources (B, N, H, W)) -> fused (B, 1, H, W)``."""

from volfuse.networks.blendnet import BlendNet
from volfuse.networks.lightfusionnet import LightFusionNet

__all__ = ["BlendNet", "LightFusionNet"]
