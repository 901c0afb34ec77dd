import math
from itertools import pairwise

import pytest
import torch

from volfuse.data.focal_stack import SimulateFocalStackd, focal_stack, smooth_depth


def test_a_pixel_is_sharp_on_the_plane_of_its_depth() -> None:
    image = torch.rand(1, 24, 30)
    near, far = torch.zeros(24, 15), torch.ones(24, 15)
    stack = focal_stack(image, torch.cat([near, far], dim=1), num_planes=3, blur=4.0)
    assert stack.shape == (3, 24, 30)
    assert torch.equal(stack[0, :, :15], image[0, :, :15])
    assert torch.equal(stack[2, :, 15:], image[0, :, 15:])
    assert (stack[1] - image[0]).abs().mean() > 0.05


def test_a_wave_loses_contrast_as_a_gaussian_says() -> None:
    frequency, blur, planes = 0.5, 5.0, 6
    image = (0.5 + 0.4 * torch.sin(frequency * torch.arange(120.0))).expand(1, 8, 120)
    stack = focal_stack(image, torch.full((8, 120), 0.2), planes, blur)  # all of it on plane 1
    for plane in range(planes):
        sigma = blur * abs(plane - 1) / (planes - 1)
        expected = 0.5 + math.exp(-((sigma * frequency) ** 2) / 2) * (image[0] - 0.5)
        torch.testing.assert_close(stack[plane, :, 30:-30], expected[:, 30:-30], rtol=0, atol=1e-3)


def test_blur_grows_with_the_distance_between_two_planes() -> None:
    image = torch.zeros(1, 41, 41)
    image[0, 20, 20] = 1
    peaks = [
        focal_stack(image, torch.full((41, 41), depth), 3, 6.0)[0, 20, 20]
        for depth in torch.linspace(0, 1, 21)
    ]
    assert all(nearer > farther for nearer, farther in pairwise(peaks))


def test_a_uniform_image_stays_as_it_is() -> None:
    depth = smooth_depth(20, 33)
    torch.testing.assert_close(
        focal_stack(torch.full((1, 20, 33), 0.7), depth, 5, 8.0), torch.full((5, 20, 33), 0.7)
    )


def test_turning_the_scene_round_turns_the_stack_round() -> None:
    image, depth = torch.rand(1, 16, 16), smooth_depth(16, 16)
    torch.testing.assert_close(
        focal_stack(image, 1 - depth, 4, 5.0), focal_stack(image, depth, 4, 5.0).flip(0)
    )


def test_the_surface_reaches_from_the_first_to_the_last_plane() -> None:
    depth = smooth_depth(31, 47)
    assert depth.shape == (31, 47) and depth.min() == 0 and depth.max() == 1
    assert depth.diff(dim=0).abs().max() < 0.2 and depth.diff(dim=1).abs().max() < 0.2


@pytest.mark.parametrize(("planes", "blur"), [(1, 4.0), (3, 0.0)])
def test_a_stack_without_planes_or_blur_is_refused(planes: int, blur: float) -> None:
    with pytest.raises(ValueError, match=f"^a focal stack needs .* not {planes} planes and blur {blur}$"):
        focal_stack(torch.rand(1, 8, 8), torch.rand(8, 8), planes, blur)


def test_the_name_decides_the_surface_and_the_truth_stays() -> None:
    simulate = SimulateFocalStackd("image", num_planes=4, blur=3.0, seed_key="name")
    image = torch.rand(1, 20, 20)
    first, again, other = (simulate({"image": image, "name": name}) for name in ("a", "a", "b"))
    assert first["truth"] is image and first["image"].shape == (4, 20, 20)
    assert torch.equal(first["image"], again["image"])
    assert not torch.equal(first["image"], other["image"])


def test_without_a_name_every_surface_is_another_one() -> None:
    simulate = SimulateFocalStackd("image", num_planes=4)
    item = {"image": torch.rand(1, 20, 20)}
    assert not torch.equal(simulate(item)["image"], simulate(item)["image"])
