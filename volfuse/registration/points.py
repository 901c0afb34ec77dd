"""Landmarks: points that mark the same places in two scans, and the rigid transform that joins them."""

import csv
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from volfuse.errors import FusionError

FEWEST_POINTS = 3
_FLIP = np.array([-1.0, -1.0, 1.0])  # RAS to LPS and back
_COLLINEAR = 0.05  # the spread across a line, as a share of the spread along it
_FCSV_SYSTEMS = {"0": "RAS", "1": "LPS", "RAS": "RAS", "LPS": "LPS"}


def read_points(path: str | Path) -> dict[str, np.ndarray]:
    """Read landmarks by name.

    Args:
        path: a markups file of 3D Slicer (``.mrk.json``, ``.fcsv``; each says itself whether it is LPS or RAS), or a
            ``.csv`` table with the columns ``x``, ``y``, ``z`` in mm, **RAS**, and perhaps ``label``. Points without
            names are called by their number in the file.

    Returns:
        Points (3,), mm, LPS as ITK has them, in the order of the file.

    Raises:
        FusionError: if the file cannot be read as landmarks, or a name occurs twice.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.name.lower().endswith(".json"):
            system, rows = _from_markups(text)
        elif path.suffix.lower() == ".fcsv":
            system, rows = _from_fcsv(text)
        else:
            system, rows = "RAS", _from_table(text)
        flip = {"LPS": np.ones(3), "RAS": _FLIP}[system]
        points = [(label, flip * np.array(position, dtype=float)) for label, position in rows]
        if any(point.shape != (3,) or not np.isfinite(point).all() for _, point in points):
            raise ValueError("a point has no three finite coordinates")
    except OSError as error:
        raise FusionError(f"{path} could not be opened; check the path.") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise FusionError(
            f"{path.name} holds no landmarks that can be read; save them in 3D Slicer as .mrk.json or .fcsv, "
            "or as .csv with the columns label, x, y, z (mm, RAS)."
        ) from error
    named = {label or str(number + 1): point for number, (label, point) in enumerate(points)}
    if len(named) < len(points):
        raise FusionError(f"{path.name} uses the name of a landmark twice; give each its own.")
    return named


def paired_points(reference: str | Path, second: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read two files of landmarks and pair them: by name where every name is in both, else by order.

    Returns:
        Two arrays (P, 3), mm, LPS.

    Raises:
        FusionError: if a file cannot be read, or they hold different numbers of points.
    """
    points, others = read_points(reference), read_points(second)
    if len(points) != len(others):
        raise FusionError(
            f"{Path(reference).name} has {len(points)} landmarks and {Path(second).name} has {len(others)}; "
            "mark the same places in both."
        )
    if points.keys() == others.keys():
        others = {name: others[name] for name in points}
    return np.array(list(points.values())), np.array(list(others.values()))


def rigid_from_points(reference: np.ndarray, second: np.ndarray) -> sitk.VersorRigid3DTransform:
    """Find the rotation and shift that bring ``reference`` closest to ``second`` (least squares).

    Horn 1987, "Closed-form solution of absolute orientation using unit quaternions", JOSA A 4.

    Args:
        reference: (P, 3), mm, LPS.
        second: the same places in the other scan.

    Returns:
        Maps points of the reference scan to the second one.

    Raises:
        FusionError: if there are fewer than three points or they lie on one line.
    """
    if len(reference) < FEWEST_POINTS:
        raise FusionError(
            f"{len(reference)} landmarks are too few for a rotation; mark at least {FEWEST_POINTS}."
        )
    for points in (reference, second):
        spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
        if spread[1] <= _COLLINEAR * spread[0]:
            raise FusionError(
                "The landmarks lie on one line, about which any rotation fits; mark one well away from it."
            )
    transform = sitk.LandmarkBasedTransformInitializer(
        sitk.VersorRigid3DTransform(), reference.ravel().tolist(), second.ravel().tolist()
    )
    return sitk.VersorRigid3DTransform(transform)


def landmark_error(transform: sitk.Transform, reference: np.ndarray, second: np.ndarray) -> float:
    """Return the root mean square distance that is left between landmarks (P, 3), mm."""
    moved = np.array([transform.TransformPoint(point) for point in reference.tolist()])
    return float(np.sqrt(((moved - second) ** 2).sum(1).mean()))


def _from_markups(text: str) -> tuple[str, list[tuple[str, list[float]]]]:
    markups = json.loads(text)["markups"][0]
    rows = [
        (point.get("label", ""), point["position"])
        for point in markups["controlPoints"]
        if point.get("positionStatus", "defined") == "defined"
    ]
    return markups.get("coordinateSystem", "LPS"), rows


def _from_fcsv(text: str) -> tuple[str, list[tuple[str, list[float]]]]:
    header = dict(
        line.lstrip("# ").split("=", 1) for line in text.splitlines() if line.startswith("#") and "=" in line
    )
    header = {key.strip(): value.strip() for key, value in header.items()}
    columns = [name.strip() for name in header["columns"].split(",")]
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    rows = [dict(zip(columns, row, strict=False)) for row in csv.reader(lines)]
    points = [(row.get("label", ""), [float(row[axis]) for axis in "xyz"]) for row in rows]
    return _FCSV_SYSTEMS[header.get("CoordinateSystem", "RAS")], points


def _from_table(text: str) -> list[tuple[str, list[float]]]:
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    return [(row.get("label") or "", [float(row[axis]) for axis in "xyz"]) for row in rows]
