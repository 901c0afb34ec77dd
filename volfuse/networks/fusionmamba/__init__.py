"""FusionMamba: a state-space network for image fusion.

Paper: Xie et al. 2024, "FusionMamba: dynamic feature enhancement for multimodal image fusion with Mamba"
(Visual Intelligence 2:37, arXiv:2404.09498).
Where the paper and its authors' code (github.com/millieXie/FusionMamba) differ,
``research/2026-11-fusionmamba.md`` says what was chosen. Features travel as (B, H, W, C) inside.
"""

from volfuse.networks.fusionmamba.network import FusionMamba

__all__ = ["FusionMamba"]
