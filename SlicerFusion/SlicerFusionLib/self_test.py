"""The self-test that runs inside Slicer: two phantoms through the worker and back into the scene."""

import time
import unittest

import numpy as np
import slicer
import slicer.util

from SlicerFusionLib.fusion_logic import FusionLogic
from SlicerFusionLib.models import available_models
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.sample_data import add_phantoms

_SECONDS = 120


def fuse_phantoms(case: unittest.TestCase, parameters: FusionParameters) -> None:
    """Fuse the phantom head; the result must show both, exactly where they are.

    By averaging: the maximum shows no lesion of the PET where the MR is white already.

    Args:
        case: what asserts.
        parameters: of the present scene.
    """
    mr, pet = add_phantoms()
    parameters.reference, parameters.second = mr, pet
    logic = FusionLogic()
    try:
        logic.start(parameters, [available_models()["average"]])
        deadline = time.monotonic() + _SECONDS
        while logic.busy and time.monotonic() < deadline:
            slicer.app.processEvents()
            time.sleep(0.05)
            logic.poll()
    finally:
        logic.close()
    case.assertEqual(len(logic.results), 1, logic.status.text)
    fused = logic.results[0]
    case.assertTrue(fused.IsA("vtkMRMLVectorVolumeNode"), "the colours of the PET are lost")
    case.assertEqual(slicer.util.arrayFromVolume(fused).shape[:3], slicer.util.arrayFromVolume(mr).shape)
    case.assertEqual(fused.GetOrigin(), mr.GetOrigin())
    case.assertEqual(fused.GetSpacing(), mr.GetSpacing())
    # The lesion shows in the PET alone, at (30, 30, 20) mm; its mirror image is healthy in both.
    lesion, mirrored = (_at(fused, (x, 30.0, 20.0)) for x in (30.0, -30.0))
    case.assertGreater(lesion.mean(), mirrored.mean() + 20)


def _at(volume: slicer.vtkMRMLVolumeNode, position: tuple[float, float, float]) -> np.ndarray:
    i, j, k = np.rint((np.array(position) - volume.GetOrigin()) / volume.GetSpacing()).astype(int)
    return slicer.util.arrayFromVolume(volume)[k, j, i].astype(int)
