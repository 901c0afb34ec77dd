"""Registration of two images: the second volume on the grid of the reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

from volfuse.errors import FusionError
from volfuse.imaging.color import rgb_to_ycbcr
from volfuse.imaging.files import source_name
from volfuse.imaging.formats.itk import to_itk
from volfuse.imaging.notes import notes_of, with_notes
from volfuse.imaging.sources import Source, as_image
from volfuse.imaging.stored import About, StoredImage
from volfuse.imaging.windows import ROBUST
from volfuse.registration.coarse import AS_GOOD, mirror_note, mirror_ratio
from volfuse.registration.gate import Doubt, bending_gain, doubt_of_landmarks, doubt_of_stages
from volfuse.registration.points import landmark_error, paired_points, rigid_from_points
from volfuse.registration.similarity import Similarity, similarity_after
from volfuse.registration.stages import DEFAULT_STAGES, align, check_size, check_stages, linear_part


@dataclass(frozen=True)
class Registration:
    """A registered volume, and how well it fits.

    Attributes:
        image: the second volume on the grid of the reference, (1, X, Y, Z) or RGB (3, X, Y, Z), in its stored type;
            its lowest value where it has no voxels.
        transform: maps points of the reference to the second volume, mm, LPS.
        before: similarity of the two volumes as their files place them.
        after: similarity after registration.
        bending: what a deformable registration would add to the linear one, see
            :func:`~volfuse.registration.gate.bending_gain`; ``None`` if landmarks alone were used.
        doubt: why the volumes may not fit; ``None`` if nothing is suspicious.
        landmark_error: root mean square distance left between landmarks, mm; ``None`` without landmarks.
        notes: what was guessed, converted or left out, and whether one of the two may be mirrored; a sentence each.
    """

    image: MetaTensor
    transform: sitk.Transform
    before: Similarity
    after: Similarity
    bending: float | None
    doubt: Doubt | None
    landmark_error: float | None
    notes: tuple[str, ...] = ()


def register(
    reference: Source,
    second: Source,
    stages: Sequence[str] | None = None,
    landmarks: tuple[str | Path, str | Path] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Registration:
    """Register one volume onto another of the same patient.

    Args:
        reference: the volume that stays where it is; whatever :func:`~volfuse.imaging.sources.as_image` takes.
        second: the volume that is moved onto it. A colour volume is registered by its luminance.
        stages: see :func:`~volfuse.registration.align`; by default rigid and affine, or none if there are landmarks.
        landmarks: files of points in ``reference`` and in ``second``; the stages begin from where they put the volume.
        progress: called as ``progress(stages_done, stages_in_all)``.

    Raises:
        FusionError: one sentence on what is wrong with the input and what to do.
    """
    stages = check_stages(stages or (() if landmarks else DEFAULT_STAGES))
    # torch's annotations forget that a converted MetaTensor is one.
    reference_volume = cast(MetaTensor, as_image(reference, 1).float())
    second_volume = cast(MetaTensor, as_image(second, 2).float())
    greys = luminance(reference_volume), luminance(second_volume)
    start, left = None, None
    if landmarks:
        points = paired_points(*landmarks)
        start = rigid_from_points(*points)
        left = landmark_error(start, *points)
    before = similarity_after(*greys, sitk.Transform(3, sitk.sitkIdentity))
    transform: sitk.Transform
    if stages or start is None:
        transform = align(*greys, stages, start, progress)
        after = similarity_after(*greys, transform)
        linear = linear_part(transform)
        bending = bending_gain(*greys, linear)
        doubt = doubt_of_stages(stages, linear, bending)
        ratio = mirror_ratio(*greys, linear)
    else:
        transform = start
        after = similarity_after(*greys, transform)
        bending, ratio, doubt = None, None, doubt_of_landmarks(before, after)
    moved = resample(second_volume, reference_volume, transform)
    if ratio is not None and ratio >= AS_GOOD:
        sides = mirror_note(source_name(second_volume), source_name(reference_volume))
        moved = with_notes(moved, About.from_meta(moved.meta), [sides])
    notes = notes_of([reference_volume, moved])
    return Registration(moved, transform, before, after, bending, doubt, left, notes)


def luminance(volume: MetaTensor) -> sitk.Image:
    """Return what registration looks at: the luminance of a volume, its percentiles 0.1 and 99.9 as 0 and 1.

    Raises:
        FusionError: if the image has no position in space or is no volume.
    """
    name = source_name(volume)
    if not volume.meta["has_geometry"]:
        raise FusionError(f"{name} is a picture without a position in space; registration needs volumes.")
    grey = volume.as_tensor()[0] if volume.shape[0] == 1 else rgb_to_ycbcr(volume.as_tensor())[0]
    low, high = ROBUST.resolve(grey.numpy())
    if high <= low:
        raise FusionError(f"{name} is almost everywhere {low:g}; there is too little in it to register by.")
    scaled = ((grey - low) / (high - low)).clamp(0, 1)
    image = to_itk(StoredImage(scaled.numpy(), volume.affine.numpy()))
    check_size(image, name)
    return image


def resample(second: MetaTensor, reference: MetaTensor, transform: sitk.Transform) -> MetaTensor:
    """Return ``second`` (C, X, Y, Z) on the grid of ``reference``, linearly, in the type it is stored in."""
    grid = to_itk(StoredImage(np.zeros(reference.shape[1:], np.uint8), reference.affine.numpy()))
    stored = np.dtype(second.meta["stored_dtype"]).newbyteorder("=")
    keeps_type = stored.kind in "iu" and stored.itemsize <= 4
    channels = []
    for channel in second.as_tensor():
        image = to_itk(StoredImage(channel.numpy(), second.affine.numpy()))
        moved = sitk.Resample(image, grid, transform, sitk.sitkLinear, channel.min().item())
        voxels = np.swapaxes(sitk.GetArrayFromImage(moved), 0, 2)
        channels.append(np.rint(voxels).astype(stored) if keeps_type else voxels)
    frame = About.from_meta(reference.meta).frame_of_reference
    about = replace(About.from_meta(second.meta), frame_of_reference=frame)
    meta = {
        "affine": reference.affine,
        "filename_or_obj": second.meta["filename_or_obj"],
        "about": about.to_meta(),
        "stored_dtype": str(channels[0].dtype),
    }
    return MetaTensor(torch.from_numpy(np.stack(channels)), meta=meta)
