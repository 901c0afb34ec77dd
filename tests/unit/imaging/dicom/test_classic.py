"""Series of one file for each slice: sorted by position, checked, told apart."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.dicom_objects import AXIAL, MR, error, image_object, phantom, slice_object, write, write_slices
from volfuse.errors import FusionError
from volfuse.imaging import read_image
from volfuse.imaging.dicom import list_series, read_dicom
from volfuse.imaging.stored import Reading

STACK = [(-5.0, 3.0, 4.0 * k - 20) for k in range(12)]
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def brighter(points: np.ndarray) -> np.ndarray:
    return phantom(points) + 10_000


def check(path: Path, reading: Reading | None = None, limit: float = 0.5) -> tuple[str, ...]:
    """Compare a series with the phantom in world space and return its notes."""
    image = read_dicom(path, reading or Reading())
    assert error(image.voxels, image.affine) <= limit
    return image.about.notes


def refusal(path: Path, reading: Reading | None = None) -> str:
    with pytest.raises(FusionError) as refused:
        read_dicom(path, reading or Reading())
    return str(refused.value)


@pytest.mark.parametrize("order", [range(12), range(11, -1, -1), np.random.default_rng(0).permutation(12)])
def test_files_are_sorted_by_position(tmp_path: Path, order: range) -> None:
    assert check(write_slices(tmp_path / "ct", [STACK[k] for k in order])) == ()


def test_an_oblique_series_with_rounded_directions(tmp_path: Path) -> None:
    angle = 0.3
    row, column = np.array([np.cos(angle), np.sin(angle), 0]), np.array([0, 0, -1.0])
    positions = [tuple(np.round(k * 3 * np.cross(row, column), 6)) for k in range(20)]
    orientation = [round(each, 4) for each in (*row, *column)]
    image = read_dicom(write_slices(tmp_path / "mr", positions, orientation), Reading())
    assert error(image.voxels, image.affine) <= 1


def test_positions_rounded_to_a_tenth_are_fitted(tmp_path: Path) -> None:
    positions = [(-5.0, 3.0, round(0.625 * k, 1)) for k in range(60)]
    notes = check(write_slices(tmp_path / "ct", positions), limit=2)
    assert notes == ("The slices of ct lie up to 0.052 mm from an even stack, which is taken.",)
    assert read_image(tmp_path / "ct").affine[2, 2] == pytest.approx(0.625, abs=1e-3)


@pytest.mark.parametrize("step", [0.1, 0.625, 1.0, 5.0])
def test_a_missing_slice_is_named_however_thin_they_are(tmp_path: Path, step: float) -> None:
    positions = [(0.0, 0.0, round(step * k, 1)) for k in range(9) if k != 5]
    assert "missing between 004.dcm and 005.dcm" in refusal(write_slices(tmp_path / "ct", positions))


def test_gaps_are_resampled_on_demand(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "ct", [*STACK[:5], *STACK[7:]])
    reason = "have gaps: 2 are missing between 004.dcm and 005.dcm, 12 mm apart where 4 mm are usual"
    assert refusal(folder) == (
        f"The slices of ct {reason}; export all of them, or let them be resampled evenly with --rectify."
    )
    assert check(folder, Reading(rectify=True)) == (f"The slices of ct {reason}; they are resampled evenly.",)
    assert read_dicom(folder, Reading(rectify=True)).voxels.shape == (8, 10, 12)


def test_uneven_spacing_is_resampled_on_demand(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "ct", [(0, 0, z) for z in (0, 2.5, 5, 7.5, 13, 17, 22, 30)])
    assert refusal(folder).startswith(
        "The slices of ct are unevenly spaced, from 2.5 to 8 mm apart; export all"
    )
    check(folder, Reading(rectify=True), limit=1)


@pytest.mark.parametrize("shift", [1.5, -0.7])
def test_a_tilted_gantry_is_resampled_on_demand(tmp_path: Path, shift: float) -> None:
    folder = write_slices(tmp_path / "ct", [(0, shift * k, 4 * k) for k in range(8)])
    degrees = np.degrees(np.arctan(abs(shift) / 4))
    assert refusal(folder).startswith(
        f"The slices of ct are sheared by {degrees:.1f} degrees, as by a tilted gantry;"
    )
    image = read_dicom(folder, Reading(rectify=True))
    lowest = image.voxels.min()
    inside = image.voxels > lowest + 0.5  # where no slice reached, there is the lowest value
    indices = np.moveaxis(np.indices(image.voxels.shape), 0, -1)
    points = (indices @ image.affine[:3, :3].T + image.affine[:3, 3]) * [-1, -1, 1]
    whole = inside & np.roll(inside, 1, 1) & np.roll(inside, -1, 1)
    assert whole.sum() > 0.6 * 8 * 10 * 8
    assert np.abs(image.voxels - phantom(points))[whole].max() <= 1


def test_one_slice_is_as_thick_as_its_header_says(tmp_path: Path) -> None:
    image = read_image(write_slices(tmp_path / "ct", STACK[:1]))
    np.testing.assert_allclose(np.diag(image.affine), [-2, -1.5, 4, 1])
    write(tmp_path / "mr" / "1.dcm", slice_object(STACK[0], SliceThickness=None, SpacingBetweenSlices=6))
    assert read_image(tmp_path / "mr").affine[2, 2] == 6
    write(tmp_path / "xx" / "1.dcm", slice_object(STACK[0], SliceThickness=None))
    assert check(tmp_path / "xx") == ("xx does not say how thick its slice is; 1 mm is taken.",)


def test_a_slice_without_position_is_named(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "ct", STACK)
    write(folder / "011.dcm", slice_object(STACK[11], ImagePositionPatient=None))
    reason = "011.dcm has no position in space (ImagePositionPatient or ImageOrientationPatient is empty)"
    assert refusal(folder) == (
        f"The DICOM series in ct is damaged: {reason}; export it again, or leave it out with --skip-damaged."
    )
    assert check(folder, Reading(skip_damaged=True)) == (f"{reason} and is left out.",)


def test_a_picture_without_position_is_a_picture(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 999, (9, 7)).astype(np.uint16)
    path = write(tmp_path / "chest", image_object("1.2.840.10008.5.1.4.1.1.1", stored, Modality="CR"))
    image = read_image(path)
    assert image.meta["dimension"] == 2 and not image.meta["has_geometry"]
    np.testing.assert_array_equal(image[0, :, :, 0].numpy(), stored.T)
    assert image.meta["about"]["notes"] == ("chest has no position in space; it is read as a picture.",)


@pytest.mark.parametrize("content", [b"", b"\0" * 999])
def test_an_unreadable_file_of_a_series_is_named(tmp_path: Path, content: bytes) -> None:
    folder = write_slices(tmp_path / "ct", STACK)
    (folder / "012.dcm").write_bytes(content)
    for harmless in ("README.txt", ".DS_Store", "._003.dcm", "Thumbs.db", "VERSION"):
        (folder / harmless).write_bytes(b"\0" * 500)
    what = "is no DICOM file" if content else "is empty"
    assert refusal(folder) == (
        f"The DICOM series in ct is damaged: 012.dcm {what}; export it again, or leave it out with --skip-damaged."
    )
    assert check(folder, Reading(skip_damaged=True)) == (f"012.dcm {what} and is left out.",)


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_truncated_file_of_a_series_is_named(tmp_path: Path, keep: float) -> None:
    folder = write_slices(tmp_path / "ct", STACK)
    last = folder / "011.dcm"
    last.write_bytes(last.read_bytes()[: int(last.stat().st_size * keep)])
    assert refusal(folder).startswith("The DICOM series in ct is damaged: 011.dcm ")
    assert len(check(folder, Reading(skip_damaged=True))) == 1


def test_pixels_of_another_length_are_named(tmp_path: Path) -> None:
    short = slice_object(STACK[0])
    short.Rows = 12
    assert refusal(write(tmp_path / "a.dcm", short)) == (
        "a.dcm could not be read as DICOM: it holds 160 bytes of pixels where its header asks for 192; export it again."
    )


def test_a_copy_of_a_file_is_left_out(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "ct", STACK)
    shutil.copy(folder / "005.dcm", folder / "005 (1).dcm")
    assert check(folder) == ("005 (1).dcm repeats 005.dcm and is left out.",)


def test_other_pixels_in_the_same_place_are_another_volume(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "ct", STACK)
    write(folder / "again.dcm", slice_object(STACK[3], value=brighter, InstanceNumber=99))
    assert [each.size for each in list_series(folder)] == [(8, 10, 12), (8, 10, 1)]
    assert refusal(folder) == (
        "ct holds 2 DICOM volumes: 1 (CT, repetition 1 of 2, 8x10x12), 2 (CT, repetition 2 of 2, 8x10x1); "
        "choose one with --series 1."
    )
    check(folder, Reading(series="1"))


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("EchoTime", (20, 80), "echo time"),
        ("EchoNumbers", (1, 2), "echo"),
        ("TemporalPositionIdentifier", (1, 2), "temporal position"),
        ("DiffusionBValue", (0.0, 1000.0), "b-value"),
        ("AcquisitionNumber", (1, 2), "acquisition"),
        ("ImageType", ("ORIGINAL\\PRIMARY\\M", "ORIGINAL\\PRIMARY\\P"), "image type"),
        ("InversionTime", (100, 900), "inversion time"),
        ("ConvolutionKernel", ("B30", "B70"), "kernel"),
    ],
)
def test_volumes_of_one_series_are_told_apart(tmp_path: Path, name: str, values: tuple, words: str) -> None:
    for k, position in enumerate(STACK):
        for value, content in zip(values, (phantom, brighter), strict=True):
            write_slices(
                tmp_path / "mr",
                [position],
                value=content,
                kind=MR,
                **{name: value, "AcquisitionTime": f"1200{k:02d}"},
            )
    summaries = list_series(tmp_path / "mr")
    assert [each.volume for each in summaries] == [f"{words} {value}".replace(".0", "") for value in values]
    for number, content in enumerate((phantom, brighter), 1):
        image = read_dicom(tmp_path / "mr", Reading(series=str(number)))
        assert error(image.voxels, image.affine, content) <= 0.5


def test_phases_are_told_apart_by_time_where_every_slice_has_its_own(tmp_path: Path) -> None:
    for k, position in enumerate(STACK):
        for phase, content in ((1, brighter), (0, phantom)):
            write_slices(tmp_path / "mr", [position], value=content, kind=MR, TriggerTime=500 * phase + k)
    assert [each.volume for each in list_series(tmp_path / "mr")] == [
        "repetition 1 of 2",
        "repetition 2 of 2",
    ]
    check(tmp_path / "mr", Reading(series="1"))


def test_a_localizer_of_another_direction_is_another_volume(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "ct", STACK, SeriesDescription="Head")
    write_slices(folder, [(0, 40, 0)], CORONAL, SeriesDescription="Head")
    assert refusal(folder) == (
        "ct holds 2 DICOM volumes: 1 (CT, Head, axial, 8x10x12), 2 (CT, Head, coronal, 8x10x1); "
        "choose one with --series 1."
    )
    check(folder, Reading(series="1"))


def test_a_localizer_of_the_same_direction_is_another_volume(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "ct", STACK, ImageType="ORIGINAL\\PRIMARY\\AXIAL")
    write_slices(folder, [(0, 0, -25.7)], ImageType="ORIGINAL\\PRIMARY\\LOCALIZER")
    assert [each.size for each in list_series(folder)] == [(8, 10, 12), (8, 10, 1)]
    check(folder, Reading(series="1"))


def test_several_series_are_listed_and_chosen_by_number_or_uid(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    write_slices(
        disc / "A" / "1", STACK, SeriesInstanceUID="1.2.3.9", SeriesNumber=2, SeriesDescription="Bone"
    )
    write_slices(disc / "A" / "2", STACK[:3], kind=MR, SeriesInstanceUID="1.2.3.8", SeriesNumber=1)
    (disc / "A" / "2" / "000.txt").write_bytes(b"")
    assert refusal(disc) == (
        "disc holds 2 DICOM series: 1 (MR, 8x10x3), 2 (CT, Bone, 8x10x12); choose one with --series 1."
    )
    check(disc, Reading(series="2"))
    check(disc, Reading(series="1.2.3.9"))
    assert refusal(disc, Reading(series="7")) == (
        "disc has no DICOM series '7', but 1 (MR, 8x10x3), 2 (CT, Bone, 8x10x12); choose one with --series 1."
    )


def test_damage_beside_another_series_does_not_matter(tmp_path: Path) -> None:
    write_slices(tmp_path / "disc" / "a", STACK)
    write_slices(tmp_path / "disc" / "b", STACK, SeriesInstanceUID="1.2.3.8")
    (tmp_path / "disc" / "b" / "099.dcm").write_bytes(b"")
    check(tmp_path / "disc", Reading(series="1.2.3.4"))
    assert "099.dcm is empty" in refusal(tmp_path / "disc", Reading(series="1.2.3.8"))


def test_what_is_no_image_is_left_alone(tmp_path: Path) -> None:
    report = slice_object(STACK[0])
    del report.PixelData, report.Rows
    report.SOPClassUID, report.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "SR"
    write(tmp_path / "ct" / "report.dcm", report)
    assert refusal(tmp_path / "ct") == "ct holds no DICOM image that can be fused but SR; choose an image."
    check(write_slices(tmp_path / "ct", STACK))


def test_links_out_of_the_folder_and_pipes_are_passed_over(tmp_path: Path) -> None:
    import os  # noqa: PLC0415

    elsewhere = write_slices(tmp_path / "elsewhere", STACK, SeriesInstanceUID="1.9")
    folder = write_slices(tmp_path / "ct", STACK)
    (folder / "link").symlink_to(elsewhere)
    (folder / "100.dcm").symlink_to(elsewhere / "000.dcm")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "101.dcm")
    check(folder)


def test_spacing_must_be_there(tmp_path: Path) -> None:
    assert refusal(write(tmp_path / "a.dcm", slice_object(STACK[0], PixelSpacing=None))) == (
        "a.dcm does not say how large its pixels are (PixelSpacing is missing or zero); export it again."
    )


def test_directions_must_be_at_right_angles(tmp_path: Path) -> None:
    skewed = slice_object(STACK[0], ImageOrientationPatient=[1, 0, 0, 0.5, 0.866, 0])
    assert refusal(write(tmp_path / "a.dcm", skewed)).startswith(
        "a.dcm says that its rows and columns are not at"
    )


@pytest.mark.parametrize("change", [{"Rows": 65535}, {"NumberOfFrames": 2**31 - 1}, {"BitsAllocated": 7}])
def test_a_header_that_claims_too_much_is_refused(tmp_path: Path, change: dict[str, int]) -> None:
    hostile = slice_object(STACK[0], AXIAL, **change)
    assert refusal(write(tmp_path / "a.dcm", hostile)).startswith("a.dcm could not be read as DICOM: it ")
