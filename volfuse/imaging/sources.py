"""Whatever holds an image, as :func:`~volfuse.imaging.files.read_image` returns it: files, and objects in memory."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from nibabel.spatialimages import SpatialImage

from volfuse.errors import FusionError
from volfuse.imaging.files import from_stored, read_image, source_name
from volfuse.imaging.formats.itk import LPS_TO_RAS, from_itk
from volfuse.imaging.stored import About, NiftiForms, Reading, StoredImage

Source = str | Path | MetaTensor | SpatialImage | sitk.Image | tuple[Any, Any]
"""A path, an image of MONAI, nibabel or SimpleITK, or a pair (array, affine) as :func:`as_image` describes it."""

_ACCEPTED = (
    "give a path, a nibabel image, a SimpleITK image, a MetaTensor or a pair (array, affine) with the affine in RAS "
    "mm"
)
_RGB = ("R", "G", "B")


def as_image(source: Source, number: int = 1, reading: Reading | None = None) -> MetaTensor:
    """Return an image, whatever holds it.

    Args:
        source: a path, see :func:`~volfuse.imaging.files.read_image`; an image of nibabel or SimpleITK; a MetaTensor
            (1, X, Y, Z), (3, X, Y, Z) or (X, Y, Z), such as a fused image; or a pair (array, affine): an array or
            tensor (X, Y, Z), or uint8 (X, Y, Z, 3) for colour, with the 4x4 affine from voxel index to RAS mm.
        number: which source it is, from 1, for messages: what is in memory has no name of its own.
        reading: how a file is read where it leaves a choice.

    Returns:
        A MetaTensor of the type and with the metadata that ``read_image`` gives.

    Raises:
        FusionError: one sentence that names the source and says what is wrong with it.
    """
    if isinstance(source, str | Path):
        return read_image(source, reading)
    if isinstance(source, MetaTensor):
        return _from_tensor(source, number)
    if isinstance(source, SpatialImage):
        name = _name(number, "nibabel image", source.shape)
        return from_stored(_from_nibabel(source, name), name)
    if isinstance(source, sitk.Image):
        name = _name(number, "SimpleITK image", source.GetSize())
        return from_stored(from_itk(Path(name), source), name)
    if isinstance(source, tuple | list) and len(source) == 2:
        return _from_pair(*source, number)
    if isinstance(source, np.ndarray | torch.Tensor):
        name = _name(number, "array" if isinstance(source, np.ndarray) else "tensor", source.shape)
        raise FusionError(
            f"{name} has no position in space; give it with its affine: ({name.split()[3]}, affine)."
        )
    raise FusionError(f"source {number} is of the type {type(source).__name__}; {_ACCEPTED}.")


class LoadSourcesd(MapTransform):
    """Replace what is under each key by the image :func:`as_image` makes of it.

    Args:
        keys: the sources.
        readings: how each is read where its file leaves a choice.
    """

    def __init__(self, keys: KeysCollection, readings: Sequence[Reading] | None = None) -> None:
        super().__init__(keys)
        self.readings = readings or [Reading()] * len(self.keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        each = enumerate(zip(self.keys, self.readings, strict=True), 1)
        images = {key: as_image(data[key], number, reading) for number, (key, reading) in each}
        files = {image.meta["filename_or_obj"] for image in images.values()}
        names = [Path(file).name for file in files]
        for image in images.values():
            if names.count(source_name(image)) > 1:
                image.meta["called"] = "/".join(Path(image.meta["filename_or_obj"]).parts[-2:])
        return dict(data) | images


def _from_tensor(source: MetaTensor, number: int) -> MetaTensor:
    meta = source.meta
    name = str(meta.get("filename_or_obj") or _name(number, "MetaTensor", source.shape))
    voxels = source.as_tensor().detach().cpu()
    if voxels.ndim == 4 and voxels.shape[0] not in (1, 3):
        raise FusionError(
            f"{_name(number, 'MetaTensor', source.shape)} has {voxels.shape[0]} channels; give 1 or 3."
        )
    if voxels.ndim not in (3, 4):
        raise FusionError(
            f"{_name(number, 'MetaTensor', source.shape)} is no volume; its shape must be (1, X, Y, Z), or "
            "(3, X, Y, Z) for colour."
        )
    is_color = voxels.ndim == 4 and voxels.shape[0] == 3
    # What read_image read is float32 in memory, and knows how it was stored.
    stored_dtype = meta.get("stored_dtype") if voxels.is_floating_point() else None
    if is_color and stored_dtype == "uint8":
        voxels = voxels.to(torch.uint8)
    stored = StoredImage(
        (voxels.movedim(0, -1) if is_color else voxels.reshape(voxels.shape[-3:])).numpy(),
        _checked_affine(source.affine, name) if meta.get("space") != "LPS" else _ras(source.affine, name),
        meta.get("dimension", 3),
        has_geometry=meta.get("has_geometry", True),
        about=About.from_meta(meta),
        forms=NiftiForms.from_meta(meta),
    )
    return from_stored(stored, name, stored_dtype)


def _from_pair(array: Any, affine: Any, number: int) -> MetaTensor:
    kind = "tensor" if isinstance(array, torch.Tensor) else "array"
    voxels = array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else np.asanyarray(array)
    name = _name(number, kind, voxels.shape)
    if voxels.dtype.kind not in "biufc":
        raise FusionError(f"{name} holds no numbers; {_ACCEPTED}.")
    is_color = voxels.ndim == 4 and voxels.shape[-1] == 3
    if voxels.ndim == 4 and not is_color and voxels.shape[0] in (1, 3):
        raise FusionError(f"{name} has its channels first; give (X, Y, Z), or (X, Y, Z, 3) for colour.")
    if voxels.ndim != 3 and not is_color:
        raise FusionError(f"{name} is {voxels.ndim}-D; give (X, Y, Z), or (X, Y, Z, 3) for colour.")
    # torch shares memory with an array only if it can be written and runs forwards.
    if not voxels.flags.writeable or any(stride < 0 for stride in voxels.strides):
        voxels = voxels.copy()
    return from_stored(StoredImage(voxels, _checked_affine(affine, name)), name)


def _from_nibabel(image: SpatialImage, name: str) -> StoredImage:
    voxels = np.asanyarray(image.dataobj)
    if voxels.dtype.names and voxels.dtype.names[:3] == _RGB:
        voxels = np.stack([voxels[channel] for channel in _RGB], axis=-1)
    elif voxels.ndim == 4 and voxels.shape[3] == 1:
        voxels = voxels[..., 0]
    elif voxels.ndim != 3:
        raise FusionError(f"{name} is {voxels.ndim}-D; give one volume of it, such as image.slicer[..., 0].")
    if image.affine is None:
        raise FusionError(f"{name} has no affine, so no position in space; {_ACCEPTED}.")
    return StoredImage(voxels, _checked_affine(image.affine, name))


def _checked_affine(affine: Any, name: str) -> np.ndarray:
    try:
        matrix = np.asarray(affine, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.shape != (4, 4):
        wrong = "is " + "x".join(map(str, matrix.shape)) if matrix.ndim == 2 else "is no matrix"
    elif not np.array_equal(matrix[3], (0, 0, 0, 1)):
        wrong = f"has the last row {matrix[3].tolist()}"
    else:
        return matrix
    raise FusionError(
        f"The affine of {name} {wrong}; it must be 4x4 with the last row 0, 0, 0, 1, from voxel index to RAS mm."
    )


def _ras(affine: Any, name: str) -> np.ndarray:
    matrix: np.ndarray = LPS_TO_RAS @ _checked_affine(affine, name)
    return matrix


def _name(number: int, kind: str, shape: Any) -> str:
    article = "an" if kind[0] in "aeiou" else "a"
    return f"source {number} ({article} {kind} of {'x'.join(map(str, shape))})"
