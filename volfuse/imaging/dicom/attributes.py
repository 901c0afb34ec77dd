"""Attributes of a DICOM header as plain numbers and text, and how finely they were written."""

import math
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

_NAME_LENGTH = 64


def text(dataset: Dataset, name: str) -> str:
    """Return an attribute as one line of text, several values joined by a backslash; nothing where it is empty."""
    value = dataset.get(name)
    if value is None:
        return ""
    values = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value
    line = "\\".join(str(each) for each in values)
    return "".join(each for each in line if each.isprintable())[:_NAME_LENGTH].strip()


def number(dataset: Dataset, name: str) -> float | None:
    """Return an attribute, the first of several values, as a finite number; ``None`` where it is empty."""
    value = dataset.get(name)
    if value is not None and not isinstance(value, str) and hasattr(value, "__iter__"):
        value = next(iter(value), None)
    if value is None or value == "":
        return None
    if not math.isfinite(value := float(value)):
        raise ValueError(f"{name} is {value}")
    return value


def numbers(dataset: Dataset, name: str, count: int | None = None) -> np.ndarray | None:
    """Return an attribute as finite numbers; ``None`` where it is empty.

    Raises:
        ValueError: if there are not ``count`` of them, or one is not finite.
    """
    value = dataset.get(name)
    if value is None or value == "":
        return None
    values = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    if not values:
        return None
    found = np.array([float(each) for each in values])
    if (count is not None and len(found) != count) or not np.isfinite(found).all():
        raise ValueError(f"{name} is {value}")
    return found


def first_item(dataset: Dataset, name: str) -> Dataset | None:
    """Return the first item of a sequence, if there is one."""
    sequence = dataset.get(name)
    return sequence[0] if sequence else None


def rounding(dataset: Dataset, name: str) -> float:
    """Return half a unit of the last decimal place that the numbers of an attribute are written with."""
    value = dataset.get(name)
    values: list[Any] = list(value) if hasattr(value, "__iter__") else [value]
    return 0.5 * 10.0 ** -max(_decimals(each) for each in values)


def _decimals(value: Any) -> int:
    try:
        exponent = Decimal(getattr(value, "original_string", None) or str(value)).as_tuple().exponent
    except InvalidOperation:
        return 0
    return max(0, -exponent) if isinstance(exponent, int) else 0
