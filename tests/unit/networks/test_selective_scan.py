import math
import os
import time
from functools import cache
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.networks.layers.selective_scan import BACKENDS, Backend, selective_scan

# Triton reads this where it is imported first, which is later than here.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
HAS_TRITON = find_spec("triton") is not None
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="triton is not installed: pip install triton")
IN_TORCH: tuple[Backend, ...] = ("two_level", "sequential")
EVERY = [*IN_TORCH, pytest.param("triton", marks=needs_triton)]
# B, G, L, C, N. Blocks of the backends end at 32 positions and 32 channels.
SHAPES = [(1, 1, 1, 1, 1), (2, 3, 2, 5, 3), (1, 2, 33, 3, 5), (1, 1, 40, 35, 16)]
LONG = [(2, 4, 64, 4, 16), (1, 1, 257, 3, 16), (1, 2, 1000, 2, 3), (1, 1, 4096, 2, 4)]
CASES = [
    *((backend, shape) for shape in SHAPES + LONG for backend in IN_TORCH),
    *(pytest.param("triton", shape, marks=needs_triton) for shape in SHAPES),
    pytest.param("triton", LONG[1], marks=needs_triton),
]


def system(shape: tuple[int, ...], dtype: torch.dtype = torch.float64, device: str = "cpu") -> list[Tensor]:
    """Inputs, step sizes, state matrix, input and output matrix, as a network has them."""
    batch, groups, length, channels, states = shape
    generator = torch.Generator().manual_seed(length)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    tensors = [
        normal(batch, groups, length, channels),
        torch.nn.functional.softplus(normal(batch, groups, length, channels) - 2),
        -normal(groups, states, channels).exp(),
        normal(batch, groups, length, states),
        normal(batch, groups, length, states),
    ]
    return [tensor.to(device, dtype).requires_grad_() for tensor in tensors]


def scan_and_gradients(tensors: list[Tensor], backend: Backend) -> tuple[Tensor, ...]:
    outputs = selective_scan(*tensors, backend=backend)
    weights = torch.sin(torch.arange(outputs.numel(), dtype=torch.float64)).view(outputs.shape)
    (outputs * weights.to(outputs)).sum().backward()
    return outputs.detach(), *(tensor.grad for tensor in tensors)


@cache
def expected(shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    return scan_and_gradients(system(shape), "reference")


@pytest.mark.parametrize(("backend", "shape"), CASES)
def test_every_backend_computes_the_equation_and_its_gradients(
    backend: Backend, shape: tuple[int, ...]
) -> None:
    device = DEVICE if backend == "triton" else "cpu"
    outputs, *gradients = scan_and_gradients(system(shape, torch.float32, device), backend)
    wanted, *wanted_gradients = expected(shape)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs.cpu().double(), wanted, rtol=0, atol=1e-6 * wanted.abs().max().item())
    for found, right in zip(gradients, wanted_gradients, strict=True):
        atol = 1e-5 * right.abs().max().item()
        torch.testing.assert_close(found.cpu().double(), right, rtol=0, atol=atol)


@pytest.mark.parametrize("backend", IN_TORCH)
@pytest.mark.parametrize("shape", [(1, 2, 7, 2, 3), (2, 1, 35, 1, 2)])
def test_gradients_in_double_precision_are_the_slopes_of_the_scan(
    backend: Backend, shape: tuple[int, ...]
) -> None:
    torch.autograd.gradcheck(lambda *tensors: selective_scan(*tensors, backend=backend), system(shape))


@pytest.mark.parametrize("backend", ["reference", *EVERY])
def test_a_system_that_forgets_nothing_sums_and_one_that_halves_decays(backend: Backend) -> None:
    length = 40
    ones = torch.ones(1, 1, length, 1, device=DEVICE if backend == "triton" else "cpu")
    forever = selective_scan(ones, ones, torch.zeros_like(ones[0, :, :1]), ones, ones, backend=backend)
    torch.testing.assert_close(forever.flatten().cpu(), torch.arange(1.0, length + 1))

    pulse = torch.zeros_like(ones)
    pulse[0, 0, 0] = 1
    halving = torch.full_like(ones[0, :, :1], -math.log(2))
    fading = selective_scan(pulse, ones, halving, 3 * ones, 5 * ones, backend=backend)
    torch.testing.assert_close(fading.flatten().cpu(), 15 * 0.5 ** torch.arange(length))


