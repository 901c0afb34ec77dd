"""Sentences of refusal that several formats share."""

from pathlib import Path

from volfuse.errors import FusionError

READABLE = "NIfTI, Analyze, MGH, NRRD, MetaImage, DICOM, PNG, TIFF, JPEG, BMP and GIF"


def damaged(path: Path, reason: str) -> FusionError:
    """Return the error for a file that is not what its beginning promises; ``reason`` ends a sentence."""
    return FusionError(f"{path.name} could not be read as an image: {reason}.")


def four_dimensional(path: Path, volumes: int) -> FusionError:
    """Return the error for a file with several volumes."""
    return FusionError(f"{path.name} is 4-D ({volumes} volumes in one file); save one of them on its own.")


def elsewhere(path: Path) -> FusionError:
    """Return the error for a file that keeps its voxels in a file that is not read."""
    return FusionError(
        f"{path.name} keeps its voxels in another file; save the image as one file, such as .nii.gz or .nrrd."
    )


def other_lengths(path: Path) -> FusionError:
    """Return the error for a unit of length that programs do not agree on for this format."""
    return FusionError(f"{path.name} gives lengths in another unit than millimetres; save it in millimetres.")
