"""What a user should know travels from the sources to the fused image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

from tests.conftest import grid, write_array
from volfuse.imaging import preprocessing, read_image
from volfuse.imaging.notes import notes_of, with_notes
from volfuse.imaging.stored import About

KEYS = ["first", "second"]


def noted(*notes: str) -> MetaTensor:
    return with_notes(MetaTensor(torch.zeros(1, 2, 2, 2)), About("NIfTI", units="HU"), notes)


def test_a_note_is_added_to_what_is_known() -> None:
    image = noted("a.nii is odd.")
    again = with_notes(image, About.from_meta(image.meta), ["a.nii is dark."])
    assert About.from_meta(again.meta) == About(
        "NIfTI", units="HU", notes=("a.nii is odd.", "a.nii is dark.")
    )
    assert About.from_meta(image.meta).notes == ("a.nii is odd.",)


def test_a_note_on_two_images_is_told_once() -> None:
    images = [noted("The scanner was warm.", "a is odd."), noted("The scanner was warm.")]
    assert notes_of(images) == ("The scanner was warm.", "a is odd.")


def test_the_prepared_case_has_the_notes_of_all_sources(mr_file: Path, pet_file: Path) -> None:
    case = preprocessing(KEYS)({"first": mr_file, "second": pet_file})
    assert list(case["image"].meta["notes"]) == [
        "pet.nii.gz is resampled onto the grid of mr.nii.gz and covers 95% of it."
    ]
    assert preprocessing(KEYS)({"first": mr_file, "second": mr_file})["image"].meta["notes"] == ()


@pytest.mark.parametrize(
    ("window", "notes"),
    [
        ("0:255", []),
        ("0:60", []),
        ("-50:10", ["40% of the voxels of ramp.nrrd lie above its window (-50 to 10) and are white; "
                    "choose another window if they matter."]),
        ("150:999", ["100% of the voxels of ramp.nrrd lie below its window (150 to 999) and are black; "
                     "choose another window if they matter."]),
    ],
)  # fmt: skip
def test_a_window_that_hides_most_of_an_image_is_told(tmp_path: Path, window: str, notes: list[str]) -> None:
    """60 % of the voxels are 0, 40 % rise from 50 to 100: nothing of it in the last window."""
    values = np.zeros(1000, np.float32)
    values[600:] = np.linspace(50, 100, 400)
    ramp = write_array(tmp_path / "ramp.nrrd", values.reshape(10, 10, 10))
    case = preprocessing(KEYS, windows=[window, "auto"])({"first": ramp, "second": ramp})
    assert list(case["image"].meta["notes"]) == notes


def test_a_window_for_a_colour_image_is_left_out_and_told(tmp_path: Path, save_head: Callable) -> None:
    head = save_head("head.png", "mr", (20, 24, 1), grid(8, 8, 8, center=(20, 24, 1)))
    grey = sitk.GetArrayFromImage(sitk.ReadImage(str(head)))
    sitk.WriteImage(
        sitk.GetImageFromArray(np.stack([grey, grey, 255 - grey], -1), isVector=True), tmp_path / "c.png"
    )
    files = {"first": head, "second": tmp_path / "c.png"}
    assert read_image(files["second"]).shape[0] == 3
    case = preprocessing(KEYS, windows=["auto", "pet"])(files)
    assert case["image"].meta["notes"] == (
        "c.png is in colour and keeps its own brightness; no window is applied to it.",
    )
    assert preprocessing(KEYS)(files)["image"].meta["notes"] == ()


def test_two_files_of_one_name_are_called_with_their_folders(
    mr_file: Path, pet_file: Path, tmp_path: Path
) -> None:
    files = [tmp_path / name / "1.nii.gz" for name in ("mr", "pet")]
    for file, source in zip(files, (mr_file, pet_file), strict=True):
        file.parent.mkdir()
        file.write_bytes(source.read_bytes())
    case = preprocessing(KEYS)(dict(zip(KEYS, files, strict=True)))
    assert list(case["image"].meta["notes"]) == [
        "pet/1.nii.gz is resampled onto the grid of mr/1.nii.gz and covers 95% of it."
    ]
