"""A fused image in the scene: voxels, colours, position, provenance, and all of it again from a saved scene."""

import json

import numpy as np
import pytest
import slicer
import torch
import vtk
from monai.data import MetaTensor

from SlicerFusionLib.contribution import add_contributions, contributions_of
from SlicerFusionLib.result import NOTICE, Provenance, add_result, is_result
from tests.conftest import grid, oblique
from tests.slicer.conftest import affine_of, displayed
from volfuse.errors import FusionError
from volfuse.imaging import write_image

SHAPE = (8, 7, 6)
AFFINE = oblique(grid(-0.7123456789, -0.8, 2.3, center=SHAPE))
PROVENANCE = Provenance(
    model="tafie",
    title="TAFIE",
    version="1.2.0",
    weights_sha256="ab" * 32,
    options={"plane": "axial", "windows": [[70.5, 130], "pet"], "note": 'Größe: "5; 6%"\n<&>'},
)


@pytest.fixture
def pair(scene, add_volume, noise):
    """A reference and a second volume under a linear transform each, in a folder of the subject hierarchy."""
    reference, second = add_volume("MR", noise, AFFINE), add_volume("PET", noise)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Study")
    for volume in (reference, second):
        hierarchy.CreateItem(study, volume)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(oblique(np.diag([1.0, 1.1, 0.9, 1]))))
    reference.SetAndObserveTransformNodeID(transform.GetID())
    return reference, second


@pytest.fixture(params=[1, 3], ids=["grey", "RGB"])
def fused(request, tmp_path):
    """Voxels (X, Y, Z, components) and their file."""
    voxels = np.random.default_rng(7).integers(0, 256, (*SHAPE, request.param)).astype(np.uint8)
    image = MetaTensor(torch.from_numpy(np.moveaxis(voxels, -1, 0)), affine=torch.from_numpy(AFFINE))
    return voxels, write_image(image, tmp_path / "fused.nrrd")


def check(result, voxels) -> None:
    """Assert all that holds of the result of ``pair`` and ``fused``, fresh or from a saved scene."""
    stored = slicer.util.arrayFromVolume(result).reshape(*SHAPE[::-1], -1)
    np.testing.assert_array_equal(stored, voxels.transpose(2, 1, 0, 3))
    np.testing.assert_array_equal(displayed(result), np.broadcast_to(stored, (*SHAPE[::-1], 3)))
    is_color = voxels.shape[-1] == 3
    assert result.GetClassName() == ("vtkMRMLVectorVolumeNode" if is_color else "vtkMRMLScalarVolumeNode")
    if is_color:
        assert result.GetVoxelVectorType() == slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGB
    display = result.GetDisplayNode()
    assert not display.GetAutoWindowLevel()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 255)

    assert result.GetName() == "PET + MR (TAFIE)"
    assert is_result(result)
    assert result.GetAttribute("SlicerFusion.Model") == "tafie"
    assert result.GetAttribute("SlicerFusion.Version") == "1.2.0"
    assert result.GetAttribute("SlicerFusion.WeightsSHA256") == "ab" * 32
    assert json.loads(result.GetAttribute("SlicerFusion.Options")) == PROVENANCE.options
    assert result.GetAttribute("SlicerFusion.Notice") == NOTICE
    sources = [result.GetNthNodeReference("SlicerFusion.Source", number) for number in (0, 1, 2)]
    assert [source and source.GetName() for source in sources] == ["MR", "PET", None]

    assert result.GetParentTransformNode().GetName() == "Registration"
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(result.GetScene())
    parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result))
    assert hierarchy.GetItemName(parent) == "Study"


def test_the_result_lies_where_the_reference_lies_and_looks_as_it_was_fused(pair, fused):
    voxels, file = fused
    result = add_result(file, *pair, PROVENANCE)
    check(result, voxels)
    np.testing.assert_array_equal(affine_of(result), affine_of(pair[0]))


def test_a_left_handed_grid_keeps_its_order_of_voxels(pair, fused):
    voxels, file = fused
    mirrored = AFFINE @ np.diag([1, -1, 1, 1])
    write_image(
        MetaTensor(torch.from_numpy(np.moveaxis(voxels, -1, 0)), affine=torch.from_numpy(mirrored)), file
    )
    pair[0].SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(mirrored))
    result = add_result(file, *pair, PROVENANCE)
    check(result, voxels)
    np.testing.assert_array_equal(affine_of(result), affine_of(pair[0]))


@pytest.mark.parametrize("suffix", ["mrml", "mrb"])
def test_a_saved_scene_keeps_everything(scene, pair, fused, tmp_path, suffix):
    voxels, file = fused
    add_result(file, *pair, PROVENANCE)
    loaded = save_and_load(scene, tmp_path, suffix)
    result = loaded.GetFirstNodeByName("PET + MR (TAFIE)")
    check(result, voxels)
    np.testing.assert_allclose(affine_of(result), AFFINE, rtol=0, atol=1e-12)


def test_an_item_that_slicer_makes_when_a_volume_is_added_is_moved_beside_the_reference(scene, pair, fused):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def make_item(_scene, _event, node):
        if node.IsA("vtkMRMLVolumeNode"):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, make_item)
    check(add_result(fused[1], *pair, PROVENANCE), fused[0])


