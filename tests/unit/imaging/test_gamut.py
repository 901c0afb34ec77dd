import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from volfuse.imaging import color_table, luma, recolor, rgb_to_oklab
from volfuse.imaging.gamut import ROOM

channel = st.floats(0, 1, width=32)
color = st.tuples(channel, channel, channel)
room = st.sampled_from([0.0, ROOM])


def shown(luminance: float, rgb: tuple[float, float, float], room: float = 0.0) -> Tensor:
    return recolor(torch.tensor([luminance]), torch.tensor(rgb)[:, None], room).double()


def hue_and_chroma(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Hue in degrees and chroma, in OKLab."""
    _, a, b = rgb_to_oklab(rgb.double())
    return torch.rad2deg(torch.atan2(b, a)), torch.hypot(a, b)


def hue_change(first: Tensor, second: Tensor) -> Tensor:
    return ((first - second + 180).remainder(360) - 180).abs()


@given(channel, color)
@settings(max_examples=500)
def test_luma_is_kept_and_every_colour_can_be_shown(
    luminance: float, rgb: tuple[float, float, float]
) -> None:
    result = shown(luminance, rgb)
    assert (result >= 0).all() and (result <= 1).all()  # so none is NaN
    assert float(luma(result)) == pytest.approx(luminance, abs=1e-5)


@given(channel, color, room)
@settings(max_examples=500)
def test_hue_is_kept_and_chroma_does_not_grow(
    luminance: float, rgb: tuple[float, float, float], room: float
) -> None:
    result = shown(luminance, rgb, room)
    hue, chroma = hue_and_chroma(torch.tensor(rgb)[:, None])
    new_hue, new_chroma = hue_and_chroma(result)
    assert new_chroma <= chroma + 0.005
    if new_chroma > 0.02 and luminance > 2 / 255:
        assert hue_change(hue, new_hue) < 2


@given(color, room)
@settings(max_examples=300)
def test_a_colour_at_its_own_luminance_is_unchanged(rgb: tuple[float, float, float], room: float) -> None:
    given_color = torch.tensor(rgb)[:, None]
    result = recolor(luma(given_color), given_color, room)
    torch.testing.assert_close(result, given_color, rtol=0, atol=1e-5)


@given(channel, channel, room)
def test_grey_stays_grey(luminance: float, grey: float, room: float) -> None:
    assert shown(luminance, (grey, grey, grey), room).flatten().tolist() == [luminance] * 3


@given(color)
@settings(max_examples=300)
def test_room_costs_at_most_half_of_a_contrast_and_a_ninth_of_the_luminance(
    rgb: tuple[float, float, float],
) -> None:
    luminance = torch.linspace(0, 1, 257)
    result = luma(recolor(luminance, torch.tensor(rgb)[:, None].expand(-1, 257), ROOM))
    contrast = result.diff() * 256
    assert contrast.min() > 0.49 and contrast.max() < 1.01
    assert (result <= luminance + 1e-5).all() and (luminance - result).max() < 0.1141


def test_room_keeps_yellow_yellow_where_the_tissue_is_white() -> None:
    yellow, white = (1.0, 0.9, 0.0), 1.0
    assert shown(white, yellow).min() == 1
    _, chroma = hue_and_chroma(shown(white, yellow, ROOM))
    assert chroma > 0.1  # that of a light yellow, (1, 0.98, 0.65), is 0.105 (coloraide 8.13.1)


@pytest.mark.parametrize("name", ["hot", "afmhot", "jet", "viridis", "hsv"])
def test_no_more_chroma_is_lost_than_must_be(name: str) -> None:
    colors = color_table(name)[8::8].T.double()
    levels = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    luminance = levels[:, None].expand(-1, colors.shape[1])
    result = recolor(luminance, colors[:, None].expand(-1, len(levels), -1))
    hue, chroma = hue_and_chroma(colors)
    new_hue, new_chroma = hue_and_chroma(result)
    lost = new_chroma < 0.97 * chroma - 0.003
    # Where chroma was lost, red, green or blue is at its bound, or would be at 8 % more difference from grey.
    difference = result - luminance
    further = luminance + 1.08 * difference
    on_the_boundary = (further.amin(0) <= 0) | (further.amax(0) >= 1)
    assert lost.any() and on_the_boundary[lost].all()
    visible = (new_chroma > 0.02) & (chroma > 0.02)
    assert hue_change(hue.expand_as(new_hue), new_hue)[visible].max() < 2


def test_bright_red_is_light_red_and_not_the_pink_of_clipping() -> None:
    dark_red = (0.6, 0.0, 0.0)
    clipped = (torch.tensor(dark_red).double() + 0.85 - 0.6 * 0.299).clamp(max=1)[:, None]
    red, _ = hue_and_chroma(torch.tensor(dark_red)[:, None])
    assert float(red) == pytest.approx(29.23, abs=0.01)  # the hue of sRGB's red (coloraide 8.13.1)
    assert float(hue_change(red, hue_and_chroma(clipped)[0])) > 8
    assert float(hue_change(red, hue_and_chroma(shown(0.85, dark_red))[0])) < 1


def test_volumes_of_both_precisions_give_the_same_colours() -> None:
    luminance, colors = torch.rand(7, 50, 30), torch.rand(3, 7, 50, 30)
    single = recolor(luminance, colors)
    assert single.shape == colors.shape and single.dtype == torch.float32
    torch.testing.assert_close(
        single, recolor(luminance.double(), colors.double()).float(), rtol=0, atol=1e-3
    )
    one_voxel = recolor(luminance[3, 20, 10], colors[:, 3, 20, 10])
    torch.testing.assert_close(single[:, 3, 20, 10], one_voxel, rtol=0, atol=1e-6)


@pytest.mark.parametrize("luminance", [0.0, 1.0])
def test_black_and_white_have_no_colour(luminance: float) -> None:
    # Many at once, because processors round the power of one number and of eight differently.
    everywhere = torch.full((4096,), luminance)
    assert (recolor(everywhere, torch.rand(3, 4096)) == luminance).all()


def test_luminance_outside_its_range_is_clipped() -> None:
    assert shown(-0.1, (1, 0, 0)).flatten().tolist() == [0, 0, 0]
    assert shown(1.1, (1, 0, 0)).flatten().tolist() == [1, 1, 1]
