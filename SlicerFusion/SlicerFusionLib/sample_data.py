"""Samples for Slicer's module Sample Data: a phantom that needs no internet, a real MR with a simulated PET."""

import tempfile
from pathlib import Path

import numpy as np
import slicer
import slicer.util

from volfuse.data.phantoms import head_phantom
from volfuse.errors import FusionError

CATEGORY = "Image Fusion"
_MR_GRID = ((90, 110, 80), 2.0)
_PET_GRID = ((48, 58, 40), 4.0)


def register() -> None:
    """Offer the samples; Slicer calls this when it has started."""
    import SampleData  # noqa: PLC0415 - a module of the application

    icon = str(Path(__file__).parents[1] / "Resources" / "Icons" / "SlicerFusion.png")
    for name, nodes, load in (
        ("Head phantom, MR and PET", ["PhantomMR", "PhantomPET"], add_phantoms),
        ("MNI152 T1 and simulated PET", ["MNI152_T1", "SimulatedPET"], add_demo_pair),
    ):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=["", ""],
            fileNames=[f"{node}.nii.gz" for node in nodes],
            nodeNames=nodes,
            thumbnailFileName=icon,
            customDownloader=lambda _source, load=load: load(),
        )


def add_phantoms() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Add an MR and a PET of a phantom head, on grids of their own; returns both."""
    mr = _add_phantom("PhantomMR", "mr", *_MR_GRID)
    pet = _add_phantom("PhantomPET", "pet", *_PET_GRID)
    _show_hot(pet)
    return [mr, pet]


def add_demo_pair() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Add the MNI152 T1 template and a PET simulated from its tissues; fetched once, then kept in a cache."""
    from volfuse.data.demo import write_demo_pair  # noqa: PLC0415 - SimpleITK is slow to import

    try:
        with tempfile.TemporaryDirectory() as folder:
            t1, pet = (slicer.util.loadVolume(str(path)) for path in write_demo_pair(Path(folder)))
    except FusionError as error:
        slicer.util.errorDisplay(str(error))
        return []
    t1.SetName("MNI152_T1")
    pet.SetName("SimulatedPET")
    _show_hot(pet)
    return [t1, pet]


def _add_phantom(
    name: str, contrast: str, shape: tuple[int, int, int], spacing: float
) -> slicer.vtkMRMLScalarVolumeNode:
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(shape) - 1) / 2
    voxels = head_phantom(shape, affine, contrast) * 1000
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    slicer.util.updateVolumeFromArray(volume, voxels.transpose(2, 1, 0).astype(np.int16))
    volume.CreateDefaultDisplayNodes()
    return volume


def _show_hot(pet: slicer.vtkMRMLScalarVolumeNode) -> None:
    pet.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLPETProceduralColorNodePET-Heat")
