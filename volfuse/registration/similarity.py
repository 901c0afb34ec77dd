"""Similarity of two scans on one grid: do they show the same anatomy in the same place?"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from volfuse.numerics.ssim import ssim

_BINS = 32
_SLICES = 32  # measured, of all that there are


@dataclass(frozen=True)
class Similarity:
    """Measures of similarity, higher is better.

    Attributes:
        ssim: structural similarity, mean over slices, -1..1.
        ncc: Pearson correlation of the values, -1..1. Low or negative between contrasts even if all is right.
        nmi: normalised mutual information of the values, 1..2 (Studholme et al. 1999, Pattern Recognit. 32).
        edges: Pearson correlation of the gradient magnitudes, -1..1: edges lie on edges, whichever side is brighter.
    """

    ssim: float
    ncc: float
    nmi: float
    edges: float


def similarity_after(reference: sitk.Image, second: sitk.Image, transform: sitk.Transform) -> Similarity:
    """Compare two volumes, values 0..1, where a transform from ``reference`` to ``second`` puts them."""
    ones = sitk.Image(second.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(second)
    inside = sitk.Resample(ones, reference, transform, sitk.sitkNearestNeighbor, 0)
    return similarity(reference, sitk.Resample(second, reference, transform, sitk.sitkLinear, 0.0), inside)


def similarity(reference: sitk.Image, moved: sitk.Image, inside: sitk.Image) -> Similarity:
    """Compare two volumes on one grid.

    Args:
        reference: float, values 0..1.
        moved: the same.
        inside: 1 where ``moved`` has voxels of its own, else 0. Only there are the volumes compared, except by SSIM,
            which needs whole slices.
    """
    mask = sitk.GetArrayViewFromImage(inside) > 0
    sigma = float(np.prod(reference.GetSpacing()) ** (1 / 3))
    values = [sitk.GetArrayViewFromImage(image) for image in (reference, moved)]
    edges = [
        sitk.GetArrayFromImage(sitk.GradientMagnitudeRecursiveGaussian(image, sigma))
        for image in (reference, moved)
    ]
    if mask.sum() < 2:
        return Similarity(0.0, 0.0, 1.0, 0.0)
    return Similarity(
        _ssim(*values),
        _pearson(*(array[mask] for array in values)),
        normalised_mutual_information(*(array[mask] for array in values)),
        _pearson(*(array[mask] for array in edges)),
    )


def normalised_mutual_information(first: np.ndarray, second: np.ndarray) -> float:
    """Return (H(A) + H(B)) / H(A, B) of values 0..1 in 32 bins each: 1 for independent images, 2 for equal ones."""
    joint, _, _ = np.histogram2d(first.ravel(), second.ravel(), _BINS, ((0, 1), (0, 1)))
    entropies = [_entropy(counts) for counts in (joint.sum(1), joint.sum(0), joint)]
    return (entropies[0] + entropies[1]) / entropies[2] if entropies[2] > 0 else 1.0


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _pearson(first: np.ndarray, second: np.ndarray) -> float:
    first, second = (array - array.mean(dtype=np.float64) for array in (first, second))
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 0 else 0.0


def _ssim(reference: np.ndarray, moved: np.ndarray) -> float:
    chosen = np.linspace(0, len(reference) - 1, min(len(reference), _SLICES)).round().astype(int)
    slices = torch.from_numpy(np.stack([reference[chosen], moved[chosen]], axis=1)).clamp(0, 1)
    return ssim(slices[:, :1], slices[:, 1:]).mean().item()
