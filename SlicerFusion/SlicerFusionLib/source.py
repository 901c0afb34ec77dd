"""From volume nodes to the sources of a fusion: files on disk, and how their values are to be seen."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer

from SlicerFusionLib import display, geometry
from volfuse.errors import FusionError


@dataclass(frozen=True)
class Source:
    """One image to fuse.

    Attributes:
        file: uncompressed NRRD; its name is the volume's, because messages about it name the file.
        window: the values that become black and white, or a window as ``volfuse`` takes it in text.
        table: uint8 (256, 3) RGB colours from black to white; ``None`` for grey or for voxels that hold colour.
    """

    file: Path
    window: tuple[float, float] | str
    table: np.ndarray | None


def write_sources(
    reference: slicer.vtkMRMLVolumeNode, second: slicer.vtkMRMLVolumeNode, folder: Path
) -> tuple[Source, Source]:
    """Write two volumes into ``folder``, with the window and colours they are shown with.

    Both lie in the space that ``reference`` stores, below its parent transform, because the result is put under
    that transform again. ``second`` keeps its voxels: the pipeline resamples it, as it would any file. Where
    transforms between the two are not linear, no file could say how it lies, and it is resampled here.

    Raises:
        FusionError: if a file cannot be written.
        OSError: if ``folder`` cannot be made.
    """
    return _write(reference, reference, folder / "0"), _write(second, reference, folder / "1")


def _write(volume: slicer.vtkMRMLVolumeNode, reference: slicer.vtkMRMLVolumeNode, folder: Path) -> Source:
    window = display.shown_window(volume)
    image, matrix = volume.GetImageData(), geometry.indices_to_frame(volume, reference)
    if matrix is None:
        black = min(image.GetScalarRange()[0], window[0])
        image = geometry.resampled(image, volume, reference, black)
        matrix = geometry.indices_to_frame(reference, reference)
    # A copy outside the scene, which shares the voxels: writing it touches nothing that the user has.
    kind = slicer.vtkMRMLVectorVolumeNode if display.is_color(volume) else slicer.vtkMRMLScalarVolumeNode
    written = kind()
    written.SetAndObserveImageData(image)
    written.SetIJKToRASMatrix(matrix)
    file = folder / f"{_file_name(volume.GetName())}.nrrd"
    folder.mkdir(parents=True, exist_ok=True)
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetUseCompression(False)
    storage.SetFileName(str(file))
    if not storage.WriteData(written):
        raise FusionError(
            f"{volume.GetName()} could not be written to {folder}; check that the disk has free space."
        )
    return Source(file, window, display.shown_table(volume))


def _file_name(name: str) -> str:
    """Return ``name`` without what file systems or ITK on Windows may refuse."""
    return re.sub(r"[^\w .()+-]+", "_", name, flags=re.ASCII).strip(" ._")[:60] or "volume"
