"""Files that several rooms of tests need, in the formats that users have them in."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

from volfuse.data import demo
from volfuse.data.phantoms import head_phantom


def write_series(
    folder: Path,
    volume: np.ndarray,
    series: str,
    tilt: float = 0.0,
    spacing: Sequence[float] = (0.8, 0.9, 2.5),
    origin: Sequence[float] = (0.0, 0.0, 0.0),
) -> None:
    """Write (z, y, x) voxels as axial DICOM slices; with ``tilt`` every slice lies so many mm behind the last."""
    folder.mkdir(exist_ok=True)
    x, y, z = origin
    for number, pixels in enumerate(volume):
        picture = sitk.GetImageFromArray(pixels)
        picture.SetSpacing(spacing[:2])
        tags = {
            "0008|0060": "CT",
            "0020|000d": "1.2.3",
            "0020|000e": series,
            "0020|0013": str(number + 1),
            "0020|0032": f"{x}\\{y + tilt * number}\\{z + spacing[2] * number}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0018|0050": str(spacing[2]),
        }
        for tag, value in tags.items():
            picture.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{series}.{number}.dcm"))
        writer.Execute(picture)


def write_templates(cache: Path) -> None:
    """Put a small phantom head into the cache, where the demonstration looks for the MNI152 template."""
    folder = cache / "volfuse" / "mni152"
    folder.mkdir(parents=True)
    shape, affine = (50, 62, 50), np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = -3.0 * (np.array(shape) - 1) / 2
    head = head_phantom(shape, affine, "mr")
    tissues = {"t1": head, "grey": (head > 0.4) & (head < 0.7), "white": head >= 0.7}
    for key, voxels in tissues.items():
        image = nibabel.Nifti1Image((voxels * 255).astype(np.uint8), affine)
        nibabel.save(image, folder / demo._TEMPLATES[key])


def markups(system: str, positions: Mapping[str, Sequence[float]]) -> str:
    """Return points as 3D Slicer saves them in ``.mrk.json``."""
    points = [
        {"label": name, "position": list(position), "positionStatus": "defined"}
        for name, position in positions.items()
    ]
    return json.dumps(
        {"markups": [{"type": "Fiducial", "coordinateSystem": system, "controlPoints": points}]}
    )
