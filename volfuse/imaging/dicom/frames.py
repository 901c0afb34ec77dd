"""The frames of an object: where each lies, how its numbers become values, and what tells it from others.

An enhanced object says so for each frame, or once for all, in functional groups; a classic one, of one frame, at the
top; a dose and a nuclear medicine image in vectors. See DICOM PS3.3 C.7.6.16, C.8.8.3.2 and C.8.4.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from volfuse.imaging.dicom.attributes import first_item, number, numbers, rounding, text
from volfuse.imaging.dicom.instance import Frame, Plane, Rescale

if TYPE_CHECKING:
    from volfuse.imaging.dicom.instance import Instance

# What tells volumes of one series apart, in the order it is tried: sequence of a functional group, attribute, words.
_TRAITS = [
    ("FrameContentSequence", "StackID", "stack"),
    ("", "ImageType", "image type"),
    ("MRImageFrameTypeSequence", "FrameType", "image type"),
    ("CTImageFrameTypeSequence", "FrameType", "image type"),
    ("PETFrameTypeSequence", "FrameType", "image type"),
    ("MRImageFrameTypeSequence", "ComplexImageComponent", "component"),
    ("", "ComplexImageComponent", "component"),
    ("MREchoSequence", "EffectiveEchoTime", "echo time"),
    ("", "EchoTime", "echo time"),
    ("", "EchoNumbers", "echo"),
    ("MRDiffusionSequence", "DiffusionBValue", "b-value"),
    ("", "DiffusionBValue", "b-value"),
    ("MRDiffusionSequence", "DiffusionDirectionality", "diffusion"),
    ("MRModifierSequence", "InversionTimes", "inversion time"),
    ("", "InversionTime", "inversion time"),
    ("MRTimingAndRelatedParametersSequence", "FlipAngle", "flip angle"),
    ("", "FlipAngle", "flip angle"),
    ("FrameContentSequence", "TemporalPositionIndex", "temporal position"),
    ("", "TemporalPositionIdentifier", "temporal position"),
    ("TemporalPositionSequence", "TemporalPositionTimeOffset", "time offset"),
    ("", "NominalPercentageOfCardiacPhase", "cardiac phase"),
    ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase", "cardiac phase"),
    ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", "trigger delay"),
    ("", "AcquisitionNumber", "acquisition"),
    ("FrameContentSequence", "FrameAcquisitionNumber", "acquisition"),
    ("CTReconstructionSequence", "ConvolutionKernel", "kernel"),
    ("", "ConvolutionKernel", "kernel"),
    ("CTExposureSequence", "KVP", "kV"),
    ("", "KVP", "kV"),
    ("", "ContrastBolusAgent", "contrast agent"),
    ("MRDiffusionSequence", "DiffusionGradientOrientation", "gradient"),
    ("", "DiffusionGradientOrientation", "gradient"),
    ("", "TriggerTime", "trigger time"),
    ("", "FrameReferenceTime", "reference time"),
    ("FrameContentSequence", "FrameReferenceDateTime", "reference time"),
    ("", "AcquisitionDateTime", "time"),
    ("", "AcquisitionTime", "time"),
]
_VECTORS = {  # of nuclear medicine, one number for each frame
    "EnergyWindowVector": "energy window",
    "DetectorVector": "detector",
    "PhaseVector": "phase",
    "RRIntervalVector": "R-R interval",
    "TimeSlotVector": "time slot",
    "RotationVector": "rotation",
}
_PLACES = ("InStackPositionNumber", "ImagePositionPatient", "ImagePositionVolume", "SliceLocation")


def frames_of(instance: "Instance", dataset: Dataset) -> list[Frame]:
    """Return all frames of an object.

    Raises:
        ValueError: if the header contradicts itself.
    """
    count = instance.pixels.frames
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if each and len(each) != count:
        raise ValueError(f"{len(each)} groups for {count} frames")
    shared = first_item(dataset, "SharedFunctionalGroupsSequence") or Dataset()
    top = _top_plane(dataset)
    whole = rescale_of(dataset)
    if not each and "SharedFunctionalGroupsSequence" not in dataset:
        common = dict(_traits([], dataset, {}))
        offsets = _offsets(dataset, count)
        vectors = {
            words: numbers(dataset, name, count) for name, words in _VECTORS.items() if name in dataset
        }
        return [
            Frame(instance, k, plane, whole, common | {w: v[k] for w, v in vectors.items() if v is not None})
            for k, plane in enumerate(_planes(top, offsets, count))
        ]
    pointers = _pointers(dataset)
    return [
        Frame(
            instance,
            k,
            _plane(groups, top),
            next((rescale_of(item) for item in _items(groups, "PixelValueTransformationSequence")), whole),
            dict(_traits(groups, dataset, pointers)),
        )
        for k, groups in enumerate([[group, shared] for group in each] or [[shared]] * count)
    ]


def rescale_of(dataset: Dataset) -> Rescale:
    """Return how the stored numbers of a header, or of a functional group, become values."""
    if (lut := first_item(dataset, "ModalityLUTSequence")) is not None:
        entries, first, _ = (int(each) for each in lut.LUTDescriptor)
        data = lut["LUTData"].value
        table = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.atleast_1d(np.array(data))
        if not len(table):
            raise ValueError("an empty table")
        return Rescale(table=(first, table[: entries or 1 << 16]))
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    if slope is None and "DoseGridScaling" in dataset:
        slope = number(dataset, "DoseGridScaling")
    return Rescale(1.0 if slope is None else slope, intercept or 0.0)


def _items(groups: list[Dataset], name: str) -> Iterator[Dataset]:
    """Yield the items that say something of a frame: its own before those that all frames share."""
    for group in groups:
        if (item := first_item(group, name)) is not None:
            yield item


def _traits(
    groups: list[Dataset], dataset: Dataset, pointers: Mapping[int, str]
) -> Iterator[tuple[str, object]]:
    told: set[str] = set()
    for sequence, name, words in _TRAITS:
        items = _items(groups, sequence) if sequence else iter([dataset])
        for item in items:
            if sequence == "MRDiffusionSequence" and name == "DiffusionGradientOrientation":
                item = first_item(item, "DiffusionGradientDirectionSequence") or item  # noqa: PLW2901
            if words not in told and (value := text(item, name)):
                told.add(words)
                yield words, _comparable(value)
                break
    for item in _items(groups, "FrameContentSequence"):
        index = numbers(item, "DimensionIndexValues")
        for place, words in pointers.items():
            if index is not None and place < len(index) and words not in told:
                yield words, index[place]
        break


def _pointers(dataset: Dataset) -> dict[int, str]:
    """Return which dimension indices are of something else than the place in space, and of what."""
    keywords = [
        keyword_for_tag(item.get("DimensionIndexPointer", 0)) or "dimension"
        for item in dataset.get("DimensionIndexSequence") or []
    ]
    return {
        place: f"{keyword} {place + 1}" for place, keyword in enumerate(keywords) if keyword not in _PLACES
    }


def _comparable(value: str) -> object:
    try:
        return round(float(value), 4)
    except ValueError:
        return value


def _top_plane(dataset: Dataset) -> Plane:
    detector = first_item(dataset, "DetectorInformationSequence") or Dataset()  # of nuclear medicine
    placed = dataset if dataset.get("ImagePositionPatient") else detector
    turned = dataset if dataset.get("ImageOrientationPatient") else detector
    return _plane([], Plane(), placed, turned, dataset)


def _plane(
    groups: list[Dataset],
    otherwise: Plane,
    placed: Dataset | None = None,
    turned: Dataset | None = None,
    measured: Dataset | None = None,
) -> Plane:
    """Return where a frame lies, from its functional groups or from datasets that stand for them."""
    placed = placed or next(_items(groups, "PlanePositionSequence"), None)
    turned = turned or next(_items(groups, "PlaneOrientationSequence"), None)
    measured = measured or next(_items(groups, "PixelMeasuresSequence"), None)
    empty = Dataset()
    position = numbers(placed or empty, "ImagePositionPatient", 3)
    orientation = numbers(turned or empty, "ImageOrientationPatient", 6)
    spacing = numbers(measured or empty, "PixelSpacing", 2)
    thickness = number(measured or empty, "SliceThickness")
    distance = number(measured or empty, "SpacingBetweenSlices")
    return Plane(
        otherwise.position if position is None else position,
        otherwise.orientation if orientation is None else orientation.reshape(2, 3),
        otherwise.spacing if spacing is None else (spacing[0], spacing[1]),
        otherwise.thickness if thickness is None else thickness,
        otherwise.distance if distance is None else distance,
        otherwise.position_rounding
        if position is None
        else rounding(placed or empty, "ImagePositionPatient"),
        otherwise.orientation_rounding
        if orientation is None
        else rounding(turned or empty, "ImageOrientationPatient"),
    )


def _offsets(dataset: Dataset, count: int) -> np.ndarray | None:
    """Return how far the frames of a dose or a tomogram lie behind the first, along the normal, in mm."""
    if count == 1:
        return None
    offsets = numbers(dataset, "GridFrameOffsetVector")
    if offsets is not None:
        if len(offsets) != count:
            raise ValueError(f"{len(offsets)} offsets for {count} frames")
        orientation = numbers(dataset, "ImageOrientationPatient", 6)
        distances: np.ndarray = offsets - offsets[0]
        if offsets[0] != 0 and orientation is not None:  # coordinates of an axial dose
            distances *= np.sign(np.cross(orientation[:3], orientation[3:])[2])
        return distances
    slices = numbers(dataset, "SliceVector")
    distance = number(dataset, "SpacingBetweenSlices") or number(dataset, "SliceThickness")
    if slices is not None and len(slices) == count and distance:
        return (slices - 1) * distance
    return None


def _planes(first: Plane, offsets: np.ndarray | None, count: int) -> Iterator[Plane]:
    for k in range(count):
        if count == 1:
            yield first
        elif offsets is None or first.position is None or not first.is_placed:
            yield Plane(None, first.orientation, first.spacing, first.thickness, first.distance)
        else:
            yield Plane(
                first.position + offsets[k] * first.normal,
                first.orientation,
                first.spacing,
                first.thickness,
                None,
                first.position_rounding,
                first.orientation_rounding,
            )
