"""The public function, and which backend it chooses."""

import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Literal, get_args

import torch
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.networks.layers.selective_scan.reference import reference_scan
from volfuse.networks.layers.selective_scan.sequential import sequential_scan
from volfuse.networks.layers.selective_scan.two_level import two_level_scan

Backend = Literal["reference", "two_level", "sequential", "triton"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

_logger = logging.getLogger(__name__)


def selective_scan(
    inputs: Tensor,
    step_sizes: Tensor,
    state_matrix: Tensor,
    input_matrix: Tensor,
    output_matrix: Tensor,
    backend: Backend | None = None,
) -> Tensor:
    """Run independent linear state-space systems whose matrices change with the position.

    For every sample, group and channel, with state ``h`` of N values and ``h = 0`` at the start:
    ``h[l] = exp(step[l] * A) * h[l-1] + step[l] * u[l] * B[l]`` and ``y[l] = sum(C[l] * h[l])``.

    Args:
        inputs: u, (B, G, L, C): batch, groups (scan directions), length, channels.
        step_sizes: (B, G, L, C), 0 or more.
        state_matrix: A, its diagonal, (G, N, C), 0 or less. One per channel, the same at all positions.
        input_matrix: B, (B, G, L, N). Shared by the channels of a group.
        output_matrix: C, (B, G, L, N). Shared by the channels of a group.
        backend: ``None`` chooses: ``"triton"`` on a GPU where it works; ``"sequential"`` on a CPU where no
            gradient is needed; ``"two_level"`` otherwise.

    Returns:
        y, (B, G, L, C), float32 (float64 if an input is), also inside autocast.

    Raises:
        FusionError: if shapes do not fit or are empty, or ``backend`` is unknown or does not work here.
    """
    tensors = (inputs, step_sizes, state_matrix, input_matrix, output_matrix)
    _check_shapes(*tensors)
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    scan = _function(backend or _choose(tensors, dtype), inputs.device, dtype)
    # Autocast leaves float32 alone: sums, exponentials and elementwise products are all that backends use.
    return scan(*(tensor.to(dtype) for tensor in tensors))


def _choose(tensors: tuple[Tensor, ...], dtype: torch.dtype) -> Backend:
    device = tensors[0].device
    if torch.jit.is_tracing():
        return "two_level"  # a trace writes out every step and cannot hold a kernel
    if device.type == "cuda" and dtype == torch.float32 and _triton_works(device):
        return "triton"
    learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return "sequential" if device.type == "cpu" and not learns else "two_level"


def _function(backend: str, device: torch.device, dtype: torch.dtype) -> Callable[..., Tensor]:
    match backend:
        case "reference":
            return reference_scan
        case "two_level":
            return two_level_scan
        case "sequential":
            return sequential_scan
        case "triton":
            return _triton_scan(device, dtype)
    names = ", ".join(map(repr, BACKENDS))
    raise FusionError(f"The backend of the selective scan must be one of {names} or None, not {backend!r}.")


def _triton_scan(device: torch.device, dtype: torch.dtype) -> Callable[..., Tensor]:
    if find_spec("triton") is None:
        raise FusionError(
            "The backend 'triton' needs the package triton, which is not installed; leave the backend out."
        )
    if dtype != torch.float32:
        raise FusionError("The backend 'triton' computes in float32 only; use 'two_level' for float64.")
    # Imported here: it is absent from CPU builds of torch, and decides on import whether to interpret.
    from volfuse.networks.layers.selective_scan import triton_kernels  # noqa: PLC0415

    if device.type != "cuda" and not triton_kernels.INTERPRETED:
        raise FusionError(
            f"The backend 'triton' needs a GPU, but the tensors are on {device}; leave the backend out."
        )
    return triton_kernels.triton_scan


@cache
def _triton_works(device: torch.device) -> bool:
    """Kernels compile at their first use, with a C compiler that a user's machine may lack."""
    if find_spec("triton") is None:
        return False
    try:
        one = torch.ones(1, 1, 1, 1, device=device)
        _triton_scan(device, torch.float32)(one, one, -one[0], one, one)
    except Exception as error:
        _logger.warning(
            "Triton does not work on %s (%s); the slower scan in plain torch is used", device, error
        )
        return False
    return True


def _check_shapes(
    inputs: Tensor, step_sizes: Tensor, state_matrix: Tensor, input_matrix: Tensor, output_matrix: Tensor
) -> None:
    if inputs.ndim != 4 or state_matrix.ndim != 3:
        raise FusionError(
            "The selective scan needs inputs (B, G, L, C) and state_matrix (G, N, C), "
            f"not {tuple(inputs.shape)} and {tuple(state_matrix.shape)}."
        )
    if inputs.numel() == 0 or state_matrix.numel() == 0:
        raise FusionError(
            "The selective scan was given nothing to scan: no size may be 0 in inputs "
            f"{tuple(inputs.shape)} and state_matrix {tuple(state_matrix.shape)}."
        )
    batch, groups, length, channels = inputs.shape
    states = state_matrix.shape[1]
    wanted = {
        "step_sizes": (step_sizes, (batch, groups, length, channels)),
        "state_matrix": (state_matrix, (groups, states, channels)),
        "input_matrix": (input_matrix, (batch, groups, length, states)),
        "output_matrix": (output_matrix, (batch, groups, length, states)),
    }
    for name, (tensor, shape) in wanted.items():
        if tensor.shape != shape:
            raise FusionError(
                f"{name} of the selective scan must be {shape} to fit inputs {tuple(inputs.shape)}, "
                f"not {tuple(tensor.shape)}."
            )
