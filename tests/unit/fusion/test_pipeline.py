from collections.abc import Callable
from pathlib import Path

import matplotlib
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation

import volfuse
from tests.conftest import grid
from volfuse.choices import Color
from volfuse.errors import FusionCancelled, FusionError
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.fusion.steps import plain_errors
from volfuse.imaging import luma, read_image, write_image
from volfuse.imaging.stored import About


@pytest.fixture(scope="module")
def pipeline() -> FusionPipeline:
    return FusionPipeline("lightfusionnet", "cpu")


def restored(path: Path, codes: str) -> Path:
    """The same image in the same place, stored along other axes."""
    image = Orientation(codes, labels=None)(read_image(path))
    stored = MetaTensor(image.as_tensor().to(torch.uint8), meta={"affine": image.affine})
    return write_image(stored, path.with_name(f"{codes}_{path.name}"))


def test_the_result_has_the_reference_grid_exactly(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path
) -> None:
    for reference, second in ((mr_file, pet_file), (pet_file, mr_file)):
        fused = pipeline.fuse([reference, second])
        expected = nibabel.load(reference)
        assert fused.dtype == torch.uint8
        assert tuple(fused.shape) == (1, *expected.shape)
        np.testing.assert_array_equal(fused.affine.numpy(), expected.affine)


@pytest.mark.parametrize("codes", ["LPS", "SRA", "AIL"])
def test_storage_order_changes_nothing_in_space(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path, codes: str
) -> None:
    plain = pipeline.fuse([mr_file, pet_file])
    for sources in ([restored(mr_file, codes), pet_file], [mr_file, restored(pet_file, codes)]):
        other = Orientation("RAS", labels=None)(pipeline.fuse(sources))
        np.testing.assert_allclose(other.affine, plain.affine, atol=1e-5)
        # One grey level of 255 may round the other way after interpolation.
        assert (other.int() - plain.int()).abs().max() <= 1


@pytest.mark.parametrize("contrast", ["mr", "ct", "pet"])
def test_fusing_an_image_with_itself_returns_it(
    pipeline: FusionPipeline, save_head: Callable[..., Path], contrast: str
) -> None:
    head = save_head("head.nii.gz", contrast, (160, 192, 20), grid(1.0, 1.0, 8.0, center=(160, 192, 20)))
    assert (pipeline.fuse([head, head]).float() - read_image(head)).abs().mean() < 4


def test_both_scans_are_seen_in_the_result(mr_file: Path, pet_file: Path) -> None:
    """The ventricles of the MR and the lesion of the PET stand out of their surroundings."""
    fused = FusionPipeline("laplacian", "cpu").fuse([mr_file, pet_file])[0].float()
    inverse = torch.linalg.inv(torch.from_numpy(nibabel.load(mr_file).affine))

    def at(*world: float) -> float:
        i, j, k = (inverse @ torch.tensor([*world, 1.0], dtype=torch.float64))[:3].round().int().tolist()
        return fused[i, j, k].item()

    assert at(30, 30, 20) > at(-30, 30, 20) + 20
    assert at(10, 5, 5) < at(30, 5, 5) - 20


def test_a_colour_map_gives_a_colour_volume(pipeline: FusionPipeline, mr_file: Path, pet_file: Path) -> None:
    options = FusionOptions(colormaps=[None, "hot"])
    fused = pipeline.fuse([mr_file, pet_file], options)
    grey = pipeline.fuse([mr_file, pet_file], FusionOptions(colormaps=[None, "gray"]))
    assert fused.shape[0] == 3
    red, _, blue = fused.float()
    assert (red - blue).max() > 50
    # A grey map is colour without chroma: three equal channels up to rounding, the same as no map.
    assert (grey.int() - grey[:1].int()).abs().max() <= 1
    assert (grey[0].int() - pipeline.fuse([mr_file, pet_file])[0].int()).abs().max() <= 2


def test_the_option_color_says_what_gives_way(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path
) -> None:
    def lost(color: Color) -> float:
        """The most luminance that a voxel loses, in levels."""
        steps = pipeline.steps(2, FusionOptions(colormaps="hot", color=color))
        case = steps.prepare([mr_file, pet_file])
        fused = steps.fuse(case)
        shown = luma(steps.seen(steps.restore(case, fused)).as_tensor())
        return float((fused.as_tensor()[0] - shown).max() * 255)

    assert lost("luminance") <= 1 < lost("gamut") <= 0.114 * 255 + 1 < lost("published")


def test_one_colour_map_is_that_of_the_last_source_and_none_is_grey(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path
) -> None:
    files = [mr_file, pet_file]
    expected = pipeline.fuse(files, FusionOptions(colormaps=[None, "hot"]))
    assert torch.equal(pipeline.fuse(files, FusionOptions(colormaps="hot")), expected)
    assert torch.equal(pipeline.fuse(files, FusionOptions(colormaps=["none", "hot"])), expected)
    table = matplotlib.colormaps["hot"](np.arange(256) / 255)[:, :3]
    assert torch.equal(pipeline.fuse(files, FusionOptions(colormaps=[None, table])), expected)


