"""Images in and out: NIfTI, NRRD, MHA, PNG, TIFF, JPEG and DICOM series through SimpleITK.

MONAI's ITKReader needs the ``itk`` wheels, which 3D Slicer does not carry; SimpleITK is part of Slicer,
reads the same formats and returns the same voxels.
"""

import os
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform

from volfuse.errors import FusionError

# Formats without a position in space, and those a fused image can be written to.
PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
OUTPUT_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".png", ".tif", ".tiff")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_FEWEST_GREY_LEVELS = 8  # an integer image with fewer is taken for a label map


def source_name(source: MetaTensor) -> str:
    """Return the file name a message calls this source by."""
    return Path(source.meta["filename_or_obj"]).name


def read_image(path: str | Path) -> MetaTensor:
    """Read one image, or the one DICOM series in a folder.

    Args:
        path: a file of any format ITK reads, or a folder with one DICOM series. A 2-D image becomes a volume
            of one slice; fully transparent or not, an alpha channel is dropped.

    Returns:
        A float32 MetaTensor (1, X, Y, Z), or (3, X, Y, Z) for a colour image, values as stored, with its RAS
        affine. ``meta`` also holds ``stored_dtype`` (numpy name), ``dimension`` (2 or 3) and ``has_geometry``.

    Raises:
        FusionError: if the file cannot be read, is 4-D, a label map, a vector field, constant, or holds NaN.
    """
    path = Path(path)
    image = _read_series(path) if path.is_dir() else _read_file(path)
    dimension = image.GetDimension()
    if dimension == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    elif dimension == 4:
        raise FusionError(
            f"{path.name} is 4-D ({image.GetSize()[3]} volumes in one file); save one of them on its own."
        )
    if dimension == 2:
        image = sitk.JoinSeries(image)
    stored = sitk.GetArrayFromImage(image)
    _check_content(path, image, stored)
    channels = stored[None] if stored.ndim == 3 else np.moveaxis(_without_alpha(path, stored), -1, 0)
    has_geometry = path.suffix.lower() not in PICTURE_SUFFIXES
    # ITK stores z, y, x; a transposed view gives MONAI's x, y, z and keeps each slice contiguous.
    voxels = torch.from_numpy(channels.astype(np.float32)).permute(0, 3, 2, 1)
    affine = _affine(image) if has_geometry else _LPS_TO_RAS
    meta = {
        "affine": torch.from_numpy(affine),
        "original_affine": affine.copy(),
        "space": "RAS",
        "filename_or_obj": str(path),
        "stored_dtype": str(stored.dtype),
        "dimension": min(dimension, 3),
        "has_geometry": has_geometry,
    }
    return MetaTensor(voxels, meta=meta)


