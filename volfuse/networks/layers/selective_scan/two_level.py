"""The selective scan in about ``2 * sqrt(length)`` large steps, in plain torch.

The sequence is cut into chunks of about ``sqrt(length)`` positions. All chunks are scanned together from a
state of 0; what each leaves behind gives, chunk after chunk, the state that each begins with; a second scan of
all chunks together begins there. Gradients flow back the same way, through states that are computed again.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from volfuse.networks.layers.selective_scan.formulas import decays, drives, gradients, read


def two_level_scan(
    inputs: Tensor, step_sizes: Tensor, state_matrix: Tensor, input_matrix: Tensor, output_matrix: Tensor
) -> Tensor:
    """Scan all chunks at once; arguments and result as in ``selective_scan``. Differentiable once."""
    tensors = (inputs, step_sizes, state_matrix, input_matrix, output_matrix)
    if torch.is_grad_enabled():
        return _TwoLevelScan.apply(*tensors)
    return _scan(*tensors)[0]  # a traced network can be saved only without autograd functions


def _scan(
    inputs: Tensor, step_sizes: Tensor, state_matrix: Tensor, input_matrix: Tensor, output_matrix: Tensor
) -> tuple[Tensor, Tensor]:
    """Outputs, and the state that every chunk begins with."""
    columns = _columns(inputs, step_sizes, input_matrix, output_matrix)
    state = state_matrix.new_zeros(())
    for value, step, into, _ in columns:
        state = _advance(state, value, step, into, state_matrix)
    begins = state = _begins(state, _chunk_decays(step_sizes, state_matrix))
    outputs = []
    for value, step, into, out in columns:
        state = _advance(state, value, step, into, state_matrix)
        outputs.append(read(state, out))
    return _sequence(outputs, inputs.shape[2]), begins


class _TwoLevelScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, *tensors: Tensor) -> Tensor:
        outputs, begins = _scan(*tensors)
        ctx.save_for_backward(*tensors, begins)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, output_gradient: Tensor) -> tuple[Tensor, ...]:
        inputs, step_sizes, state_matrix, input_matrix, output_matrix, begins = ctx.saved_tensors
        columns = _columns(inputs, step_sizes, input_matrix, output_matrix, output_gradient)
        states, decay = [begins], []
        for value, step, into, _, _ in columns:
            decay.append(decays(step, state_matrix))
            states.append(drives(value, step, into).addcmul_(decay[-1], states[-1]))

        later = torch.zeros_like(begins)
        for (*_, out, by_output), left in zip(reversed(columns), reversed(decay), strict=True):
            later = later.addcmul_(out[..., None], by_output[..., None, :]).mul_(left)
        chunk_decays = _chunk_decays(step_sizes, state_matrix)
        later = _begins(later.flip(2), chunk_decays.flip(2)).flip(2)

        found = []
        for value, step, into, out, by_output in reversed(columns):
            left, after = decay.pop(), states.pop()
            by_state = later.addcmul_(out[..., None], by_output[..., None, :])
            later = by_state * left
            sequences = (value, step, into, by_output)
            found.append(gradients(by_state, states[-1].clone(), after, left, sequences, state_matrix))
        by_input, by_step, by_matrix, by_into, by_out = zip(*reversed(found), strict=True)
        length = inputs.shape[2]
        return (
            _sequence(by_input, length),
            _sequence(by_step, length),
            sum(by_matrix, torch.zeros_like(state_matrix)),
            _sequence(by_into, length),
            _sequence(by_out, length),
        )


def _advance(state: Tensor, value: Tensor, step: Tensor, into: Tensor, state_matrix: Tensor) -> Tensor:
    return (decays(step, state_matrix) * state).addcmul_((step * value)[..., None, :], into[..., None])


def _chunks(sequence: Tensor) -> Tensor:
    """(B, G, L, C) -> (B, G, chunks, positions, C)."""
    length = sequence.shape[2]
    size = math.isqrt(length - 1) + 1
    count = -(-length // size)
    # A step of 0 leaves the state alone, so what is padded does nothing.
    return F.pad(sequence, (0, 0, 0, size * count - length)).unflatten(2, (count, size))


def _columns(*sequences: Tensor) -> list[tuple[Tensor, ...]]:
    """Per position of a chunk, the values of all chunks: (B, G, chunks, C) each."""
    return list(zip(*(_chunks(sequence).unbind(3) for sequence in sequences), strict=True))


def _sequence(columns: list[Tensor] | tuple[Tensor, ...], length: int) -> Tensor:
    return torch.stack(columns, 3).flatten(2, 3)[:, :, :length]


def _chunk_decays(step_sizes: Tensor, state_matrix: Tensor) -> Tensor:
    return decays(_chunks(step_sizes).sum(3), state_matrix)


def _begins(left_behind: Tensor, decay: Tensor) -> Tensor:
    """The state (B, G, chunks, N, C) that every chunk begins with, from what each leaves of a state of 0."""
    begins = [torch.zeros_like(left_behind[:, :, 0])]
    for left, kept in zip(left_behind.unbind(2)[:-1], decay.unbind(2)[:-1], strict=True):
        begins.append(torch.addcmul(left, kept, begins[-1]))
    return torch.stack(begins, 2)
