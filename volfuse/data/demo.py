"""The demonstration pair: a real T1 volume and a PET simulated from its tissue maps.

No package registry holds a co-registered PET and MR of one person. The MNI152 2009 T1 template with grey and
white matter maps (Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033; copyright Louis Collins, McConnell
Brain Imaging Centre, free to use, copy and modify with this notice) comes inside the ``nilearn`` package.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from volfuse.errors import FusionError
from volfuse.storage import write_whole

_PACKAGE = "nilearn==0.14.1"
_FOLDER = "datasets/data"
_TEMPLATES = {
    "t1": "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
    "grey": "mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz",
    "white": "mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz",
}
_SHA256 = {
    "t1": "421a10e872fd6cadae7f61d358dffbcc1795a497d61ee76c5dda2503e1a1e9e6",
    "grey": "97a5ca69bd24db37a9cb7b32525e1733a209af904129bf1cd36da06d24243bed",
    "white": "382d92812de4744f9c86c7a0e4f680dc317a0a50e4da1f0153618a6798c7b7db",
}

# Simulated FDG: uptake per tissue, scanner.
_GREY_UPTAKE, _WHITE_UPTAKE = 4.0, 1.0
_FWHM, _SPACING = 6.0, 4.0
_COUNTS_PER_UPTAKE = 60.0

LESIONS = {"hot": ((34.0, 22.0, 26.0), 9.0, 8.0), "cold": ((-46.0, -38.0, 20.0), 10.0, 0.5)}
"""Center in MNI coordinates (RAS, mm), radius (mm) and uptake of the lesions."""


def write_demo_pair(folder: Path) -> list[Path]:
    """Write ``t1.nii.gz`` and ``simulated_pet.nii.gz`` into ``folder``; returns both paths.

    The PET has grey to white matter uptake 4:1, a hot and a cold lesion, 6 mm point spread, Poisson noise
    (seeded) and its own 4 mm grid.

    Raises:
        FusionError: if the template is neither installed nor in the cache and cannot be fetched.
    """
    files = template_files()
    t1, grey, white = (sitk.ReadImage(str(files[name]), sitk.sitkFloat32) for name in ("t1", "grey", "white"))
    pair = [folder / "t1.nii.gz", folder / "simulated_pet.nii.gz"]
    sitk.WriteImage(sitk.Cast(t1, sitk.sitkInt16), str(pair[0]), useCompression=True)
    sitk.WriteImage(simulate_pet(grey, white), str(pair[1]), useCompression=True)
    return pair


def simulate_pet(grey: sitk.Image, white: sitk.Image, seed: int = 0) -> sitk.Image:
    """Simulate an FDG PET from tissue maps; returns counts (float32) on a grid of 4 mm.

    Args:
        grey: grey matter, any positive range, spacing in mm.
        white: white matter, same range and grid.
        seed: of the Poisson noise.
    """
    tissues = [sitk.GetArrayFromImage(tissue) for tissue in (grey, white)]
    scale = max(np.percentile(tissue, 99.9) for tissue in tissues)
    uptake = (_GREY_UPTAKE * tissues[0] + _WHITE_UPTAKE * tissues[1]) / scale
    for center, radius, lesion in LESIONS.values():
        uptake[_sphere(grey, center, radius)] = lesion
    fine = sitk.GetImageFromArray(uptake.astype(np.float32))
    fine.CopyInformation(grey)
    blurred = sitk.SmoothingRecursiveGaussian(fine, _FWHM / (2 * np.sqrt(2 * np.log(2))))
    size = [round(n * s / _SPACING) for n, s in zip(fine.GetSize(), fine.GetSpacing(), strict=True)]
    coarse = sitk.Resample(
        blurred,
        size,
        sitk.Transform(),
        sitk.sitkLinear,
        fine.GetOrigin(),
        [_SPACING] * 3,
        fine.GetDirection(),
    )
    expected = np.clip(sitk.GetArrayFromImage(coarse), 0, None) * _COUNTS_PER_UPTAKE
    counts = sitk.GetImageFromArray(np.random.default_rng(seed).poisson(expected).astype(np.float32))
    counts.CopyInformation(coarse)
    return counts


def template_files() -> dict[str, Path]:
    """Return the template's files by name: from the cache, from an installed nilearn, or fetched once.

    Raises:
        FusionError: if they cannot be fetched.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "volfuse" / "mni152"
    folders = [cache]
    # Only its data is wanted: importing nilearn would need scikit-learn and pandas.
    if (spec := find_spec("nilearn")) and spec.submodule_search_locations:
        folders.append(Path(spec.submodule_search_locations[0]) / _FOLDER)
    for folder in folders:
        files = {key: folder / name for key, name in _TEMPLATES.items()}
        if all(path.is_file() for path in files.values()):
            return files
    _fetch(cache)
    return {key: cache / name for key, name in _TEMPLATES.items()}


def _fetch(cache: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            scratch,
            _PACKAGE,
        ]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise FusionError(
                f"The demonstration images could not be fetched; go online, or install {_PACKAGE} with --no-deps."
            ) from error
        with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
            for key, name in _TEMPLATES.items():
                content = wheel.read(f"nilearn/{_FOLDER}/{name}")
                if hashlib.sha256(content).hexdigest() != _SHA256[key]:
                    raise FusionError(f"The fetched {name} is not the expected file; nothing was kept.")
                write_whole(cache / name, content)


def _sphere(image: sitk.Image, center: tuple[float, float, float], radius: float) -> np.ndarray:
    """Mark the voxels (z, y, x) within ``radius`` mm of ``center``, in MNI coordinates (RAS, mm)."""
    x, y, z = center
    index = image.TransformPhysicalPointToContinuousIndex((-x, -y, z))
    offsets = [
        (np.arange(n) - i) * s for n, i, s in zip(image.GetSize(), index, image.GetSpacing(), strict=True)
    ]
    slices, rows, columns = np.meshgrid(*reversed(offsets), indexing="ij", sparse=True)
    inside: np.ndarray = slices**2 + rows**2 + columns**2 <= radius**2
    return inside