def test_a_second_result_has_a_name_of_its_own(pair, fused):
    first, second = (add_result(fused[1], *pair, PROVENANCE) for _ in range(2))
    assert first.GetName() == "PET + MR (TAFIE)"
    assert second.GetName() == "PET + MR (TAFIE)_1"


def test_a_volume_that_was_loaded_is_no_result(pair):
    assert not any(is_result(volume) for volume in pair)


def test_a_reference_that_changed_its_grid_is_noticed_and_nothing_is_added(scene, pair, fused):
    slicer.util.updateVolumeFromArray(pair[0], np.ones((3, 3, 3), np.int16))
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(FusionError, match=r"^MR was changed during the fusion; fuse again\.$"):
        add_result(fused[1], *pair, PROVENANCE)
    assert scene.GetNumberOfNodes() == nodes


def test_a_damaged_file_is_one_sentence(scene, pair, tmp_path):
    file = tmp_path / "fused.nrrd"
    file.write_bytes(b"NRRD0004\ntype: uint8\n")
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(FusionError, match=r"^The fused image fused\.nrrd could not be read; fuse again\.$"):
        add_result(file, *pair, PROVENANCE)
    assert scene.GetNumberOfNodes() == nodes


def save_and_load(scene, folder, suffix):
    """Return a new scene, read from ``scene`` on disk."""
    path = folder / f"scene.{suffix}"
    (folder / "saved").mkdir()
    if suffix == "mrb":
        assert scene.WriteToMRB(str(path), None)
    else:
        scene.SetURL(str(path))
        for node in slicer.util.getNodesByClass("vtkMRMLStorableNode", scene):
            if node.GetSaveWithScene() and not node.IsA("vtkMRMLColorNode"):
                node.AddDefaultStorageNode()
                extension = node.GetStorageNode().GetDefaultWriteFileExtension()
                node.GetStorageNode().SetFileName(str(folder / "saved" / f"{node.GetID()}.{extension}"))
                assert node.GetStorageNode().WriteData(node)
        assert scene.Commit()
    loaded = slicer.vtkMRMLScene()
    colors = slicer.vtkMRMLColorLogic()
    colors.SetMRMLScene(loaded)
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.GetCacheManager().SetRemoteCacheDirectory(str(folder))
    remote.SetMRMLScene(loaded)
    remote.AddDataIOToScene()
    loaded.kept_alive = (colors, remote)
    if suffix == "mrb":
        assert loaded.ReadFromMRB(str(path), False, None)
    else:
        loaded.SetURL(str(path))
        assert loaded.Connect()
    return loaded


@pytest.fixture
def maps(tmp_path):
    """Voxels (3, X, Y, Z), the last of either sign, and their files."""
    voxels = np.random.default_rng(3).normal(0, 40, (3, *SHAPE)).astype(np.float32)
    voxels[:2] = abs(voxels[:2])
    files = [
        write_image(
            MetaTensor(torch.from_numpy(each[None]), affine=torch.from_numpy(AFFINE)),
            tmp_path / f"{number}.nrrd",
        )
        for number, each in enumerate(voxels)
    ]
    return voxels, files


@pytest.mark.parametrize("suffix", ["", "mrml", "mrb"])
def test_contributions_lie_where_the_fused_volume_lies_also_in_a_saved_scene(
    scene, pair, fused, maps, tmp_path, suffix
):
    add_contributions(maps[1], add_result(fused[1], *pair, PROVENANCE))
    if suffix:
        scene = save_and_load(scene, tmp_path, suffix)
    result = scene.GetFirstNodeByName("PET + MR (TAFIE)")
    volumes = contributions_of(result)
    parts = ["contribution of MR", "contribution of PET", "correction"]
    assert [volume.GetName() for volume in volumes] == [f"PET + MR (TAFIE) {part}" for part in parts]
    for volume, voxels, darkest in zip(volumes, maps[0], (0, 0, -127.5), strict=True):
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(volume), voxels.T)
        np.testing.assert_allclose(affine_of(volume), affine_of(result), rtol=0, atol=1e-12)
        assert volume.GetParentTransformNode().GetName() == "Registration"
        display = volume.GetDisplayNode()
        assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (darkest, darkest + 255)
        assert volume.GetAttribute("SlicerFusion.Notice") == NOTICE
        assert is_result(volume)


def test_a_removed_contribution_is_not_missed(scene, pair, fused, maps):
    result = add_result(fused[1], *pair, PROVENANCE)
    first, *others = add_contributions(maps[1][:2], result)
    scene.RemoveNode(first)
    assert contributions_of(result) == others


def test_a_damaged_file_is_told_in_one_sentence(pair, fused, tmp_path):
    result = add_result(fused[1], *pair, PROVENANCE)
    broken = tmp_path / "fused_contribution0.nrrd"
    broken.write_bytes(b"nothing")
    with pytest.raises(
        FusionError, match=r"^The fused image fused_contribution0.nrrd could not be read; fuse again"
    ):
        add_contributions([broken], result)
