"""What stored numbers mean: bits, slopes, tables, colour, padding, uptake."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.dicom_objects import CT, image_object, item, write
from volfuse.errors import FusionError
from volfuse.imaging import ApplyWindowsd, read_image
from volfuse.imaging.dicom import read_dicom
from volfuse.imaging.stored import Reading, StoredImage

STORED = np.random.default_rng(0).integers(0, 4096, (10, 8)).astype(np.uint16)
PET = "1.2.840.10008.5.1.4.1.1.128"


def read(path: Path, *objects: Dataset) -> StoredImage:
    for number, each in enumerate(objects):
        write(path / f"{number}.dcm", each)
    return read_dicom(path, Reading())


def placed(stored: np.ndarray, z: float = 0, kind: str = CT, **attributes: Any) -> Dataset:
    geometry = {"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    return image_object(kind, stored, **geometry | {"PixelSpacing": [1, 1], "SliceThickness": 2} | attributes)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [
        (1, -1024, "int16"),
        (2, 0, "int16"),
        (1, 40_000, "int32"),
        (20, 0, "int32"),
        (0.5, 0, "float32"),
        (None, None, "int16"),
    ],
)
def test_values_come_in_the_smallest_type(tmp_path: Path, slope: float, intercept: float, dtype: str) -> None:
    image = read(
        tmp_path / "ct",
        placed(STORED, RescaleSlope=slope, RescaleIntercept=intercept, BitsStored=12, HighBit=11),
    )
    assert image.voxels.dtype == dtype
    np.testing.assert_array_equal(image.voxels[..., 0].T, STORED * float(slope or 1) + (intercept or 0))
    assert image.about.units == "HU"


def test_every_slice_has_its_own_slope(tmp_path: Path) -> None:
    image = read(
        tmp_path / "pet", *(placed(STORED, z=2 * k, kind=PET, RescaleSlope=1.5 + k) for k in range(3))
    )
    for k in range(3):
        np.testing.assert_allclose(image.voxels[..., k].T, STORED * (1.5 + k), rtol=1e-6)


def test_bits_that_do_not_count_are_left_out(tmp_path: Path) -> None:
    overlay = STORED | np.uint16(0xA000)
    image = read(tmp_path / "a", placed(overlay, BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(image.voxels[..., 0].T, STORED)
    signed = STORED.astype(np.int16) - 2048
    rubbish = (signed.view(np.uint16) & 0x0FFF) | np.uint16(0x5000)
    image = read(tmp_path / "b", placed(rubbish.view(np.int16), BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(image.voxels[..., 0].T, signed)
    image = read(tmp_path / "c", placed((STORED << 4) | 0xF, BitsStored=12, HighBit=15))
    np.testing.assert_array_equal(image.voxels[..., 0].T, STORED)


def test_values_go_through_a_table(tmp_path: Path) -> None:
    table = np.linspace(0, 60_000, 4096).astype(np.uint16)
    lut = item(LUTDescriptor=[4096, 0, 16], ModalityLUTType="US", LUTData=table.tobytes())
    lut[0]["LUTData"].VR = "OW"
    image = read(tmp_path / "a", placed(STORED, ModalityLUTSequence=lut))
    np.testing.assert_array_equal(image.voxels[..., 0].T, table[STORED])


@pytest.mark.parametrize("padding", [-2000, 30_000])
def test_padding_gets_the_lowest_measured_value(tmp_path: Path, padding: int) -> None:
    stored = STORED.astype(np.int16)
    stored[:, :2] = padding
    pad = {"PixelPaddingValue": padding, "PixelRepresentation": 1}
    image = read(tmp_path / "ct", placed(stored, **pad))
    lowest = stored[:, 2:].min()
    np.testing.assert_array_equal(image.voxels[:2], lowest)
    np.testing.assert_array_equal(image.voxels[2:, :, 0].T, stored[:, 2:])
    assert image.about.notes == (
        f"20 voxels are padding without a measurement; they are given the lowest value, {lowest}.",
    )


def test_padding_among_the_measured_values_is_not_believed(tmp_path: Path) -> None:
    image = read(tmp_path / "ct", placed(STORED.astype(np.int16), PixelPaddingValue=int(STORED[3, 3])))
    np.testing.assert_array_equal(image.voxels[..., 0].T, STORED)
    assert image.about.notes == ()


def test_a_radiograph_is_shown_as_it_says_in_a_window_of_its_values(tmp_path: Path) -> None:
    path = write(tmp_path / "cr.dcm", placed(STORED, PhotometricInterpretation="MONOCHROME1", Modality="CR"))
    image = read_image(path)
    np.testing.assert_array_equal(image[0, :, :, 0].T, STORED)
    shown = ApplyWindowsd("0", "1000:3000")({"0": image})["0"]
    np.testing.assert_allclose(
        shown[0, :, :, 0].T, (3000 - STORED.astype(float)) / 2000, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("is_planar", [0, 1])
def test_colour_in_both_orders(tmp_path: Path, is_planar: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (10, 8, 3)).astype(np.uint8)
    colour = placed(STORED, PlanarConfiguration=is_planar, SamplesPerPixel=3, PhotometricInterpretation="RGB")
    colour.BitsAllocated = colour.BitsStored = 8
    colour.HighBit = 7
    colour.PixelData = (np.moveaxis(rgb, -1, 0) if is_planar else rgb).tobytes()
    np.testing.assert_array_equal(read(tmp_path / "a", colour).voxels[:, :, 0], rgb.swapaxes(0, 1))


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    tables = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint8)
    stored = np.random.default_rng(1).integers(0, 256, (10, 8)).astype(np.uint8)
    colour = placed(
        stored, PhotometricInterpretation="PALETTE COLOR", BitsAllocated=8, BitsStored=8, HighBit=7
    )
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(colour, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        colour[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(colour, f"{name}PaletteColorLookupTableData", (table.astype("<u2") << 8).tobytes())
    image = read(tmp_path / "a", colour)
    np.testing.assert_array_equal(image.voxels[:, :, 0], tables[:, stored].transpose(2, 1, 0))


@pytest.mark.parametrize("codec", ["JPEG2000", "JPEGLS", "RLE", "JPEG"])
def test_compressed_slices(tmp_path: Path, codec: str) -> None:
    """GDCM writes them through SimpleITK; JPEG loses something, the others nothing."""
    stored = (np.add.outer(np.arange(40), np.arange(32)) * 2).astype(
        np.uint8 if codec == "JPEG" else np.uint16
    )
    for number in range(3):
        picture = sitk.GetImageFromArray(stored + number)
        tags = {
            "0020|0032": f"0\\0\\{2 * number}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|000e": "1.2.3",
            "0008|0060": "MR",
        }
        for tag, value in tags.items():
            picture.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetImageIO("GDCMImageIO")
        writer.SetCompressor(codec)
        writer.UseCompressionOn()
        writer.SetFileName(str(tmp_path / f"{number}.dcm"))
        writer.Execute(picture)
    image = read_dicom(tmp_path, Reading())
    assert np.abs(image.voxels[..., 1].T.astype(float) - stored - 1).max() <= (6 if codec == "JPEG" else 0)
    data = (tmp_path / "1.dcm").read_bytes()
    (tmp_path / "1.dcm").write_bytes(data[: len(data) - 100])
    with pytest.raises(FusionError, match=r"is damaged: 1\.dcm "):
        read_dicom(tmp_path, Reading())


DRUG = {
    "RadionuclideTotalDose": 370e6,
    "RadionuclideHalfLife": 6586.2,
    "RadiopharmaceuticalStartTime": "100000",
}
SCAN = {
    "Modality": "PT",
    "Units": "BQML",
    "DecayCorrection": "START",
    "CorrectedImage": ["ATTN", "DECY"],
    "PatientWeight": 70,
    "SeriesDate": "20240102",
    "SeriesTime": "110000",
    "AcquisitionDate": "20240102",
    "AcquisitionTime": "110500",
}
START = 1000 * 70 / (370e6 * 0.5 ** (3600 / 6586.2))  # by hand: one hour after the injection


def pet(drug: dict[str, Any] | None = None, **attributes: Any) -> Dataset:
    known = {name: value for name, value in (DRUG | (drug or {})).items() if value is not None}
    known_scan = {name: value for name, value in (SCAN | attributes).items() if value is not None}
    return placed(STORED, kind=PET, RadiopharmaceuticalInformationSequence=item(**known), **known_scan)


@pytest.mark.parametrize(
    ("scan", "factor"),
    [
        (pet(), START),
        (pet(DecayCorrection="ADMIN"), 1000 * 70 / 370e6),
        (pet(Units="GML", PatientWeight=None), 1.0),
        (pet({"RadiopharmaceuticalStartDateTime": "20240102100000.00"}), START),
        (pet({"RadiopharmaceuticalStartTime": "235000"}, SeriesTime="005000"), START),
        # A series made later: the scan began at the acquisition, a negligible frame of 1 ms, 300 s into the scan.
        (pet(SeriesTime="150000", FrameReferenceTime=300_000, ActualFrameDuration=1), START),
    ],
)
def test_uptake_values_by_body_weight(tmp_path: Path, scan: Dataset, factor: float) -> None:
    image = read(tmp_path / "pet", scan)
    assert image.about.suv == pytest.approx(factor, rel=1e-6)
    shown = ApplyWindowsd("0", "suv:0-10")({"0": read_image(tmp_path / "pet")})["0"]
    np.testing.assert_allclose(shown[0, :, :, 0].T, STORED * factor / 10, rtol=1e-4)


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (pet(PatientWeight=None), "its header has no weight of the patient"),
        (pet({"RadionuclideTotalDose": None}), "its header has no injected dose"),
        (pet({"RadionuclideHalfLife": None}), "its header has no half-life of the radionuclide"),
        (pet({"RadiopharmaceuticalStartTime": None}), "its header has no time of the injection"),
        (pet(Units="PROPCNTS"), "its values are in PROPCNTS"),
        (pet(Units="CNTS"), "its values are counts, without the factor that makes them activity"),
        (pet(CorrectedImage=["ATTN"]), "it is not corrected for attenuation and decay"),
        (pet(DecayCorrection="NONE"), "its header does not say to which time it is corrected for decay"),
        (placed(STORED), "it is no PET image"),
    ],
)
def test_why_there_is_no_uptake_value(tmp_path: Path, scan: Dataset, reason: str) -> None:
    image = read_image(write(tmp_path / "pet.dcm", scan))
    with pytest.raises(FusionError) as refused:
        ApplyWindowsd("0", "suv:0-10")({"0": image})
    assert str(refused.value) == (
        f"pet.dcm cannot be shown in standardized uptake values, because {reason}; "
        "choose a window in its own values, such as 0:p99.9."
    )


@pytest.mark.parametrize(("tag", "factor"), [(0x70531000, 0.002), (0x70531009, 3.0 * START)])
def test_counts_of_philips_have_factors_of_their_own(tmp_path: Path, tag: int, factor: float) -> None:
    scan = pet(Units="CNTS")
    scan.add_new(0x70530010, "LO", "Philips PET Private Group")
    scan.add_new(tag, "DS", "0.002" if tag == 0x70531000 else "3.0")
    assert read(tmp_path / "pet", scan).about.suv == pytest.approx(factor, rel=1e-6)


def test_an_item_may_be_empty(tmp_path: Path) -> None:
    scan = pet()
    scan.RadiopharmaceuticalInformationSequence = Items([])
    assert read(tmp_path / "pet", scan).about.suv_reason == "its header has no injected dose"


def test_bytes_in_big_endian_words_are_put_right(tmp_path: Path) -> None:
    levels = np.random.default_rng(1).integers(0, 256, (6, 8), np.uint8)
    dataset = placed(STORED)
    dataset.Rows, dataset.Columns = levels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = levels.reshape(-1, 2)[:, ::-1].tobytes()
    path = write(tmp_path / "big.dcm", dataset, big_endian=True)
    np.testing.assert_array_equal(read_dicom(path, Reading()).voxels[..., 0].T, levels)
