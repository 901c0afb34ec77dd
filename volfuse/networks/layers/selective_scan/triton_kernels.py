"""The selective scan on a GPU: one kernel forward, one backward, states in registers.

A program scans ``CHANNELS`` channels of one sequence (a sample and group). Forward keeps the state at every
``INTERVAL`` positions; backward computes the states between two of them again, then walks back over them.
With the environment variable ``TRITON_INTERPRET=1`` on import the kernels run without a GPU, slowly.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

CHANNELS = 32
INTERVAL = 32


def triton_scan(
    inputs: Tensor, step_sizes: Tensor, state_matrix: Tensor, input_matrix: Tensor, output_matrix: Tensor
) -> Tensor:
    """Scan with Triton; arguments and result as in ``selective_scan``, float32. Differentiable once."""
    return _TritonScan.apply(inputs, step_sizes, state_matrix, input_matrix, output_matrix)


class _TritonScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, *tensors: Tensor) -> Tensor:
        tensors = tuple(tensor.contiguous() for tensor in tensors)
        inputs, _, state_matrix, _, _ = tensors
        outputs = torch.empty_like(inputs)
        begins = _state_table(inputs, state_matrix, triton.cdiv(inputs.shape[2], INTERVAL))
        _forward_kernel[_grid(inputs)](*tensors, outputs, begins, *_sizes(inputs, state_matrix))
        ctx.save_for_backward(*tensors, begins)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, output_gradient: Tensor) -> tuple[Tensor, ...]:
        *tensors, begins = ctx.saved_tensors
        inputs, step_sizes, state_matrix, input_matrix, _ = tensors
        grid = _grid(inputs)
        by_input, by_step = torch.empty_like(inputs), torch.empty_like(step_sizes)
        by_matrix = state_matrix.new_empty(inputs.shape[0], *state_matrix.shape)
        # Programs that share B and C write their parts side by side: a sum by atomics would change from run to run.
        by_into, by_out = (input_matrix.new_empty(grid[1], *input_matrix.shape) for _ in range(2))
        _backward_kernel[grid](
            *tensors,
            begins,
            output_gradient.contiguous(),
            _state_table(inputs, state_matrix, INTERVAL),
            by_input,
            by_step,
            by_matrix,
            by_into,
            by_out,
            *_sizes(inputs, state_matrix),
        )
        return by_input, by_step, by_matrix.sum(0), by_into.sum(0), by_out.sum(0)


def _grid(inputs: Tensor) -> tuple[int, int]:
    batch, groups, _, channels = inputs.shape
    return batch * groups, triton.cdiv(channels, CHANNELS)


def _sizes(inputs: Tensor, state_matrix: Tensor) -> tuple[int, ...]:
    _, groups, length, channels = inputs.shape
    states = state_matrix.shape[1]
    return groups, length, channels, states, triton.next_power_of_2(states), CHANNELS, INTERVAL


def _state_table(inputs: Tensor, state_matrix: Tensor, rows: int) -> Tensor:
    """Room for ``rows`` states of every sequence."""
    return inputs.new_empty(inputs.shape[0] * inputs.shape[1], rows, *state_matrix.shape[1:])


@triton.jit
def _forward_kernel(
    inputs,
    step_sizes,
    state_matrix,
    input_matrix,
    output_matrix,
    outputs,
    begins,
    groups,
    length,
    channels,
    states,
    STATES: tl.constexpr,  # noqa: N803 - Triton writes constants in capitals
    CHANNELS: tl.constexpr,  # noqa: N803
    INTERVAL: tl.constexpr,  # noqa: N803
):
    sequence = tl.program_id(0).to(tl.int64)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    index = tl.arange(0, STATES)
    in_channels = channel < channels
    in_states = index < states
    in_table = in_states[:, None] & in_channels[None, :]
    table = index[:, None] * channels + channel[None, :]
    table_size = states * channels
    matrix = tl.load(state_matrix + (sequence % groups) * table_size + table, mask=in_table, other=0.0)
    begins += sequence * tl.cdiv(length, INTERVAL) * table_size + table

    state = tl.zeros([STATES, CHANNELS], dtype=tl.float32)
    for position in range(length):
        if position % INTERVAL == 0:
            tl.store(begins + (position // INTERVAL) * table_size, state, mask=in_table)
        row = sequence * length + position
        value = tl.load(inputs + row * channels + channel, mask=in_channels, other=0.0)
        step = tl.load(step_sizes + row * channels + channel, mask=in_channels, other=0.0)
        into = tl.load(input_matrix + row * states + index, mask=in_states, other=0.0)
        out = tl.load(output_matrix + row * states + index, mask=in_states, other=0.0)
        state = tl.exp(step[None, :] * matrix) * state + into[:, None] * (step * value)[None, :]
        result = tl.sum(out[:, None] * state, axis=0)
        tl.store(outputs + row * channels + channel, result, mask=in_channels)


@triton.jit
def _backward_kernel(
    inputs,
    step_sizes,
    state_matrix,
    input_matrix,
    output_matrix,
    begins,
    output_gradient,
    recomputed,
    by_input,
    by_step,
    by_matrix,
    by_into,
    by_out,
    groups,
    length,
    channels,
    states,
    STATES: tl.constexpr,  # noqa: N803
    CHANNELS: tl.constexpr,  # noqa: N803
    INTERVAL: tl.constexpr,  # noqa: N803
):
    sequence = tl.program_id(0).to(tl.int64)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    index = tl.arange(0, STATES)
    in_channels = channel < channels
    in_states = index < states
    in_table = in_states[:, None] & in_channels[None, :]
    table = index[:, None] * channels + channel[None, :]
    table_size = states * channels
    matrix = tl.load(state_matrix + (sequence % groups) * table_size + table, mask=in_table, other=0.0)
    intervals = tl.cdiv(length, INTERVAL)
    begins += sequence * intervals * table_size + table
    recomputed += sequence * INTERVAL * table_size + table
    part = tl.program_id(1).to(tl.int64) * tl.num_programs(0) * length

    later = tl.zeros([STATES, CHANNELS], dtype=tl.float32)
    matrix_gradient = tl.zeros([STATES, CHANNELS], dtype=tl.float32)
    for counted in range(intervals):
        interval = intervals - 1 - counted
        start = interval * INTERVAL
        positions = min(INTERVAL, length - start)
        state = tl.load(begins + interval * table_size, mask=in_table, other=0.0)
        for position in range(positions):
            tl.store(recomputed + position * table_size, state, mask=in_table)
            row = sequence * length + start + position
            value = tl.load(inputs + row * channels + channel, mask=in_channels, other=0.0)
            step = tl.load(step_sizes + row * channels + channel, mask=in_channels, other=0.0)
            into = tl.load(input_matrix + row * states + index, mask=in_states, other=0.0)
            state = tl.exp(step[None, :] * matrix) * state + into[:, None] * (step * value)[None, :]
        tl.debug_barrier()  # the loads below may be spread over other threads than the stores above
        for passed in range(positions):
            position = positions - 1 - passed
            before = tl.load(recomputed + position * table_size, mask=in_table, other=0.0)
            row = sequence * length + start + position
            value = tl.load(inputs + row * channels + channel, mask=in_channels, other=0.0)
            step = tl.load(step_sizes + row * channels + channel, mask=in_channels, other=0.0)
            wanted = tl.load(output_gradient + row * channels + channel, mask=in_channels, other=0.0)
            into = tl.load(input_matrix + row * states + index, mask=in_states, other=0.0)
            out = tl.load(output_matrix + row * states + index, mask=in_states, other=0.0)
            decay = tl.exp(step[None, :] * matrix)
            state = decay * before + into[:, None] * (step * value)[None, :]

            by_state = later + out[:, None] * wanted[None, :]
            by_exponent = by_state * before * decay
            by_driven = tl.sum(by_state * into[:, None], axis=0)
            step_gradient = by_driven * value + tl.sum(by_exponent * matrix, axis=0)
            matrix_gradient += by_exponent * step[None, :]
            into_gradient = tl.sum(by_state * (step * value)[None, :], axis=1)
            out_gradient = tl.sum(state * wanted[None, :], axis=1)
            tl.store(by_input + row * channels + channel, by_driven * step, mask=in_channels)
            tl.store(by_step + row * channels + channel, step_gradient, mask=in_channels)
            tl.store(by_into + (part + row) * states + index, into_gradient, mask=in_states)
            tl.store(by_out + (part + row) * states + index, out_gradient, mask=in_states)
            later = by_state * decay
        tl.debug_barrier()
    tl.store(by_matrix + sequence * table_size + table, matrix_gradient, mask=in_table)


INTERPRETED = not isinstance(_forward_kernel, triton.JITFunction)
"""Whether the kernels run without a GPU."""
