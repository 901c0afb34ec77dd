"""The selective scan with the least work and memory: one block of positions after the other.

Only the state at the start of every block is kept; the backward pass computes the others again.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from volfuse.networks.layers.selective_scan.formulas import decays, drives, gradients, read

# Positions per block: its states are computed together and fit a CPU's cache.
BLOCK = 32


def sequential_scan(
    inputs: Tensor, step_sizes: Tensor, state_matrix: Tensor, input_matrix: Tensor, output_matrix: Tensor
) -> Tensor:
    """Scan block by block; arguments and result as in ``selective_scan``. Differentiable once."""
    return _SequentialScan.apply(inputs, step_sizes, state_matrix, input_matrix, output_matrix)


class _SequentialScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, *tensors: Tensor) -> Tensor:
        inputs, step_sizes, state_matrix, input_matrix, output_matrix = tensors
        state = state_matrix.new_zeros(inputs.shape[0], *state_matrix.shape)
        begins, outputs = [], []
        for value, step, into, out in _blocks(inputs, step_sizes, input_matrix, output_matrix):
            begins.append(state)
            states = _states(state, decays(step, state_matrix), drives(value, step, into))
            state = states[:, :, -1].clone()
            outputs.append(read(states, out))
        ctx.save_for_backward(*tensors, torch.stack(begins))
        return torch.cat(outputs, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, output_gradient: Tensor) -> tuple[Tensor, ...]:
        inputs, step_sizes, state_matrix, input_matrix, output_matrix, begins = ctx.saved_tensors
        blocks = _blocks(inputs, step_sizes, input_matrix, output_matrix, output_gradient)
        later = torch.zeros_like(begins[0])
        found = []
        for begin, (value, step, into, out, by_output) in zip(
            reversed(begins), reversed(blocks), strict=True
        ):
            decay = decays(step, state_matrix)
            after = _states(begin, decay, drives(value, step, into))
            before = torch.cat([begin[:, :, None], after[:, :, :-1]], 2)
            by_state = out[..., None] * by_output[..., None, :]
            for position in reversed(range(step.shape[2])):
                later = by_state[:, :, position].add_(later) * decay[:, :, position]
            sequences = (value, step, into, by_output)
            found.append(gradients(by_state, before, after, decay, sequences, state_matrix))
        by_input, by_step, by_matrix, by_into, by_out = zip(*reversed(found), strict=True)
        return (
            torch.cat(by_input, 2),
            torch.cat(by_step, 2),
            sum(by_matrix, torch.zeros_like(state_matrix)),
            torch.cat(by_into, 2),
            torch.cat(by_out, 2),
        )


def _blocks(*sequences: Tensor) -> list[tuple[Tensor, ...]]:
    return list(zip(*(sequence.split(BLOCK, 2) for sequence in sequences), strict=True))


def _states(state: Tensor, decay: Tensor, driven: Tensor) -> Tensor:
    """States after every position of a block that begins with ``state``; overwrites ``driven``."""
    for position in range(driven.shape[2]):
        state = driven[:, :, position].addcmul_(decay[:, :, position], state)
    return driven
