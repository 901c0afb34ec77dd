"""A volume comes out the same, bit by bit, however many of its slices are worked on at once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, GaussianSmoothd

from tests.conftest import grid
from volfuse.fusion import slabs
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.fusion.slabs import FusedCase, fuse_at_once, slab_length
from volfuse.imaging import write_image

Save = Callable[..., Path]


@pytest.fixture(scope="module")
def pipeline() -> FusionPipeline:
    return FusionPipeline("laplacian", "cpu")


def at_once(pipeline: FusionPipeline, sources: list[Path], options: FusionOptions) -> FusedCase:
    return fuse_at_once(pipeline.steps(len(sources), options), sources)


def assert_same(fused: MetaTensor, expected: MetaTensor) -> None:
    assert fused.dtype == expected.dtype and torch.equal(fused.as_tensor(), expected.as_tensor())
    assert torch.equal(fused.affine, expected.affine)


@pytest.mark.parametrize(
    ("slices", "plane", "colormaps"),
    [(1, "axial", ()), (5, "coronal", "hot"), (7, "sagittal", ("jet", "hot")), (32, "axial", "hot")],
)
def test_slabs_of_any_length_give_the_voxels_of_the_whole(
    pipeline: FusionPipeline,
    mr_file: Path,
    pet_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    slices: int,
    plane: str,
    colormaps: str | tuple[str, ...],
) -> None:
    monkeypatch.setattr(slabs, "slab_length", lambda shape, batch_size: slices)
    options = FusionOptions(plane=plane, colormaps=colormaps)
    expected = at_once(pipeline, [mr_file, pet_file], options)
    case = pipeline.fuse_case([mr_file, pet_file], options)
    assert_same(case.image, expected.image)
    assert_same(case.sources, expected.sources)
    assert_same(case.fused, expected.fused)
    assert case.notes == expected.notes and case.image.meta.keys() == expected.image.meta.keys()


def turned(degrees: float, spacing: tuple[float, float, float], shift: float = 0.0) -> np.ndarray:
    angle = np.deg2rad(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)
    affine[:3, 3] = -affine[:3, :3] @ (20, 20, 10) + shift
    return affine


@pytest.mark.parametrize(("degrees", "shift"), [(0, 0.0), (0, 60.0), (7, 60.0), (50, 0.0)])
def test_sources_on_any_grid_give_the_voxels_of_the_whole(
    pipeline: FusionPipeline,
    mr_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    degrees: float,
    shift: float,
) -> None:
    """Also where whole slabs see nothing of the second source, or it is of 8 bits or in colour."""
    monkeypatch.setattr(slabs, "slab_length", lambda shape, batch_size: 3)
    chance = np.random.default_rng(0)
    affine = turned(degrees, (3.1, 2.3, 5.7), shift)
    grey = nibabel.Nifti1Image(chance.integers(-900, 900, (30, 41, 17)).astype(np.int16), affine)
    nibabel.save(grey, tmp_path / "grey.nii")
    rgb = torch.from_numpy(chance.integers(0, 255, (3, 30, 41, 17)).astype(np.uint8))
    color = write_image(MetaTensor(rgb, affine=torch.from_numpy(affine)), tmp_path / "rgb.nrrd")
    for second in (tmp_path / "grey.nii", color):
        for files in ([mr_file, second], [second, mr_file]):
            expected = at_once(pipeline, files, FusionOptions())
            assert_same(pipeline.fuse(files), expected.image)


def test_contributions_come_from_slabs_too(
    mr_file: Path, pet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slabs, "slab_length", lambda shape, batch_size: 10)
    unionnet = FusionPipeline("unionnet", "cpu")
    options = FusionOptions(contributions=True, batch_size=2)
    fused = unionnet.fuse_image([mr_file, pet_file], options)
    expected = at_once(unionnet, [mr_file, pet_file], options)
    assert fused.contributions is not None and expected.contributions is not None
    assert_same(fused.contributions, expected.contributions)
    assert_same(fused.image, expected.image)


def test_slabs_are_small_and_of_whole_batches() -> None:
    lengths = [
        slab_length((size, size, 1000), batch) for size in (64, 256, 512, 2048) for batch in (1, 5, 32)
    ]
    assert lengths == [32, 35, 32, 16, 20, 32, 4, 5, 32, 4, 5, 32]


def test_progress_counts_the_slices_of_the_volume(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slabs, "slab_length", lambda shape, batch_size: 7)
    told: list[tuple[int, int]] = []
    depth = pipeline.fuse([mr_file, pet_file], progress=lambda *slices: told.append(slices)).shape[-1]
    assert told == [(done, depth) for done in range(1, depth + 1)]


def test_what_looks_at_neighbouring_slices_gets_the_whole_volume(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path
) -> None:
    steps = pipeline.steps(2)
    assert steps.in_slabs
    steps.preprocessing = Compose([*steps.preprocessing.transforms, GaussianSmoothd("image", 2.0)])
    assert not steps._is_known()


_MEASURE = """
import resource, sys
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.imaging import write_image
pipeline = FusionPipeline("average", "cpu")
small, large = sys.argv[1:3], sys.argv[3:5]
peaks = []
for files in (small, large):
    write_image(pipeline.fuse(files, FusionOptions(colormaps="hot", color="published")), sys.argv[5])
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print((peaks[1] - peaks[0]) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in other units elsewhere")
def test_a_large_volume_takes_little_more_than_its_files_and_its_result(tmp_path: Path) -> None:
    """Two sources of 2 bytes a voxel, one of them turned meanwhile, and 3 bytes of result: not 4 per number."""
    files = []
    for name, shape in (("small", (256, 256, 33)), ("large", (256, 256, 200))):
        ramp = np.arange(np.prod(shape), dtype=np.int32).reshape(shape, order="F")
        for number in range(2):
            files.append(tmp_path / f"{name}{number}.nii")
            voxels = (ramp // (7 + number) % 3000).astype(np.int16)
            nibabel.save(nibabel.Nifti1Image(voxels, grid(1, 1, 1, center=shape)), files[-1])
    command = [sys.executable, "-c", _MEASURE, *map(str, files), str(tmp_path / "fused.nii")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) / (256 * 256 * 167) < 9
