"""Multi-frame objects: every frame says where it lies and what its numbers mean."""

from pathlib import Path

import numpy as np
import pytest

from tests.dicom_objects import (
    AXIAL,
    enhanced_object,
    error,
    image_object,
    item,
    phantom,
    plane_values,
    write,
)
from volfuse.errors import FusionError
from volfuse.imaging import read_image
from volfuse.imaging.dicom import list_series, read_dicom
from volfuse.imaging.stored import Reading

STACK = [(-5.0, 3.0, 4.0 * k - 20) for k in range(12)]
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
NORMAL = np.cross(OBLIQUE[:3], OBLIQUE[3:])


@pytest.mark.parametrize("name", ["mr.dcm", "IM0001", "scan.IMA"])
@pytest.mark.parametrize("order", [range(12), [*range(0, 12, 2), *range(1, 12, 2)], range(11, -1, -1)])
def test_frames_lie_where_they_say_in_any_order(tmp_path: Path, order: range, name: str) -> None:
    path = write(tmp_path / name, enhanced_object([STACK[k] for k in order]))
    image = read_image(path)
    assert error(image[0].numpy(), image.affine.numpy()) <= 0.5
    np.testing.assert_allclose(np.diag(image.affine), [-2, -1.5, 4, 1], atol=1e-9)


def test_an_oblique_object_alone_in_a_folder(tmp_path: Path) -> None:
    positions = [tuple(np.array([5.0, -7.0, 20.0]) + 3 * k * NORMAL) for k in (3, 0, 4, 1, 2)]
    write(tmp_path / "disc" / "IM1", enhanced_object(positions, OBLIQUE))
    image = read_image(tmp_path / "disc")
    assert error(image[0].numpy(), image.affine.numpy()) <= 0.5


def test_every_frame_has_its_own_slope(tmp_path: Path) -> None:
    slopes = [1 + 0.25 * k for k in range(12)]
    image = read_image(write(tmp_path / "pet.dcm", enhanced_object(STACK, slopes=slopes)))
    assert error(image[0].numpy(), image.affine.numpy()) <= max(slopes) / 2 + 1e-3


def test_a_real_world_mapping_is_no_rescale(tmp_path: Path) -> None:
    mapping = {"RealWorldValueMappingSequence": item(RealWorldValueSlope=7.0, RealWorldValueIntercept=1.0)}
    image = read_image(write(tmp_path / "mr.dcm", enhanced_object(STACK, groups=[mapping] * 12)))
    assert error(image[0].numpy(), image.affine.numpy()) <= 0.5


def test_missing_frames_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "mr.dcm", enhanced_object([*STACK[:5], *STACK[7:]]))
    with pytest.raises(
        FusionError,
        match=r"^The slices of mr.dcm have gaps: 2 are missing between frame 5 and frame 6, 12 mm apart where 4 mm are "
        r"usual; export all of them, or let them be resampled evenly with --rectify\.$",
    ):
        read_dicom(path, Reading())


