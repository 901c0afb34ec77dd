"""What holds for every classical rule, read from the registry."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from volfuse.classical import CLASSICAL, AlphaBlend, FusionRule
from volfuse.models import rules

RULES = sorted(CLASSICAL)
SYMMETRIC = [name for name in RULES if name != "alpha_blend"]
SIZES = [(1, 1), (1, 7), (2, 3), (5, 4), (33, 18), (64, 64)]

every_rule = pytest.mark.parametrize("name", RULES)


def random_sources(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@every_rule
def test_registry_entry_describes_a_parameter_free_rule(name):
    words, rule = rules()[name], CLASSICAL[name]()
    assert words.title
    assert words.description.endswith(".")
    assert "\n" not in words.description
    assert isinstance(rule, FusionRule)
    assert not list(rule.parameters())


def test_registry_holds_the_agreed_names():
    assert set(CLASSICAL) == {
        "average",
        "maximum",
        "alpha_blend",
        "pca",
        "laplacian",
        "laplacian_mean",
        "dwt",
        "guided_filter",
        "jbf_lge",
    }


@every_rule
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("count", [2, 3])
def test_any_size_and_number_of_sources(name, size, count):
    fused = CLASSICAL[name]()(random_sources(2, count, *size))
    assert fused.shape == (2, 1, *size)
    assert fused.isfinite().all()
    assert fused.min() >= 0
    assert fused.max() <= 1


@every_rule
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("count", [2, 3])
def test_copies_of_an_image_fuse_to_the_image(name, size, count):
    image = random_sources(1, 1, *size)
    fused = CLASSICAL[name]()(image.repeat(1, count, 1, 1))
    torch.testing.assert_close(fused, image, rtol=0, atol=2e-6)


@every_rule
@pytest.mark.parametrize("values", [(0.0, 0.0), (1.0, 1.0), (0.25, 0.75), (0.0, 1.0)], ids=str)
def test_constant_images_fuse_to_a_constant_between_them(name, values):
    sources = torch.tensor(values).view(1, 2, 1, 1).expand(1, 2, 21, 32)
    fused = CLASSICAL[name]()(sources)
    assert fused.max() - fused.min() < 2e-6
    assert min(values) - 2e-6 <= fused.mean() <= max(values) + 2e-6


@pytest.mark.parametrize("name", SYMMETRIC)
def test_the_order_of_the_sources_does_not_matter(name):
    rule = CLASSICAL[name]()
    sources = random_sources(2, 3, 24, 31)
    sources[..., :6] = 0  # a tie between all sources, as in the background of a scan
    expected = rule(sources)
    for order in itertools.permutations(range(3)):
        torch.testing.assert_close(rule(sources[:, list(order)]), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_the_order_does_not_matter_for_an_image_and_its_negative(name):
    rule = CLASSICAL[name]()
    image = torch.randint(0, 257, (1, 1, 16, 16), generator=torch.Generator().manual_seed(3)) / 256
    sources = torch.cat((image, 1 - image), 1)
    torch.testing.assert_close(rule(sources), rule(sources.flip(1)), rtol=0, atol=1e-5)


@every_rule
def test_an_image_fuses_alike_alone_and_in_a_batch(name):
    rule = CLASSICAL[name]()
    sources = random_sources(3, 2, 40, 29)
    sources[1] *= 0.01
    alone = torch.cat([rule(one) for one in sources.split(1)])
    torch.testing.assert_close(rule(sources), alone, rtol=0, atol=1e-5)


@every_rule
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_result_is_finite_and_in_range_for_any_image(name, data):
    height, width, count = (data.draw(st.integers(low, high)) for low, high in ((1, 12), (1, 12), (2, 3)))
    pixels = st.lists(
        st.floats(0, 1, width=32), min_size=count * height * width, max_size=count * height * width
    )
    sources = torch.tensor(data.draw(pixels)).view(1, count, height, width)
    fused = CLASSICAL[name]()(sources)
    assert fused.isfinite().all()
    assert 0 <= fused.min() <= fused.max() <= 1


@every_rule
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_result_has_the_dtype_of_the_sources(name, dtype):
    rule = CLASSICAL[name]()
    sources = random_sources(1, 2, 16, 16).to(dtype)
    fused = rule(sources)
    assert fused.dtype == dtype
    torch.testing.assert_close(fused, rule(sources.double()).to(dtype), rtol=0, atol=0.01)


@every_rule
def test_autocast_does_not_lower_the_precision(name):
    rule = CLASSICAL[name]()
    sources = random_sources(1, 2, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fused = rule(sources)
    torch.testing.assert_close(fused, rule(sources), rtol=0, atol=0)


@every_rule
def test_sources_are_left_as_they_were(name):
    sources = random_sources(1, 2, 20, 20)
    before = sources.clone()
    CLASSICAL[name]()(sources)
    assert torch.equal(sources, before)


@every_rule
@pytest.mark.parametrize(
    "shape", [(2, 8, 8), (1, 1, 8, 8), (1, 2, 8, 8, 8), (0, 2, 8, 8), (1, 2, 0, 8)], ids=str
)
def test_wrong_shape_is_refused_in_one_sentence(name, shape):
    with pytest.raises(ValueError) as refusal:
        CLASSICAL[name]()(torch.zeros(shape))
    assert str(refusal.value) == (
        f"A fusion rule needs sources of shape (B, N, H, W) with N >= 2 and no empty axis, not {shape}."
    )


def test_integer_images_are_refused():
    with pytest.raises(ValueError) as refusal:
        CLASSICAL["average"]()(torch.zeros(1, 2, 8, 8, dtype=torch.uint8))
    assert str(refusal.value) == "A fusion rule needs floating-point sources in 0..1, not torch.uint8."


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_rule
def test_a_gpu_gives_what_the_cpu_gives(name):
    rule = CLASSICAL[name]()
    sources = random_sources(2, 2, 65, 48)
    fused = rule(sources.cuda())
    assert fused.is_cuda
    torch.testing.assert_close(fused.cpu(), rule(sources), rtol=0, atol=1e-4)


def test_factory_passes_options_on():
    assert isinstance(CLASSICAL["alpha_blend"](weight=0.2), AlphaBlend)
