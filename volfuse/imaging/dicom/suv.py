"""Standardized uptake values of PET, by body weight.

Source: QIBA, "Vendor-neutral pseudo-code for SUV calculation" (happy path and Philips), 2011; DICOM PS3.3 C.8.9.1.
"""

import re
from datetime import datetime, timedelta
from math import expm1, log

from pydicom.dataset import Dataset

from volfuse.imaging.dicom.attributes import first_item, number, text

_PHILIPS_SUV, _PHILIPS_ACTIVITY = (0x7053, 0x1000), (0x7053, 0x1009)
_LONGEST = 24 * 3600  # seconds from injection to scan
_TIME = re.compile(r"(\d{8})(\d{2})(\d{2})?(\d{2})?(?:\.(\d{1,6})\d*)?")


class _Untold(Exception):  # noqa: N818 - a state of the header, not an error
    """Why there is no factor, as the end of a sentence."""


def suv_factor(dataset: Dataset) -> float | str:
    """Return what rescaled values are multiplied by to become g/ml, or the reason why that cannot be told."""
    try:
        return _factor(dataset)
    except _Untold as reason:
        return str(reason)


def units_of(dataset: Dataset) -> str:
    """Return the units of PET as DICOM abbreviates them; an enhanced object has them beside the slope."""
    shared = first_item(dataset, "SharedFunctionalGroupsSequence") or Dataset()
    scaled = first_item(shared, "PixelValueTransformationSequence") or Dataset()
    return text(dataset, "Units") or text(scaled, "RescaleType") or text(dataset, "RescaleType")


def _factor(dataset: Dataset) -> float:
    units = units_of(dataset)
    if text(dataset, "Modality") != "PT":
        raise _Untold("it is no PET image")
    if units == "GML":
        if (kind := text(dataset, "SUVType") or "BW") != "BW":
            raise _Untold(f"its values are normalized by {kind}, not by body weight")
        return 1.0
    if units == "BQML":
        return _per_activity(dataset)
    if units != "CNTS":
        raise _Untold(f"its values are in {units}" if units else "it names no units")
    if factor := _private(dataset, _PHILIPS_SUV):
        return factor
    if activity := _private(dataset, _PHILIPS_ACTIVITY):
        return activity * _per_activity(dataset)
    raise _Untold("its values are counts, without the factor that makes them activity")


def _per_activity(dataset: Dataset) -> float:
    """Return g/ml for each Bq/ml: weight over the dose that was left at the time the image is corrected to."""
    drug = first_item(dataset, "RadiopharmaceuticalInformationSequence") or Dataset()
    weight = _positive(dataset, "PatientWeight", "weight of the patient")
    dose = _positive(drug, "RadionuclideTotalDose", "injected dose")
    if "CorrectedImage" in dataset and not {"ATTN", "DECY"} <= set(
        text(dataset, "CorrectedImage").split("\\")
    ):
        raise _Untold("it is not corrected for attenuation and decay")
    correction = "START" if "DecayCorrectionDateTime" in dataset else text(dataset, "DecayCorrection")
    if correction == "ADMIN":
        return 1000 * weight / dose
    if correction != "START":
        raise _Untold("its header does not say to which time it is corrected for decay")
    half_life = _positive(drug, "RadionuclideHalfLife", "half-life of the radionuclide")
    if (start := _start_of_scan(dataset)) is None:
        raise _Untold("its header has no time of the scan")
    if (injected := _injection(drug, start)) is None:
        raise _Untold("its header has no time of the injection")
    elapsed = (start - injected).total_seconds()
    if not 0 <= elapsed <= _LONGEST:
        raise _Untold("its times of injection and scan contradict each other")
    return float(1000 * weight / (dose * 0.5 ** (elapsed / half_life)))


def _positive(dataset: Dataset, name: str, words: str) -> float:
    value = number(dataset, name)
    if not value or value <= 0:
        raise _Untold(f"its header has no {words}")
    return value


def _start_of_scan(dataset: Dataset) -> datetime | None:
    """Return the time that ``START`` means: of the series, unless that was changed after the acquisition.

    Programs that process a series give it a later time; then the start follows from the frame reference time.
    """
    if named := text(dataset, "DecayCorrectionDateTime"):  # of enhanced objects
        return _time(named[:8], named[8:])
    series = _time(text(dataset, "SeriesDate"), text(dataset, "SeriesTime"))
    acquired = _time(text(dataset, "AcquisitionDate"), text(dataset, "AcquisitionTime"))
    if series is not None and (acquired is None or series <= acquired):
        return series
    if acquired is None:
        return None
    drug = first_item(dataset, "RadiopharmaceuticalInformationSequence") or Dataset()
    half_life = number(drug, "RadionuclideHalfLife")
    reference, duration = number(dataset, "FrameReferenceTime"), number(dataset, "ActualFrameDuration")
    if reference is None or not duration or not half_life:
        return acquired
    # Counts of a frame decay while it lasts; its average is reached before its middle.
    decay = 0.6931471805599453 / half_life * duration / 1000
    to_average = _average_time(decay) * duration / 1000
    return acquired + timedelta(seconds=to_average - reference / 1000)


def _average_time(decay: float) -> float:
    return log(decay / -expm1(-decay)) / decay if decay else 0.5


def _injection(drug: Dataset, start: datetime) -> datetime | None:
    written = text(drug, "RadiopharmaceuticalStartDateTime")
    if len(written) >= 12:
        return _time(written[:8], written[8:])
    clock = text(drug, "RadiopharmaceuticalStartTime")
    injected = _time(start.strftime("%Y%m%d"), clock)
    if injected is not None and injected > start:  # before midnight
        injected -= timedelta(days=1)
    return injected


def _time(date: str, clock: str) -> datetime | None:
    written = date.replace(".", "") + re.sub(r"[+-]\d{4}$", "", clock).replace(":", "")
    if not (match := _TIME.fullmatch(written)):
        return None
    day, hour, minute, second, fraction = match.groups()
    parts = [int(each or 0) for each in (hour, minute, second)]
    try:
        whole = datetime.strptime(day, "%Y%m%d")
        return whole + timedelta(
            hours=parts[0],
            minutes=parts[1],
            seconds=parts[2],
            microseconds=int((fraction or "0").ljust(6, "0")),
        )
    except ValueError:
        return None


def _private(dataset: Dataset, tag: tuple[int, int]) -> float | None:
    if tag not in dataset:
        return None
    value = dataset[tag].value
    try:
        return float(value.decode() if isinstance(value, bytes) else value) or None
    except (ValueError, TypeError, AttributeError):
        return None
