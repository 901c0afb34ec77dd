"""What Slicer knows of the module, and the sample data it offers."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import slicer
import slicer.util
from standins.application import MODULE_FOLDER, Application

import SlicerFusion
from SlicerFusionLib import sample_data
from SlicerFusionLib.checks import reason_not_to_fuse
from SlicerFusionLib.volumes import likely_pair
from volfuse.errors import FusionError


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    """What the module registers in Slicer's Sample Data, by name."""
    registered = {}
    module = ModuleType("SampleData")
    module.SampleDataLogic = SimpleNamespace(
        registerCustomSampleDataSource=lambda **source: registered.update({source["sampleName"]: source})
    )
    monkeypatch.setitem(sys.modules, "SampleData", module)
    sample_data.register()
    return registered


def test_the_module_says_what_it_is_and_that_it_is_no_medical_device(application: Application) -> None:
    parent = SimpleNamespace(path=str(MODULE_FOLDER / "SlicerFusion.py"))
    SlicerFusion.SlicerFusion(parent)
    assert parent.title == "Image Fusion"
    assert "Not a medical device. For research only." in parent.helpText
    assert ("startupCompleted()", sample_data.register) in application.connected


def test_samples_are_complete_entries_with_a_picture(samples: dict[str, dict]) -> None:
    assert list(samples) == ["Head phantom, MR and PET", "MNI152 T1 and simulated PET"]
    for source in samples.values():
        assert len(source["uris"]) == len(source["fileNames"]) == len(source["nodeNames"]) == 2
        assert Path(source["thumbnailFileName"]).is_file()


@pytest.mark.usefixtures("application")
def test_the_phantom_sample_needs_no_internet_and_can_be_fused(
    samples: dict[str, dict], scene: slicer.vtkMRMLScene
) -> None:
    source = samples["Head phantom, MR and PET"]
    mr, pet = source["customDownloader"](source)
    assert [mr.GetName(), pet.GetName()] == source["nodeNames"]
    assert likely_pair(scene) == (mr, pet)
    assert reason_not_to_fuse(mr, pet) == ""
    assert pet.GetDisplayNode().GetColorNode().GetName() == "PET-Heat"
    bounds = np.zeros((2, 6))
    mr.GetRASBounds(bounds[0])
    pet.GetRASBounds(bounds[1])
    np.testing.assert_allclose(*bounds, atol=20)


@pytest.mark.usefixtures("application")
def test_the_real_sample_is_loaded_from_the_files_of_the_library(
    samples: dict[str, dict], add_volume: Callable, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = samples["MNI152 T1 and simulated PET"]
    monkeypatch.setattr(
        "volfuse.data.demo.write_demo_pair", lambda folder: [folder / "t1.nii.gz", folder / "pet.nii.gz"]
    )
    monkeypatch.setattr(slicer.util, "loadVolume", lambda path: add_volume(Path(path).stem, noise))
    volumes = source["customDownloader"](source)
    assert [volume.GetName() for volume in volumes] == source["nodeNames"]


def test_a_sample_that_cannot_be_fetched_is_told_in_one_sentence(
    samples: dict[str, dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> list[Path]:
        raise FusionError("The demonstration images could not be fetched.")

    messages = []
    monkeypatch.setattr("volfuse.data.demo.write_demo_pair", fail)
    monkeypatch.setattr(slicer.util, "errorDisplay", messages.append)
    source = samples["MNI152 T1 and simulated PET"]
    assert source["customDownloader"](source) == []
    assert messages == ["The demonstration images could not be fetched."]
