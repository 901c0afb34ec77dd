import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from volfuse.errors import FusionError
from volfuse.imaging import RestoreColord, SplitLuminanced, color_table


def source(values: torch.Tensor) -> MetaTensor:
    return MetaTensor(values, meta={"filename_or_obj": "pet.nii.gz"})


def test_grey_sources_are_stacked_and_clipped() -> None:
    data = {"a": source(torch.full((1, 2, 2, 2), -0.5)), "b": source(torch.full((1, 2, 2, 2), 1.5))}
    split = SplitLuminanced(["a", "b"])(data)
    assert set(split) == {"image"}
    assert split["image"].shape == (2, 2, 2, 2)
    assert not split["image"][0].any() and (split["image"][1] == 1).all()


def test_colour_comes_back_when_the_luminance_is_kept() -> None:
    mr, pet = source(torch.rand(1, 4, 5, 6)), source(torch.rand(1, 4, 5, 6))
    split = SplitLuminanced(["a", "b"], [None, "jet"])({"a": mr, "b": pet})
    split["pred"] = split["image"][1:2]
    rgb = RestoreColord("pred")(split)["pred"]
    expected = color_table("jet")[(pet[0] * 256).long().clamp(0, 255)].movedim(-1, 0)
    assert rgb.dtype == torch.uint8
    np.testing.assert_allclose(rgb.numpy(), (expected * 255).numpy(), atol=0.51)


def test_an_rgb_source_keeps_its_own_colour() -> None:
    mr, pet = source(torch.rand(1, 4, 5, 6)), source(torch.rand(3, 4, 5, 6))
    split = SplitLuminanced(["a", "b"])({"a": mr, "b": pet})
    split["pred"] = split["image"][1:2]
    np.testing.assert_allclose(RestoreColord("pred")(split)["pred"].numpy(), (pet * 255).numpy(), atol=0.51)


def test_grey_results_are_rounded_to_the_nearest_level() -> None:
    values = source(torch.tensor([0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0]).reshape(1, 5, 1, 1))
    assert RestoreColord("pred")({"pred": values})["pred"].flatten().tolist() == [0, 0, 1, 255, 255]


def test_a_colour_map_on_a_colour_image_is_refused() -> None:
    data = {"a": source(torch.rand(1, 2, 2, 2)), "b": source(torch.rand(3, 2, 2, 2))}
    with pytest.raises(FusionError, match=r"^pet\.nii\.gz is a colour image; leave out its colour map\.$"):
        SplitLuminanced(["a", "b"], [None, "hot"])(data)


def test_the_number_of_colour_maps_must_fit() -> None:
    with pytest.raises(FusionError, match=r"^2 sources need as many colour maps \(or none\), not 1\.$"):
        SplitLuminanced(["a", "b"], ["hot"])
