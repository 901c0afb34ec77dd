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


def write_nifti_forms(
    path: Path,
    voxels: np.ndarray,
    sform: tuple[np.ndarray, int],
    qform: tuple[np.ndarray, int],
    unit: int = 2,
) -> Path:
    """Write (X, Y, Z) voxels to a NIfTI file with two forms and their codes, and a code for the unit of length."""
    image = nibabel.Nifti1Image(voxels, None)
    image.header.set_qform(*qform)
    image.header.set_sform(*sform)
    for field, code in {"qform_code": qform[1], "sform_code": sform[1], "xyzt_units": unit}.items():
        image.header[field] = code
    nibabel.save(nibabel.Nifti1Image(voxels, None, image.header), path)
    return path


def positions_in_nifti() -> dict[str, dict[str, object]]:
    """Return ways in which a NIfTI file can say where it lies, as words for :func:`write_nifti_forms`."""
    straight, other, sheared = (np.diag([2.0, 3.0, 4.0, 1.0]) for _ in range(3))
    straight[:3, 3] = sheared[:3, 3] = -10, 20, 30
    other[:3, :3] = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]) @ other[:3, :3]
    sheared[1, 2] = 1.07
    return {
        "neither": {"sform": (straight, 0), "qform": (straight, 0)},
        "sform": {"sform": (other, 1), "qform": (straight, 0)},
        "qform": {"sform": (straight, 0), "qform": (other, 1)},
        "two, the same": {"sform": (other, 1), "qform": (other, 1)},
        "two, apart": {"sform": (other, 1), "qform": (straight, 1)},
        "two, apart, of a template": {"sform": (other, 4), "qform": (straight, 1)},
        "sheared": {"sform": (sheared, 1), "qform": (straight, 0)},
        "sheared, with a qform": {"sform": (sheared, 1), "qform": (straight, 1)},
        "micrometres": {"sform": (other, 1), "qform": (straight, 0), "unit": 3},
        "metres, neither": {"sform": (straight, 0), "qform": (straight, 0), "unit": 1},
    }