def brighter(points: np.ndarray) -> np.ndarray:
    return phantom(points) + 10_000


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (
            lambda k: {"MREchoSequence": item(EffectiveEchoTime=20.0 + 60 * k)},
            ("echo time 20", "echo time 80"),
        ),
        (
            lambda k: {"FrameContentSequence": item(TemporalPositionIndex=k + 1)},
            ("temporal position 1", "temporal position 2"),
        ),
        (lambda k: {"FrameContentSequence": item(StackID=str(k + 1))}, ("stack 1", "stack 2")),
        (lambda k: {"MRDiffusionSequence": item(DiffusionBValue=1000.0 * k)}, ("b-value 0", "b-value 1000")),
        (
            lambda k: {"MRImageFrameTypeSequence": item(FrameType=["ORIGINAL", "PRIMARY", "MP"[k], "NONE"])},
            ("image type ORIGINAL\\PRIMARY\\M\\NONE", "image type ORIGINAL\\PRIMARY\\P\\NONE"),
        ),
        (lambda k: {}, ("repetition 1 of 2", "repetition 2 of 2")),
    ],
)
def test_several_volumes_of_one_object_are_told_apart(
    tmp_path: Path, group: object, words: tuple[str, str]
) -> None:
    order = [(k, volume) for k in range(12) for volume in (0, 1)]
    path = write(
        tmp_path / "mr.dcm",
        enhanced_object(
            [STACK[k] for k, _ in order],
            groups=[group(volume) for _, volume in order],
            values=[(phantom, brighter)[volume] for _, volume in order],
            SeriesDescription="T2",
        ),
    )
    assert [(each.number, each.volume, each.size) for each in list_series(path)] == [
        (1, words[0], (8, 10, 12)),
        (2, words[1], (8, 10, 12)),
    ]
    with pytest.raises(FusionError) as refused:
        read_dicom(path, Reading())
    assert str(refused.value) == (
        f"mr.dcm holds 2 DICOM volumes: 1 (MR, T2, {words[0]}, 8x10x12), 2 (MR, T2, {words[1]}, 8x10x12); "
        "choose one with --series 1."
    )
    for number, value in enumerate((phantom, brighter), 1):
        image = read_dicom(path, Reading(series=str(number)))
        assert error(image.voxels, image.affine, value) <= 0.5
        assert image.about.series == f"T2, {words[number - 1]}"


def test_a_dose_lies_by_its_offsets_and_is_scaled(tmp_path: Path) -> None:
    stored = np.stack([np.rint(plane_values((0, 0, z)) * 10) for z in (10, 13, 16, 19)]).astype(np.uint16)
    dose = image_object(
        "1.2.840.10008.5.1.4.1.1.481.2",
        stored,
        Modality="RTDOSE",
        DoseUnits="GY",
        DoseGridScaling=0.1,
        ImagePositionPatient=[0, 0, 10],
        ImageOrientationPatient=list(AXIAL),
        PixelSpacing=[1.5, 2.0],
        GridFrameOffsetVector=[0, 3, 6, 9],
    )
    for offsets in ([0, 3, 6, 9], [10, 13, 16, 19]):
        dose.GridFrameOffsetVector = offsets
        image = read_dicom(write(tmp_path / "dose.dcm", dose), Reading())
        assert error(image.voxels, image.affine) <= 0.06
        assert image.about.units == "Gy"


def test_a_tomogram_of_nuclear_medicine_lies_by_its_detector(tmp_path: Path) -> None:
    flipped = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    stored = np.stack([np.rint(plane_values((0, 30, 10 - 3 * k), flipped)) for k in range(4)]).astype(
        np.uint16
    )
    scan = image_object(
        "1.2.840.10008.5.1.4.1.1.20",
        stored,
        Modality="NM",
        PixelSpacing=[1.5, 2.0],
        SliceThickness=3,
        SliceVector=[1, 2, 3, 4],
        DetectorInformationSequence=item(
            ImagePositionPatient=[0, 30, 10], ImageOrientationPatient=list(flipped)
        ),
    )
    image = read_dicom(write(tmp_path / "spect.dcm", scan), Reading())
    assert error(image.voxels, image.affine) <= 0.5


def test_a_film_without_positions_is_no_volume(tmp_path: Path) -> None:
    film = image_object(
        "1.2.840.10008.5.1.4.1.1.7.3", np.random.default_rng(0).integers(0, 999, (5, 9, 9)).astype(np.uint16)
    )
    with pytest.raises(
        FusionError,
        match=r"^None of the 5 slices of film.dcm says where it lies \(ImagePositionPatient or ImageOrientationPatient "
        r"is missing\), so they make up no volume; export one slice, or all with positions\.$",
    ):
        read_dicom(write(tmp_path / "film.dcm", film), Reading())