def test_sources_and_fused_image_are_seen_alike(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path
) -> None:
    """An image fused with itself in its colours looks as it does alone."""
    steps = FusionPipeline("maximum", "cpu").steps(
        2, FusionOptions(colormaps=["hot", "hot"], plane="coronal")
    )
    first, second = steps.shown([mr_file, mr_file])
    case = steps.prepare([mr_file, mr_file])
    seen = steps.seen(steps.restore(case, steps.fuse(case)))
    assert torch.equal(first, second) and first.shape == seen.shape == (3, *case["image"].shape[1:])
    torch.testing.assert_close(seen.as_tensor(), first, rtol=0, atol=1.1 / 255)


@pytest.mark.parametrize("plane", ["coronal", "sagittal"])
def test_other_planes_fuse_other_slices(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path, plane: str
) -> None:
    counts = []
    fused = pipeline.fuse(
        [mr_file, pet_file], FusionOptions(plane=plane), progress=lambda done, total: counts.append(total)
    )
    assert set(counts) == {{"coronal": 48, "sagittal": 40}[plane]}
    axial = pipeline.fuse([mr_file, pet_file])
    assert (fused.float() - axial.float()).abs().mean() < 8
    assert not torch.equal(fused, axial)


def test_a_case_holds_the_luminance_before_and_after_the_network(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path
) -> None:
    case = pipeline.fuse_case([mr_file, pet_file])
    assert torch.equal(case.image, pipeline.fuse([mr_file, pet_file]))
    # The grid is RAS and axial slices are read as PLS: rows and columns change places and directions.
    stored, read = case.image[0].as_tensor() / 255, case.fused[0].as_tensor()
    torch.testing.assert_close(stored.swapaxes(0, 1).flip(0, 1), read, rtol=0, atol=0.501 / 255)
    mr = (read_image(mr_file)[0].as_tensor() / 255).swapaxes(0, 1).flip(0, 1)
    torch.testing.assert_close(case.sources[0].as_tensor(), mr)
    assert case.sources.shape == (2, *read.shape)
    assert case.notes == ("pet.nii.gz is resampled onto the grid of mr.nii.gz and covers 95% of it.",)
    assert list(case.seconds) == ["prepare", "fuse", "restore"] and min(case.seconds.values()) > 0


@pytest.mark.parametrize("wanted", [True, False])
def test_mixed_precision_reaches_networks_and_spares_classical_rules(wanted: bool) -> None:
    options = FusionOptions(mixed_precision=wanted)
    used = {
        name: FusionPipeline(name, "cpu").steps(2, options).inferer.mixed_precision
        for name in ("lightfusionnet", "laplacian")
    }
    assert used == {"lightfusionnet": wanted, "laplacian": False}


@pytest.mark.parametrize(
    "cause", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")]
)
def test_too_little_memory_is_not_hidden_by_the_step_it_happens_in(cause: Exception) -> None:
    with pytest.raises(MemoryError), plain_errors():
        raise RuntimeError("applying transform") from cause


def test_it_stops_when_asked(pipeline: FusionPipeline, mr_file: Path, pet_file: Path) -> None:
    with pytest.raises(FusionCancelled):
        pipeline.fuse([mr_file, pet_file], should_stop=lambda: True)


def test_pictures_keep_their_size_and_rows(pipeline: FusionPipeline, tmp_path: Path) -> None:
    picture = np.zeros((11, 17), np.uint8)
    picture[2, 3:15] = np.arange(100, 220, 10)
    sitk.WriteImage(sitk.GetImageFromArray(picture), str(tmp_path / "a.png"))
    path = write_image(pipeline.fuse([tmp_path / "a.png"] * 2), tmp_path / "fused.png")
    fused = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert fused.shape == (11, 17)
    assert fused.argmax() // 17 == 2


def test_one_slice_odd_sizes_and_tiny_volumes(
    pipeline: FusionPipeline, save_head: Callable[..., Path]
) -> None:
    for shape in ((33, 41, 1), (3, 5, 7), (1, 30, 20)):
        file = save_head(f"{shape}.nrrd", "mr", shape, grid(5, 5, 5, center=shape))
        assert tuple(pipeline.fuse([file, file]).shape) == (1, *shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": "brain"}, "'brain' is no intensity window"),
        ({"windows": ["auto"] * 3}, "2 sources need one window or one each, not 3."),
        ({"colormaps": ["hoot", None]}, "There is no colour map 'hoot'"),
        ({"colormaps": ["hot"] * 3}, r"2 sources need as many colour maps \(or none\), not 3."),
        ({"windows": []}, "2 sources need one window or one each, not 0."),
    ],
)
def test_wrong_options_are_refused(
    pipeline: FusionPipeline, mr_file: Path, options: dict, message: str
) -> None:
    with pytest.raises(FusionError, match=f"^{message}"):
        pipeline.fuse([mr_file, mr_file], FusionOptions(**options))


