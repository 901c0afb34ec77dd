import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2ycbcr

from volfuse.errors import FusionError
from volfuse.imaging import apply_table, color_table, combine_colors, rgb_to_ycbcr, ycbcr_to_rgb

channel = st.floats(0, 1, width=32)


@given(channel, channel, channel)
def test_rgb_survives_the_round_trip(red: float, green: float, blue: float) -> None:
    rgb = torch.tensor([red, green, blue]).reshape(3, 1, 1)
    torch.testing.assert_close(ycbcr_to_rgb(rgb_to_ycbcr(rgb)), rgb, rtol=0, atol=1e-6)


def test_luminance_and_chroma_are_bt601() -> None:
    rgb = torch.rand(3, 5, 7, dtype=torch.float64)
    studio = rgb2ycbcr(rgb.movedim(0, -1).numpy())  # scikit-image scales to 16..235 and 16..240
    luminance, blue, red = rgb_to_ycbcr(rgb).numpy()
    np.testing.assert_allclose(luminance, (studio[..., 0] - 16) / 219, atol=1e-4)
    np.testing.assert_allclose(blue, (studio[..., 1] - 128) / 224, atol=1e-4)
    np.testing.assert_allclose(red, (studio[..., 2] - 128) / 224, atol=1e-4)


def test_colours_outside_rgb_are_clipped() -> None:
    rgb = ycbcr_to_rgb(torch.tensor([1.0, 0.5, 0.5]).reshape(3, 1))
    assert rgb.min() >= 0 and rgb.max() <= 1


@pytest.mark.parametrize("name", ["hot", "jet", "viridis", "afmhot"])
def test_tables_show_the_colours_of_matplotlib(name: str) -> None:
    values = torch.tensor([0.0, 0.1, 1 / 3, 0.5, 0.999, 1.0])
    expected = matplotlib.colormaps[name](values.double().numpy())[:, :3].T
    np.testing.assert_allclose(apply_table(values, color_table(name)), expected, atol=1e-6)


def test_integer_tables_are_scaled() -> None:
    table = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 3))
    torch.testing.assert_close(color_table(table)[:, 0], torch.arange(256) / 255)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("hoot", "There is no colour map 'hoot'"),
        (np.zeros((255, 3)), "256 rows"),
        (np.full((256, 3), 1.5), "within 0..1"),
        (np.full((256, 3), np.nan), "within 0..1"),
    ],
)
def test_wrong_tables_are_refused(table, message: str) -> None:
    with pytest.raises(FusionError, match=message):
        color_table(table)


def test_one_coloured_source_keeps_its_colour() -> None:
    color, grey = torch.rand(3, 4, 4) - 0.5, torch.zeros(3, 4, 4)
    assert combine_colors([color]) is color
    torch.testing.assert_close(combine_colors([color, grey]), color, rtol=1e-3, atol=1e-4)


def test_two_colours_are_weighted_by_the_strength_of_their_chroma() -> None:
    first, second = torch.tensor([0.8, 0.4, 0.0])[:, None], torch.tensor([0.2, -0.1, 0.1])[:, None]
    expected = torch.tensor([(0.8 * 0.4 + 0.2 * 0.2) / 0.6, (0.16 - 0.01) / 0.5, 0.1])[:, None]
    torch.testing.assert_close(combine_colors([first, second]), expected)


def test_no_chroma_stays_grey() -> None:
    assert not combine_colors([torch.zeros(3, 3), torch.zeros(3, 3)]).any()
