"""Fusion in a discrete wavelet transform: the strongest coefficient of every band wins.

Li, Manjunath and Mitra 1995, "Multisensor image fusion using the wavelet transform", Graphical Models and
Image Processing 57(3), 235-245; here without their area filter and consistency check, as it is commonly compared
against, and with the brightest approximation.
"""

import torch
from torch import Tensor

from volfuse.classical.rule import FusionRule
from volfuse.classical.selection import strongest

WAVELET = "db2"
LEVELS = 3


class WaveletMaximum(FusionRule):
    """Strongest Daubechies-2 detail of three levels on top of the brightest approximation.

    Images too small for three levels get fewer. PyWavelets computes on the CPU, wherever the sources are.
    """

    def fuse(self, sources: Tensor) -> Tensor:
        """(B, N, H, W) -> (B, 1, H, W)."""
        import pywt  # noqa: PLC0415 - only this rule needs it

        height, width = sources.shape[-2:]
        levels = min(LEVELS, pywt.dwt_max_level(min(height, width), WAVELET))
        approximation, *details = pywt.wavedec2(sources.numpy(force=True), WAVELET, level=levels)
        fused = [approximation.max(1, keepdims=True)]
        fused += [tuple(strongest(torch.from_numpy(band)).numpy() for band in level) for level in details]
        # The inverse of an odd size comes back one pixel larger.
        return torch.from_numpy(pywt.waverec2(fused, WAVELET))[..., :height, :width].to(sources.device)
