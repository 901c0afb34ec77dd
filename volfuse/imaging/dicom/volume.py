"""One volume of a series as an image: where it lies, what its values mean, and what had to be guessed."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.dicom.instance import Damaged, Frame
from volfuse.imaging.dicom.pixels import DamagedPixels
from volfuse.imaging.dicom.rectify import rectified
from volfuse.imaging.dicom.series import Contents
from volfuse.imaging.dicom.splitting import Volume
from volfuse.imaging.dicom.stack import Stack, stacked
from volfuse.imaging.dicom.values import read_values
from volfuse.imaging.stored import About, Reading, StoredImage

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MOST_NAMED = 3


def read_volume(contents: Contents, volume: Volume, how: Reading) -> StoredImage:
    """Read one volume.

    Raises:
        FusionError: if files are damaged, or the slices do not make up a volume, and the user does not want it anyway.
    """
    name, notes = contents.name, []
    folders = {frame.instance.path.parent for frame in volume.frames}
    damaged = [each for each in contents.damaged if each.path.parent in folders]
    frames = _without_unplaced(name, volume.frames, damaged)
    while True:
        if damaged and not how.skip_damaged:
            raise _damage(name, damaged)
        if not frames:
            raise FusionError(f"{name} holds no slice that can be read.")
        try:
            image = _read(name, frames, how)
            break
        except DamagedPixels as error:
            damaged.append(error.damage)
            frames = [frame for frame in frames if frame.instance.path != error.damage.path]
    notes += [f"{each.path.name} {each.reason} and is left out." for each in damaged]
    notes += [
        contents.copies[path]
        for path in dict.fromkeys(f.instance.path for f in frames)
        if path in contents.copies
    ]
    about = replace(
        image.about,
        series=", ".join(each for each in (image.about.series, volume.words) if each),
        notes=(*notes, *image.about.notes),
    )
    return replace(image, about=about)


def _without_unplaced(name: str, frames: Sequence[Frame], damaged: list[Damaged]) -> list[Frame]:
    """Return the frames with a position; those without one among others count as damaged."""
    placed = [frame for frame in frames if frame.plane.is_placed]
    if not placed and len(frames) > 1:
        raise FusionError(
            f"None of the {len(frames)} slices of {name} says where it lies (ImagePositionPatient or "
            "ImageOrientationPatient is missing), so they make up no volume; export one slice, or all with positions."
        )
    if not placed:
        return list(frames)
    for frame in frames:
        if frame not in placed:
            damaged.append(
                Damaged(
                    frame.instance.path,
                    "has no position in space (ImagePositionPatient or ImageOrientationPatient is empty)",
                )
            )
    return placed


def _damage(name: str, damaged: Sequence[Damaged]) -> FusionError:
    if [each.path.name for each in damaged] == [name]:
        return FusionError(f"{name} could not be read as DICOM: it {damaged[0].reason}; export it again.")
    told = [f"{each.path.name} {each.reason}" for each in damaged[:_MOST_NAMED]]
    more = f", and {len(damaged) - _MOST_NAMED} more" if len(damaged) > _MOST_NAMED else ""
    several = "them" if len(damaged) > 1 else "it"
    return FusionError(
        f"The DICOM series in {name} is damaged: {', '.join(told)}{more}; "
        f"export {several} again, or leave {several} out with --skip-damaged."
    )


def _read(name: str, frames: Sequence[Frame], how: Reading) -> StoredImage:
    first = frames[0].instance
    notes: list[str] = []
    about = About("DICOM", first.modality, first.description, first.units, first.frame_of_reference)
    about = replace(_with_suv(about, frames), is_inverted=first.pixels.photometric == "MONOCHROME1")
    if not frames[0].plane.is_placed:
        values, padded = read_values(frames)
        notes = [f"{frames[0].name} has no position in space; it is read as a picture.", padded]
        about = replace(about, notes=tuple(filter(None, notes)))
        return StoredImage(values, _LPS_TO_RAS, 2, has_geometry=False, about=about)
    stack = stacked(frames)
    trouble = stack.trouble()
    if trouble and not how.rectify:
        raise FusionError(
            f"The slices of {name} {trouble}; export all of them, or let them be resampled evenly with --rectify."
        )
    affine = _slice_affine(name, stack, notes)
    values, padded = read_values(stack.frames)
    notes.append(padded)
    if trouble:
        affine[:3, 3] = stack.positions[0]
        values, affine = rectified(name, stack, values, affine)
        notes.append(f"The slices of {name} {trouble}; they are resampled evenly.")
    elif stack.deviation > 1e-3:
        notes.append(
            f"The slices of {name} lie up to {stack.deviation:.2g} mm from an even stack, which is taken."
        )
    about = replace(about, notes=tuple(filter(None, notes)))
    return StoredImage(values, _LPS_TO_RAS @ affine, about=about)


def _slice_affine(name: str, stack: Stack, notes: list[str]) -> np.ndarray:
    """Return voxel index to LPS mm for an even stack, or for the one slice there is."""
    plane = stack.frames[0].plane
    if plane.spacing is None or min(plane.spacing) <= 0:
        raise FusionError(
            f"{name} does not say how large its pixels are (PixelSpacing is missing or zero); export it again."
        )
    lengths = np.linalg.norm(plane.directions, axis=1)
    if np.abs(lengths - 1).max() > 0.01 or abs(plane.directions[0] @ plane.directions[1]) > 0.01:
        raise FusionError(
            f"{name} says that its rows and columns are not at right angles (ImageOrientationPatient); export it again."
        )
    affine = np.eye(4)
    affine[:3, :2] = (plane.directions / lengths[:, None]).T * plane.spacing[::-1]
    affine[:3, 2], affine[:3, 3] = stack.step, stack.origin
    if len(stack.frames) == 1:
        thickness = plane.thickness or plane.distance
        if not thickness:
            notes.append(f"{name} does not say how thick its slice is; 1 mm is taken.")
        affine[:3, 2] = stack.normal * abs(thickness or 1.0)
    return affine


def _with_suv(about: About, frames: Sequence[Frame]) -> About:
    told = {frame.instance.suv for frame in frames}
    factors = [each for each in told if isinstance(each, float)]
    if reasons := [each for each in told if isinstance(each, str)]:
        return replace(about, suv_reason=reasons[0])
    if max(factors) > 1.000001 * min(factors):
        return replace(about, suv_reason="its slices ask for different factors")
    return replace(about, suv=factors[0])
