"""Images in and out, with what makes an image unfit for fusion said in one sentence."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform

from volfuse.errors import FusionError
from volfuse.imaging.content import check_content, transparency_lost, without_alpha
from volfuse.imaging.formats import load, save
from volfuse.imaging.precision import precision_lost
from volfuse.imaging.stored import NiftiForms, Reading, StoredImage
from volfuse.paths import PICTURE_SUFFIXES, output_suffix
from volfuse.storage import write_whole

_KEPT = ("uint8", "int8", "int16")  # what torch turns and slices; all others become float32


def source_name(source: MetaTensor) -> str:
    """Return the file name a message calls this source by, with its folder where two have one name."""
    return source.meta.get("called") or Path(source.meta["filename_or_obj"]).name


def read_image(path: str | Path, reading: Reading | None = None) -> MetaTensor:
    """Read one image, or the one DICOM series in a folder.

    Args:
        path: a folder with one DICOM series, or a file of a format that :mod:`volfuse.imaging.formats` reads. A
            picture becomes a volume of one slice; an alpha channel is dropped.
        reading: how, where a file leaves a choice.

    Returns:
        A MetaTensor (1, X, Y, Z), or (3, X, Y, Z) for a colour image, values as stored, with its RAS affine. Its type
        is uint8, int8 or int16 if it is stored so, else float32. ``meta`` also holds ``stored_dtype`` (numpy name),
        ``dimension`` (2 or 3), ``has_geometry`` and ``about`` (see
        :meth:`volfuse.imaging.stored.About.from_meta`).

    Raises:
        FusionError: if the file cannot be read, is 4-D, a label map, a vector field, constant, or holds NaN.
    """
    path = Path(path)
    return from_stored(load(path, reading), str(path))


def from_stored(stored: StoredImage, name: str, stored_dtype: str | None = None) -> MetaTensor:
    """Return a stored image as :func:`read_image` does.

    Args:
        stored: the image.
        name: its path, or what else messages call it by.
        stored_dtype: the numpy name of the type it was stored in, if its voxels have another by now.

    Raises:
        FusionError: see :func:`read_image`.
    """
    short = Path(name).name
    check_content(short, stored)
    notes = (
        *stored.about.notes,
        *precision_lost(short, stored.voxels),
        *transparency_lost(short, stored.voxels),
    )
    voxels = stored.voxels if stored.voxels.ndim == 4 else stored.voxels[..., None]
    channels = np.moveaxis(without_alpha(short, voxels), -1, 0)
    kept = channels.dtype.newbyteorder("=") if channels.dtype.name in _KEPT else np.float32
    meta = {
        "affine": torch.from_numpy(stored.affine),
        "original_affine": stored.affine.copy(),
        "space": "RAS",
        "filename_or_obj": name,
        "stored_dtype": stored_dtype or stored.voxels.dtype.name,
        "dimension": stored.dimension,
        "has_geometry": stored.has_geometry,
        "about": replace(stored.about, notes=notes).to_meta(),
    }
    if stored.forms is not None:
        meta["nifti_forms"] = stored.forms.to_meta()
    return MetaTensor(torch.from_numpy(channels.astype(kept, copy=False)), meta=meta)


def write_image(image: MetaTensor, path: str | Path, compress: bool = True) -> Path:
    """Write a uint8 image (1, X, Y, Z) as grey or (3, X, Y, Z) as true RGB; returns the path.

    The file appears under its name only when it is complete. An image whose ``meta["dimension"]`` is 2 is
    written as 2-D. ``compress`` is for NRRD, MHA and TIFF; writing without it is much faster.

    Raises:
        FusionError: if the format is unknown or cannot hold the image.
        StorageError: if the file cannot be written.
    """
    path = Path(path)
    suffix = output_suffix(path)
    voxels = image.as_tensor().cpu().movedim(0, -1).numpy()
    is_picture = suffix in PICTURE_SUFFIXES
    if is_picture and 1 not in voxels.shape[:3]:
        raise FusionError(
            f"{path.name} can hold one slice, but the fused volume has {voxels.shape[2]}; "
            "choose .nii.gz, .nrrd or .mha."
        )
    stored = StoredImage(
        voxels if voxels.shape[-1] == 3 else voxels[..., 0],
        image.affine.numpy(),
        dimension=2 if is_picture else image.meta.get("dimension", 3),
        forms=NiftiForms.from_meta(image.meta),
    )
    return write_whole(path, lambda partial: save(stored, partial, compress))


class SaveFusedd(MapTransform):
    """Write the fused image under each key to ``output_dir/<case>_fused<suffix>``.

    A case is called as its entry ``case`` says, and without one as the file of the reference.

    Args:
        keys: fused images as :func:`write_image` takes them.
        output_dir: a folder; it is made if it is missing.
        suffix: one of :data:`volfuse.paths.OUTPUT_SUFFIXES`.
    """

    def __init__(self, keys: str, output_dir: str | Path, suffix: str = ".nii.gz") -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.suffix = suffix

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        self.output_dir.mkdir(parents=True, exist_ok=True)
        for key in self.key_iterator(data):
            case = data.get("case") or Path(source_name(data[key])).name.split(".")[0]
            write_image(data[key], self.output_dir / f"{case}_fused{self.suffix}")
        return data
