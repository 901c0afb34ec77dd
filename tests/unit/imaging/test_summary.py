"""One look at an image gives the numbers that it was made with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

from tests.conftest import grid, oblique
from volfuse.imaging import as_image, read_image
from volfuse.imaging.stored import About
from volfuse.imaging.summary import summarize

VALUES = np.arange(1000, dtype=np.int16).reshape(10, 10, 10) - 300


def test_geometry_and_values_are_those_of_the_array() -> None:
    seen = summarize(as_image((VALUES, np.diag([-1.0, 1.5, 3.0, 1.0]))))
    assert (seen.size, seen.spacing, seen.axes, seen.oblique) == ((10, 10, 10), (1.0, 1.5, 3.0), "LAS", 0.0)
    assert (seen.lowest, seen.highest, seen.dtype, seen.colour) == (-300, 699, "int16", False)
    assert seen.window == pytest.approx((-299, 698), abs=0.01)  # percentiles 0.1 and 99.9


def test_an_oblique_axis_is_measured_to_the_nearest_anatomical_one() -> None:
    turned = oblique(grid(2.0, 2.0, 2.0, center=(10, 10, 10)), 12.0)
    # Turned by 12 degrees about two axes in turn: the second axis keeps the share cos(12)² of its direction.
    expected = np.degrees(np.arccos(np.cos(np.radians(12.0)) ** 2))
    assert summarize(as_image((VALUES, turned))).oblique == pytest.approx(expected)


def test_what_the_file_says_is_told() -> None:
    about = About(
        "DICOM", "PT", "FDG", "Bq/ml", "1.2.3", suv_reason="the weight is missing", notes=("It was cold.",)
    )
    image = MetaTensor(torch.from_numpy(VALUES), meta={"affine": np.eye(4), "about": about.to_meta()})
    seen = summarize(as_image(image))
    told = About(
        seen.format,
        seen.modality,
        seen.series,
        seen.units,
        seen.frame_of_reference,
        seen.suv,
        seen.suv_reason,
        notes=seen.notes,
    )
    assert told == about and summarize(as_image(replace_about(image, suv=0.5))).suv == 0.5


def replace_about(image: MetaTensor, **facts: object) -> MetaTensor:
    about = replace(About.from_meta(image.meta), **facts)
    return MetaTensor(image.as_tensor(), meta=image.meta | {"about": about.to_meta()})


def test_a_picture_has_no_position_and_two_sides(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(rgb, isVector=True), str(tmp_path / "p.png"))
    seen = summarize(read_image(tmp_path / "p.png"))
    assert (seen.size, seen.spacing, seen.axes, seen.colour, seen.window) == (
        (20, 12),
        None,
        None,
        True,
        (0, 255),
    )


def test_an_image_that_its_window_shows_nothing_of_has_none() -> None:
    rare = np.zeros((20, 20, 20), np.float32)
    rare[0, 0, 0] = 0.5
    assert summarize(as_image((rare, np.eye(4)))).window is None
