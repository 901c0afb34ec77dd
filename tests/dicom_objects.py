"""DICOM objects of a phantom whose value is a linear function of the position, so that any misplacement shows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SHAPE = (10, 8)  # rows, columns
SPACING = (1.5, 2.0)  # between rows, between columns

Value = Callable[[np.ndarray], np.ndarray]


def phantom(points: np.ndarray) -> np.ndarray:
    """Return the value at positions (..., 3), LPS mm."""
    return 3000 + points @ [11.0, 17.0, 23.0]


def plane_values(
    position: Sequence[float],
    orientation: Sequence[float] = AXIAL,
    shape: Sequence[int] = SHAPE,
    value: Value = phantom,
) -> np.ndarray:
    """Return the phantom in the pixels (rows, columns) of a plane."""
    row, column = np.reshape(orientation, (2, 3))
    down, right = np.mgrid[: shape[0], : shape[1]]
    points = (
        np.asarray(position, float)
        + down[..., None] * SPACING[0] * column
        + right[..., None] * SPACING[1] * row
    )
    return value(points)


def error(voxels: np.ndarray, affine: np.ndarray, value: Value = phantom) -> float:
    """Return by how much an image (X, Y, Z) with a RAS affine differs from the phantom at most."""
    indices = np.moveaxis(np.indices(voxels.shape), 0, -1)
    points = (indices @ affine[:3, :3].T + affine[:3, 3]) * [-1, -1, 1]
    return float(np.abs(voxels - value(points)).max())


def item(**attributes: Any) -> Items:
    """Return a sequence of one item."""
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return Items([dataset])


def image_object(kind: str, stored: np.ndarray, **attributes: Any) -> Dataset:
    """Return an object with stored numbers (rows, columns) or (frames, rows, columns) of 16 bits."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(kind), generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    dataset.Modality = "CT" if kind == CT else "MR"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, int(stored.dtype.kind == "i")
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    if stored.ndim == 3:
        dataset.NumberOfFrames = len(stored)
    dataset.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    dataset["PixelData"].VR = "OW"
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def write(path: Path, dataset: Dataset, big_endian: bool = False) -> Path:
    """Write an object in explicit little endian, or big, whichever pydicom there is."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        dataset.SOPClassUID,
        dataset.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian
    dataset.file_meta, dataset.preamble = meta, bytes(128)
    dataset.is_little_endian, dataset.is_implicit_VR = not big_endian, False
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset, write_like_original=False)
    return path


def slice_object(
    position: Sequence[float],
    orientation: Sequence[float] = AXIAL,
    value: Value = phantom,
    kind: str = CT,
    **attributes: Any,
) -> Dataset:
    """Return a slice of the phantom."""
    stored = np.rint(plane_values(position, orientation, value=value)).astype(np.uint16)
    geometry = {
        "ImagePositionPatient": list(position),
        "ImageOrientationPatient": list(orientation),
        "PixelSpacing": list(SPACING),
    }
    return image_object(kind, stored, **geometry | {"SliceThickness": 4.0} | attributes)


def write_slices(
    folder: Path,
    positions: Sequence[Sequence[float]],
    orientation: Sequence[float] = AXIAL,
    value: Value = phantom,
    **attributes: Any,
) -> Path:
    """Write a classic series, its files in the order of ``positions``."""
    first = len(list(folder.glob("*"))) if folder.exists() else 0
    for number, position in enumerate(positions, first):
        write(
            folder / f"{number:03d}.dcm",
            slice_object(position, orientation, value, InstanceNumber=number + 1, **attributes),
        )
    return folder


def enhanced_object(
    positions: Sequence[Sequence[float]],
    orientation: Sequence[float] = AXIAL,
    slopes: Sequence[float] | None = None,
    groups: Sequence[dict[str, Items]] | None = None,
    values: Sequence[Value] | None = None,
    kind: str = ENHANCED_MR,
    **attributes: Any,
) -> Dataset:
    """Return an enhanced object, its frames in the order of ``positions``, with functional ``groups`` of each."""
    count = len(positions)
    slope = slopes or [1.0] * count
    value = values or [phantom] * count
    stored = [
        np.rint(plane_values(position, orientation, value=value[k]) / slope[k]).astype(np.uint16)
        for k, position in enumerate(positions)
    ]
    dataset = image_object(kind, np.stack(stored), **attributes)
    shared = Dataset()
    shared.PixelMeasuresSequence = item(PixelSpacing=list(SPACING), SliceThickness=4, SpacingBetweenSlices=4)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=list(orientation))
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    frames = []
    for k, position in enumerate(positions):
        frame = Dataset()
        frame.PlanePositionSequence = item(ImagePositionPatient=list(position))
        if slopes:
            frame.PixelValueTransformationSequence = item(
                RescaleIntercept=0, RescaleSlope=slope[k], RescaleType="US"
            )
        for name, sequence in (groups[k] if groups else {}).items():
            setattr(frame, name, sequence)
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = Items(frames)
    return dataset