@pytest.mark.parametrize("backend", ["reference", *IN_TORCH])
def test_positions_do_not_see_later_ones_nor_samples_and_groups_each_other(backend: Backend) -> None:
    tensors = system((2, 3, 50, 4, 5))
    before = selective_scan(*tensors, backend=backend)
    changed = [tensor.detach().clone() for tensor in tensors]
    changed[0][1, 2, 30:] += 1
    different = selective_scan(*changed, backend=backend) != before
    assert different[1, 2, 30:].all()
    assert not different[1, 2, :30].any() and not different[0].any() and not different[1, :2].any()


@pytest.mark.parametrize("backend", IN_TORCH)
def test_autocast_and_half_precision_inputs_are_scanned_in_float32(backend: Backend) -> None:
    tensors = [tensor.bfloat16() for tensor in system((1, 2, 300, 3, 4))]
    exact = selective_scan(*(tensor.double() for tensor in tensors), backend="reference")
    with torch.autocast("cpu", torch.bfloat16):
        outputs = selective_scan(*tensors, backend=backend)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs.double(), exact, rtol=0, atol=1e-6 * exact.abs().max().item())


def test_training_on_a_cpu_takes_large_steps_and_inference_the_least_work() -> None:
    tensors = system((1, 2, 70, 3, 4), torch.float32)
    training = selective_scan(*tensors)
    assert torch.equal(training, selective_scan(*tensors, backend="two_level"))
    with torch.no_grad():
        inference = selective_scan(*tensors)
        assert torch.equal(inference, selective_scan(*tensors, backend="sequential"))
    assert not torch.equal(training, inference)  # they add in another order, which is how the test can tell


def test_training_in_large_steps_takes_a_fifth_of_the_time_of_the_plain_loop() -> None:
    seconds = {}
    for backend in ("two_level", "reference"):
        tensors = system((1, 1, 4096, 2, 4), torch.float32)
        start = time.process_time()
        scan_and_gradients(tensors, backend)
        seconds[backend] = time.process_time() - start
    assert seconds["reference"] > 5 * seconds["two_level"]


@pytest.mark.parametrize("empty", range(5))
def test_an_empty_scan_is_refused(empty: int) -> None:
    shape = [2, 3, 4, 5, 6]
    shape[empty] = 0
    batch, groups, length, channels, states = shape
    message = (
        "The selective scan was given nothing to scan: no size may be 0 in inputs "
        f"({batch}, {groups}, {length}, {channels}) and state_matrix ({groups}, {states}, {channels})."
    )
    with pytest.raises(FusionError) as error:
        selective_scan(*system(tuple(shape)))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("position", "name", "wanted"),
    [
        (1, "step_sizes", (1, 2, 3, 4)),
        (2, "state_matrix", (2, 5, 4)),
        (3, "input_matrix", (1, 2, 3, 5)),
        (4, "output_matrix", (1, 2, 3, 5)),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(position: int, name: str, wanted: tuple[int, ...]) -> None:
    tensors = system((1, 2, 3, 4, 5))
    tensors[position] = torch.cat([tensors[position], tensors[position]])
    with pytest.raises(FusionError) as error:
        selective_scan(*tensors)
    assert str(error.value) == (
        f"{name} of the selective scan must be {wanted} to fit inputs (1, 2, 3, 4), "
        f"not {(2 * wanted[0], *wanted[1:])}."
    )


def test_tensors_of_other_dimensions_are_refused() -> None:
    tensors = system((1, 2, 3, 4, 5))
    with pytest.raises(FusionError) as error:
        selective_scan(tensors[0][0], *tensors[1:])
    assert str(error.value) == (
        "The selective scan needs inputs (B, G, L, C) and state_matrix (G, N, C), not (2, 3, 4) and (2, 5, 4)."
    )


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    assert BACKENDS == ("reference", "two_level", "sequential", "triton")
    with pytest.raises(FusionError) as error:
        selective_scan(*system((1, 1, 1, 1, 1)), backend="cuda")
    assert str(error.value) == (
        "The backend of the selective scan must be one of 'reference', 'two_level', 'sequential', 'triton' "
        "or None, not 'cuda'."
    )


@pytest.mark.skipif(HAS_TRITON, reason="triton is installed")
def test_without_triton_its_backend_says_what_to_do() -> None:
    with pytest.raises(FusionError) as error:
        selective_scan(*system((1, 1, 1, 1, 1), torch.float32), backend="triton")
    assert str(error.value) == (
        "The backend 'triton' needs the package triton, which is not installed; leave the backend out."
    )


@needs_triton
def test_triton_refuses_double_precision() -> None:
    with pytest.raises(FusionError) as error:
        selective_scan(*system((1, 1, 1, 1, 1)), backend="triton")
    assert str(error.value) == "The backend 'triton' computes in float32 only; use 'two_level' for float64."