def write_image(image: MetaTensor, path: str | Path) -> Path:
    """Write a uint8 image (1, X, Y, Z) as grey or (3, X, Y, Z) as true RGB; returns the path.

    The file appears under its name only when it is complete. An image whose ``meta["dimension"]`` is 2 is
    written as 2-D.

    Raises:
        FusionError: if the format is unknown or cannot hold the image, or the folder cannot be written to.
    """
    path = Path(path)
    suffix = output_suffix(path)
    voxels = image.as_tensor().cpu().permute(3, 2, 1, 0).contiguous().numpy()
    is_color = voxels.shape[-1] == 3
    volume = sitk.GetImageFromArray(voxels if is_color else voxels[..., 0], isVector=is_color)
    _set_affine(volume, image.affine.numpy())
    if suffix in PICTURE_SUFFIXES or image.meta.get("dimension") == 2:
        volume = _single_slice(volume, path)
    partial = path.with_name(f".{path.name[: -len(suffix)]}.{os.getpid()}{suffix}")
    try:
        sitk.WriteImage(volume, str(partial), useCompression=suffix != ".nii")
        partial.replace(path)
    except (RuntimeError, OSError) as error:
        raise FusionError(
            f"{path} could not be written; check that the folder exists, is writable and has free space."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def output_suffix(path: Path) -> str:
    """Return the suffix of an output path, ``.nii.gz`` as one.

    Raises:
        FusionError: if no fused image can be written in that format.
    """
    for suffix in OUTPUT_SUFFIXES:
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[-len(suffix) :]
    raise FusionError(
        f"'{path.name}' names no format to write; end the output with {', '.join(OUTPUT_SUFFIXES)}."
    )


class LoadSourcesd(MapTransform):
    """Replace the path under each key by the image :func:`read_image` reads from it."""

    def __call__(self, data: Mapping[Hashable, str | Path]) -> dict[Hashable, MetaTensor]:
        return dict(data) | {key: read_image(data[key]) for key in self.key_iterator(data)}


class SaveFusedd(MapTransform):
    """Write the fused image under each key to ``output_dir/<reference>_fused<suffix>``.

    Args:
        keys: fused images as :func:`write_image` takes them.
        output_dir: a folder; it is made if it is missing.
        suffix: one of ``OUTPUT_SUFFIXES``.
    """

    def __init__(self, keys: str, output_dir: str | Path, suffix: str = ".nii.gz") -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.suffix = suffix

    def __call__(self, data: Mapping[Hashable, MetaTensor]) -> Mapping[Hashable, MetaTensor]:
        self.output_dir.mkdir(parents=True, exist_ok=True)
        for key in self.key_iterator(data):
            stem = source_name(data[key]).split(".")[0]
            write_image(data[key], self.output_dir / f"{stem}_fused{self.suffix}")
        return data


def _read_file(path: Path) -> sitk.Image:
    if not path.exists():
        raise FusionError(f"{path} does not exist; check the path.")
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise FusionError(
            f"{path.name} could not be read as an image; it is damaged, incomplete or of an unknown format."
        ) from error


def _read_series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        found = f"{len(series)} DICOM series" if series else "no DICOM series"
        raise FusionError(f"The folder {folder.name} holds {found}; give a folder with exactly one.")
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), series[0]))
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise FusionError(f"The DICOM series in {folder.name} is damaged or incomplete.") from error


def _check_content(path: Path, image: sitk.Image, stored: np.ndarray) -> None:
    name = path.name
    is_integer = np.issubdtype(stored.dtype, np.integer)
    if not is_integer and not (finite := np.isfinite(stored)).all():
        raise FusionError(
            f"{name} holds {(~finite).sum()} NaN or infinite voxels; replace them, "
            "for example by the background value."
        )
    if stored.min() == stored.max():
        raise FusionError(f"{name} has the value {stored.flat[0]:g} everywhere; there is nothing to fuse.")
    says_label = image.HasMetaDataKey("intent_code") and image.GetMetaData("intent_code") == "1002"
    if says_label or any(key.startswith("Segment0_") for key in image.GetMetaDataKeys()):
        raise FusionError(f"{name} is a label map; choose an image.")
    # A sample settles it for real images; only a suspect is counted in full.
    if is_integer and stored.ndim == 3 and len(np.unique(stored.ravel()[:: stored.size // 4096 + 1])) < 64:
        levels = len(np.unique(stored))
        if levels < _FEWEST_GREY_LEVELS:
            raise FusionError(
                f"{name} has only {levels} different values and looks like a label map; choose an image, "
                "or save it with floating point voxels if it is one."
            )


def _without_alpha(path: Path, stored: np.ndarray) -> np.ndarray:
    components = stored.shape[-1]
    if components not in (2, 3, 4) or stored.dtype != np.uint8:
        raise FusionError(
            f"{path.name} has {components} components of type {stored.dtype} per voxel; "
            "only grey and 8-bit RGB images can be fused."
        )
    return stored[..., :1] if components == 2 else stored[..., :3]


def _affine(image: sitk.Image) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return _LPS_TO_RAS @ affine


def _set_affine(image: sitk.Image, affine: np.ndarray) -> None:
    affine = _LPS_TO_RAS @ affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())


def _single_slice(volume: sitk.Image, path: Path) -> sitk.Image:
    size = list(volume.GetSize())
    if 1 not in size:
        raise FusionError(
            f"{path.name} can hold one slice, but the fused volume has {size[2]}; "
            "choose .nii.gz, .nrrd or .mha."
        )
    size[2 - size[::-1].index(1)] = 0
    return sitk.Extract(volume, size, [0, 0, 0], sitk.ExtractImageFilter.DIRECTIONCOLLAPSETOSUBMATRIX)
