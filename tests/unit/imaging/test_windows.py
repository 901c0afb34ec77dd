import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from volfuse.errors import FusionError
from volfuse.imaging import ApplyWindowsd, Limit, Window


def source(values: np.ndarray, stored_dtype: str = "int16") -> MetaTensor:
    voxels = torch.as_tensor(values, dtype=torch.float32)
    return MetaTensor(voxels, meta={"stored_dtype": stored_dtype, "filename_or_obj": "/folder/ct.nii.gz"})


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("ct-brain", Limit(0), Limit(80)),
        ("ct-soft-tissue", Limit(-160), Limit(240)),
        ("ct-bone", Limit(-500), Limit(1500)),
        ("W80/L40", Limit(0), Limit(80)),
        ("w400l40", Limit(-160), Limit(240)),
        ("-160:240", Limit(-160), Limit(240)),
        ("0:p99.5", Limit(0), Limit(99.5, is_percentile=True)),
        ("p1:p99", Limit(1, is_percentile=True), Limit(99, is_percentile=True)),
    ],
)
def test_windows_are_read_as_users_write_them(text: str, low: Limit, high: Limit) -> None:
    assert Window.parse(text) == Window(low, high)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brain", "^'brain' is no intensity window; use one of auto, ct-brain"),
        ("240:-160", "^The window '240:-160' is empty; its upper limit must lie above the lower one.$"),
        ("p1:p101", "^The window 'p1:p101' has a percentile outside 0 to 100.$"),
        ("$__import__('os')", "is no intensity window"),
    ],
)
def test_other_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(FusionError, match=message):
        Window.parse(text)


def test_window_ends_become_black_and_white() -> None:
    image = source(np.array([-100.0, 0, 40, 80, 300]).reshape(1, 5, 1, 1))
    scaled = ApplyWindowsd("ct", "ct-brain")({"ct": image})["ct"]
    torch.testing.assert_close(scaled.as_tensor().flatten(), torch.tensor([-1.25, 0, 0.5, 1, 3.75]))


def test_auto_keeps_8_bit_values_and_cuts_the_tails_of_others() -> None:
    values = np.arange(1001.0).reshape(1, 7, 11, 13)
    eight_bit = ApplyWindowsd("mr", "auto")({"mr": source(values[:, :2] % 256, "uint8")})["mr"]
    torch.testing.assert_close(eight_bit.as_tensor().numpy(), (values[:, :2] % 256 / 255).astype("f"))
    other = ApplyWindowsd("mr", "auto")({"mr": source(values)})["mr"]
    assert other.min().item() == pytest.approx(-1 / 998, abs=1e-6)
    assert other.max().item() == pytest.approx(1 + 1 / 998, abs=1e-6)


def test_percentiles_are_numpys() -> None:
    values = np.random.default_rng(0).normal(size=(1, 9, 9, 9))
    scaled = ApplyWindowsd("mr", "p5:p80")({"mr": source(values)})["mr"]
    low, high = np.percentile(values, [5, 80])
    np.testing.assert_allclose(scaled.numpy(), (values - low) / (high - low), rtol=1e-4, atol=1e-5)


def test_each_source_can_have_its_window() -> None:
    data = {"a": source(np.ones((1, 1, 1, 1)) * 40), "b": source(np.ones((1, 1, 1, 1)) * 40)}
    result = ApplyWindowsd(["a", "b"], ["0:80", "0:40"])(data)
    assert result["a"].item() == 0.5 and result["b"].item() == 1


def test_a_window_without_contrast_is_refused() -> None:
    flat = np.zeros((1, 10, 10, 10))
    flat[0, 0, 0, 0] = 5
    message = (
        r"^ct.nii.gz has no contrast between the limits of its window \(0 to 0\); choose another window.$"
    )
    with pytest.raises(FusionError, match=message):
        ApplyWindowsd("ct", "p1:p99")({"ct": source(flat)})


def test_the_number_of_windows_must_fit() -> None:
    with pytest.raises(FusionError, match=r"^2 sources need one window or one each, not 3\.$"):
        ApplyWindowsd(["a", "b"], ["auto"] * 3)


def test_a_colour_source_keeps_its_levels_under_any_window() -> None:
    rgb = source(np.full((3, 2, 2, 2), 51.0), "uint8")
    assert ApplyWindowsd("pet", "ct-brain")({"pet": rgb})["pet"].unique().item() == pytest.approx(0.2)
