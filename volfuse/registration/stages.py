"""Rigid, affine and deformable registration of one volume onto another, by ANTs.

Every stage maximises the mutual information of Mattes, which does not need a tissue to be equally bright in both scans.
The deformable stage is SyN (Avants et al. 2008, Med. Image Anal. 12). ANTs finds the transform,
SimpleITK applies it.
"""

import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import SimpleITK as sitk

from volfuse.errors import FusionError, missing_package
from volfuse.registration.similarity import normalised_mutual_information

# What a user calls a stage, and what ANTs calls it, in the only order that makes sense.
STAGES = {"rigid": "Rigid", "affine": "Affine", "syn": "SyNOnly"}
DEFAULT_STAGES = ("rigid", "affine")
Linear = sitk.Euler3DTransform | sitk.VersorRigid3DTransform | sitk.AffineTransform
# Smoothing of the whole displacement field, in voxels. ANTs has 0, with which single points went 3 voxels astray.
_TOTAL_SIGMA = 1.0
_SMALLEST_SIDE = 8  # voxels
_COARSE = 32  # voxels a side that are enough to compare two starts


def check_stages(stages: Sequence[str]) -> tuple[str, ...]:
    """Return the stages, checked.

    Raises:
        FusionError: if one is unknown, or they do not run from coarse to fine.
    """
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise FusionError(f"'{unknown[0]}' is no stage of a registration; use {', '.join(STAGES)}.")
    if list(stages) != [stage for stage in STAGES if stage in stages]:
        raise FusionError(f"The stages of a registration run in the order {', '.join(STAGES)}, each once.")
    return tuple(stages)


def check_size(image: sitk.Image, name: str) -> None:
    """Refuse what is no volume.

    Raises:
        FusionError: if a side has too few voxels for a rotation in space to be found.
    """
    if min(image.GetSize()) < _SMALLEST_SIDE:
        size = "x".join(map(str, image.GetSize()))
        raise FusionError(
            f"{name} has {size} voxels; registration needs a volume of at least {_SMALLEST_SIDE} along each side."
        )


def align(
    reference: sitk.Image,
    second: sitk.Image,
    stages: Sequence[str] = DEFAULT_STAGES,
    start: Linear | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> sitk.CompositeTransform:
    """Find where every point of ``reference`` lies in ``second``.

    Args:
        reference: float volume, values 0..1.
        second: the same, of the same patient.
        stages: some of ``"rigid"``, ``"affine"``, ``"syn"``, in this order; see :func:`check_stages`.
        start: a transform to begin with; by default that of :func:`best_start`.
        progress: called as ``progress(stages_done, stages_in_all)``.

    Returns:
        Maps points of ``reference`` to ``second``, in mm, in ITK's frame (LPS). The first transform in it is the linear
        part, of type :class:`SimpleITK.AffineTransform`.

    Raises:
        FusionError: if ANTs is not installed or finds no transform.
    """
    ants = import_ants()
    images = [_to_ants(ants, image) for image in (reference, second)]
    start = best_start(reference, second) if start is None else start
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / "start.mat")]
        sitk.WriteTransform(
            sitk.AffineTransform(start.GetMatrix(), start.GetTranslation(), start.GetCenter()), files[0]
        )
        for number, stage in enumerate(stages):
            prefix = str(Path(folder) / stage)
            try:
                found = ants.registration(
                    *images,
                    STAGES[stage],
                    initial_transform=files[-1],
                    outprefix=prefix,
                    total_sigma=_TOTAL_SIGMA,
                    random_seed=1,
                )
            except (RuntimeError, ValueError) as error:
                raise FusionError(
                    "The two volumes could not be registered; give landmarks, or check that they show one patient."
                ) from error
            files = found["fwdtransforms"]
            if progress:
                progress(number + 1, len(stages))
        return _read_transforms(files)


def best_start(reference: sitk.Image, second: sitk.Image) -> sitk.Euler3DTransform:
    """Return the better of two starts: the positions in the files, or centres of mass on top of each other."""
    centers = sitk.CenteredTransformInitializer(
        reference, second, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    centers = sitk.Euler3DTransform(centers)
    factors = [max(1, size // _COARSE) for size in reference.GetSize()]
    coarse = sitk.BinShrink(reference, factors)

    def shared_information(start: sitk.Euler3DTransform) -> float:
        # Outside is black, as air is, so that a start without any overlap counts little.
        moved = sitk.Resample(second, coarse, start, sitk.sitkLinear, 0.0)
        return normalised_mutual_information(*map(sitk.GetArrayViewFromImage, (coarse, moved)))

    return max((sitk.Euler3DTransform(), centers), key=shared_information)


def import_ants() -> ModuleType:
    """Return ANTs.

    Raises:
        FusionError: if it is not installed.
    """
    try:
        return import_module("ants")  # slow to import, and not everybody has it
    except ImportError as error:
        raise FusionError(f"{missing_package('ANTs', 'registration')}, or give landmarks.") from error


def _to_ants(ants: ModuleType, image: sitk.Image) -> Any:
    return ants.from_numpy(
        sitk.GetArrayFromImage(image).T,
        image.GetOrigin(),
        image.GetSpacing(),
        np.reshape(image.GetDirection(), (3, 3)),
    )


def _read_transforms(files: Sequence[str]) -> sitk.CompositeTransform:
    """Read what ANTs wrote: a linear transform, and before it in the list perhaps a displacement field."""
    transforms = [
        sitk.DisplacementFieldTransform(sitk.ReadImage(file, sitk.sitkVectorFloat64))
        if file.endswith(".nii.gz")
        else sitk.ReadTransform(file)
        for file in files
    ]
    # ANTs applies the first of its list to a point first, SimpleITK what was added last.
    return sitk.CompositeTransform([*reversed(transforms)])


def linear_part(transform: sitk.CompositeTransform) -> sitk.AffineTransform:
    """Return the linear part of what :func:`align` found."""
    return sitk.AffineTransform(transform.GetNthTransform(0))