def test_the_number_of_sources_must_fit(pipeline: FusionPipeline, mr_file: Path) -> None:
    with pytest.raises(FusionError, match=r"^lightfusionnet fuses 2 images, but 3 are given\.$"):
        pipeline.fuse([mr_file] * 3)


def test_images_in_memory_are_fused_as_their_files_are(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path
) -> None:
    pet = nibabel.load(pet_file)
    expected = pipeline.fuse([mr_file, pet_file])
    for sources in (
        [sitk.ReadImage(str(mr_file)), pet],
        [read_image(mr_file), (np.asarray(pet.dataobj), pet.affine)],
    ):
        fused = pipeline.fuse(sources)
        # Position and direction of ITK are rounded otherwise than those of nibabel.
        assert (fused.int() - expected.int()).abs().max() <= 1
        torch.testing.assert_close(fused.affine, expected.affine, rtol=0, atol=1e-5)


def test_a_fused_image_is_a_source_as_its_file_is(
    pipeline: FusionPipeline, mr_file: Path, pet_file: Path, tmp_path: Path
) -> None:
    fused = pipeline.fuse([mr_file, pet_file], FusionOptions(colormaps="hot"))
    file = volfuse.save(fused, tmp_path / "fused.nii.gz")
    again = pipeline.fuse([fused, pet_file])
    assert torch.equal(again, pipeline.fuse([file, pet_file])) and again.shape[0] == 3
    assert torch.equal(again.affine, fused.affine)
    assert again.meta["notes"] == fused.meta["notes"]  # those of this fusion, not of both


def test_a_fused_image_lies_in_the_frame_of_its_reference_and_is_no_scan(pipeline: FusionPipeline) -> None:
    values = np.random.default_rng(0).random((1, 12, 12, 4), dtype=np.float32)
    about = About(
        "DICOM", "PT", units="Bq/ml", frame_of_reference="1.2.3", suv=0.001, notes=("It was cold.",)
    )
    scan = MetaTensor(torch.from_numpy(values), meta={"affine": np.eye(4), "about": about.to_meta()})
    fused = pipeline.fuse([scan, scan])
    assert About.from_meta(fused.meta) == About(frame_of_reference="1.2.3")
    assert tuple(fused.meta["notes"]) == ("It was cold.",)


def test_a_mistake_in_memory_is_told_with_its_number(pipeline: FusionPipeline, mr_file: Path) -> None:
    with pytest.raises(FusionError, match=r"^source 2 \(an array of 3x4x5\) has no position in space; "):
        pipeline.fuse([mr_file, np.zeros((3, 4, 5))])


def test_one_window_is_that_of_all_sources(pipeline: FusionPipeline, mr_file: Path, pet_file: Path) -> None:
    one = pipeline.fuse([mr_file, pet_file], FusionOptions(windows="ct-brain"))
    assert torch.equal(one, pipeline.fuse([mr_file, pet_file], FusionOptions(windows=["ct-brain"] * 2)))
    assert not torch.equal(one, pipeline.fuse([mr_file, pet_file]))


def test_unknown_models_and_devices_are_refused() -> None:
    with pytest.raises(FusionError, match=r"^There is no model 'nonet'; choose from: .*lightfusionnet"):
        FusionPipeline("nonet")
    with pytest.raises(
        FusionError, match=r"^The device 'cuda:99' is not available here; use 'auto' or 'cpu'\.$"
    ):
        FusionPipeline(device="cuda:99")


def test_text_of_a_user_is_never_evaluated(pipeline: FusionPipeline, tmp_path: Path, mr_file: Path) -> None:
    """Strings that start with $ are code in a MONAI configuration, whatever entry they stand in."""
    marker = tmp_path / "executed"
    code = f"$open({str(marker)!r}, 'w')"
    for second, options in (
        (code, {}),
        (mr_file, {"windows": code}),
        (mr_file, {"colormaps": [None, code]}),
        (mr_file, {"plane": code}),
    ):
        with pytest.raises(FusionError):
            pipeline.fuse([mr_file, second], FusionOptions(**options))
    assert not marker.exists()


def test_a_case_with_a_dollar_in_its_name_is_only_a_file(pipeline: FusionPipeline, mr_file: Path) -> None:
    odd = mr_file.rename(mr_file.with_name("$1+1.nii.gz"))
    assert pipeline.fuse([odd, odd]).shape[0] == 1


def test_real_scans_on_different_grids(pipeline: FusionPipeline, shared_data: Path) -> None:
    folder = shared_data / "volumes" / "unregistered_t1_t2"
    fused = pipeline.fuse([folder / "t1.nii.gz", folder / "t2.nii.gz"])
    reference = nibabel.load(folder / "t1.nii.gz")
    assert tuple(fused.shape[1:]) == reference.shape
    np.testing.assert_array_equal(fused.affine.numpy(), reference.affine)
