"""Small files of every format, and what accidents and attackers make of them."""

from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from PIL import Image

from tests.files import write_series

_HEADER = 400  # bytes in which most headers lie, and most changes
_NUMBERS = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_WORDS = (
    b"0",
    b"-1",
    b"99999999999",
    b"nan",
    b"1e400",
    b"/dev/zero",
    b"\n",
    b"\n\n",
    b"(",
    b"none",
    b"=",
    b":=",
    b"%s",
)


def write_originals(folder: Path) -> dict[str, Path]:
    """Write one small file of each format; returns them by the name of the format."""
    voxels = np.random.default_rng(0).integers(0, 1000, (6, 7, 8)).astype(np.int16)
    volume, picture = sitk.GetImageFromArray(voxels), (voxels[0] // 4).astype(np.uint8)
    nifti = nibabel.Nifti1Image(voxels, np.diag([2.0, 2.0, 3.0, 1.0]))
    nibabel.save(nifti, folder / "nifti.nii")
    nibabel.save(nifti, folder / "nifti-gzip.nii.gz")
    nibabel.save(nibabel.Nifti2Image(voxels, nifti.affine), folder / "nifti-2.nii")
    nibabel.save(nibabel.MGHImage(voxels, nifti.affine), folder / "mgh.mgh")
    for compressed in (False, True):
        kind = "-gzip" if compressed else ""
        sitk.WriteImage(volume, str(folder / f"nrrd{kind}.nrrd"), useCompression=compressed)
        sitk.WriteImage(volume, str(folder / f"metaimage{kind}.mha"), useCompression=compressed)
    for suffix in ("png", "tif", "jpg", "bmp", "gif"):
        Image.fromarray(picture).save(folder / f"{suffix}.{suffix}")
    Image.fromarray(picture).save(folder / "tif-lzw.tif", compression="tiff_lzw")
    write_series(folder, voxels[:1], "dicom")
    return {path.name.split(".")[0]: path for path in sorted(folder.iterdir())}


def mutated(content: bytes, seed: int) -> bytes:
    """Return a file with one to four changes: bits, numbers and words in it, or pieces lost, doubled or swapped."""
    random = np.random.default_rng(seed)
    changed = bytearray(content)
    for _ in range(random.integers(1, 5)):
        end = len(changed) if random.random() < 0.3 else min(len(changed), _HEADER)
        at = int(random.integers(0, max(end, 1)))
        length = int(random.integers(1, 64))
        match random.choice(["bit", "number", "word", "cut", "lose", "double", "noise"], p=_LIKELY):
            case "bit" if changed:
                changed[at] ^= 1 << int(random.integers(0, 8))
            case "number":
                size = int(random.choice([1, 2, 4]))
                order = str(random.choice(["little", "big"]))
                number = int(random.choice(_NUMBERS)) & (256**size - 1)
                changed[at : at + size] = number.to_bytes(size, order)  # type: ignore[arg-type]
            case "word":
                word = _WORDS[random.integers(0, len(_WORDS))]
                changed[at : at + int(random.integers(0, len(word) + 1))] = word
            case "cut":
                del changed[int(random.integers(0, len(changed) + 1)) :]
            case "lose":
                del changed[at : at + length]
            case "double":
                changed[at:at] = changed[at : at + length]
            case "noise":
                changed[at : at + length] = random.bytes(length)
    return bytes(changed)


_LIKELY = (0.3, 0.25, 0.15, 0.05, 0.1, 0.05, 0.1)
