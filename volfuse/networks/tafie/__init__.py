"""TAFIE: token attention and entropy-guided attention for the fusion of two or more images."""

from volfuse.networks.tafie.network import TAFIE

__all__ = ["TAFIE"]
