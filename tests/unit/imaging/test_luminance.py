import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from volfuse.errors import FusionError
from volfuse.imaging import RestoreColord, SplitLuminanced, color_table, luma, rgb_to_ycbcr


def source(values: torch.Tensor) -> MetaTensor:
    return MetaTensor(values, meta={"filename_or_obj": "pet.nii.gz"})


def test_grey_sources_are_stacked_and_clipped() -> None:
    data = {"a": source(torch.full((1, 2, 2, 2), -0.5)), "b": source(torch.full((1, 2, 2, 2), 1.5))}
    split = SplitLuminanced(["a", "b"])(data)
    assert set(split) == {"image"}
    assert split["image"].shape == (2, 2, 2, 2)
    assert not split["image"][0].any() and (split["image"][1] == 1).all()


@pytest.mark.parametrize("color", ["gamut", "luminance", "published"])
def test_colour_comes_back_when_the_luminance_is_kept(color: str) -> None:
    mr, pet = source(torch.rand(1, 4, 5, 6)), source(torch.rand(1, 4, 5, 6))
    split = SplitLuminanced(["a", "b"], [None, "jet"])({"a": mr, "b": pet})
    split["pred"] = split["image"][1:2]
    rgb = RestoreColord("pred", color)(split)["pred"]
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


def restored(luminance: float, color: tuple[float, float, float], way: str) -> torch.Tensor:
    ycbcr = rgb_to_ycbcr(torch.tensor(color).reshape(3, 1, 1, 1))
    case = {"pred": source(torch.full((1, 1, 1, 1), luminance)), "color": ycbcr}
    return RestoreColord("pred", way)(case)["pred"].flatten().double() / 255


def test_what_a_dark_red_costs_bright_tissue() -> None:
    dark_red = (
        0.6,
        0.0,
        0.0,
    )  # Y .1794, so Y 0.9 adds .7206: red 1.32 is clipped to 1, and .096 of luma is lost
    assert restored(0.9, dark_red, "published").tolist() == pytest.approx([1, 0.7206, 0.7206], abs=1 / 255)
    assert float(luma(restored(0.9, dark_red, "published"))) == pytest.approx(0.8041, abs=1 / 255)
    assert float(luma(restored(0.9, dark_red, "luminance"))) == pytest.approx(0.9, abs=1 / 255)
    # Room: this red fades from Y .5 on; of the .114 that white gives way, Y .9 gives four fifths.
    assert float(luma(restored(0.9, dark_red, "gamut"))) == pytest.approx(0.81, abs=0.02)


def test_another_way_of_colour_is_refused() -> None:
    with pytest.raises(
        FusionError, match=r"^Colour cannot come back as 'bright'; use gamut, luminance, published\.$"
    ):
        RestoreColord("pred", "bright")
