import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from volfuse.imaging import rgb_to_oklab
from volfuse.imaging.oklab import AB_TO_CONE_ROOTS, CONES_TO_LIGHT, decode, encode, mix

channel = st.floats(0, 1)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # coloraide 8.13.1: Color("srgb", rgb).convert("oklab").coords()
        ((1, 0, 0), (0.627955, 0.224863, 0.125846)),
        ((0, 1, 0), (0.866440, -0.233888, 0.179498)),
        ((0, 0, 1), (0.452014, -0.032457, -0.311528)),
        ((1, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((0.5, 0.5, 0.5), (0.598181, 0, 0)),
        ((0.25, 0.5, 0.75), (0.585550, -0.039415, -0.111505)),
        ((1, 0.8, 0.3), (0.868228, 0.009326, 0.150673)),
        ((0.02, 0.01, 0.03), (0.103725, 0.012555, -0.015049)),
        ((0.6, 0.1, 0), (0.440804, 0.139295, 0.088551)),
    ],
)
def test_oklab_is_that_of_others(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    computed = rgb_to_oklab(torch.tensor(rgb, dtype=torch.float64)[:, None])[:, 0]
    np.testing.assert_allclose(computed, lab, atol=2e-6)


@given(channel, channel, channel)
def test_oklab_can_be_undone(red: float, green: float, blue: float) -> None:
    rgb = torch.tensor([red, green, blue], dtype=torch.float64)[:, None]
    lab = rgb_to_oklab(rgb)
    light = mix(CONES_TO_LIGHT, (lab[0] + mix(AB_TO_CONE_ROOTS, lab[1:])) ** 3)
    torch.testing.assert_close(encode(light)[0], rgb, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("value", "light"),
    [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.21404114), (1.0, 1.0)],  # IEC 61966-2-1
)
def test_the_transfer_curve_is_that_of_srgb(value: float, light: float) -> None:
    np.testing.assert_allclose(decode(torch.tensor(value, dtype=torch.float64)), light, atol=1e-7)
    np.testing.assert_allclose(encode(torch.tensor(light, dtype=torch.float64))[0], value, atol=1e-6)


def test_the_slope_of_the_transfer_curve_is_its_derivative() -> None:
    light = torch.linspace(0, 1, 2001, dtype=torch.float64, requires_grad=True)
    values, slope = encode(light)
    (derivative,) = torch.autograd.grad(values.sum(), light)
    torch.testing.assert_close(slope, derivative, rtol=0.02, atol=0)
