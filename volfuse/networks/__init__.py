"""Fusion networks, one file or folder per paper: ``forward(sources (B, N, H, W)) -> fused (B, 1, H, W)``."""

from volfuse.networks.crossfuse import CrossFuse, CrossFuseAutoEncoder
from volfuse.networks.csafusion import CSAFusion
from volfuse.networks.fusionmamba import FusionMamba
from volfuse.networks.lightfusionnet import LightFusionNet
from volfuse.networks.tafie import TAFIE
from volfuse.networks.unionnet import UnionNet

__all__ = [
    "TAFIE",
    "CSAFusion",
    "CrossFuse",
    "CrossFuseAutoEncoder",
    "FusionMamba",
    "LightFusionNet",
    "UnionNet",
]
