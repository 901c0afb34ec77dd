"""The selective scan, written as its equation."""

import torch
from torch import Tensor


def reference_scan(
    inputs: Tensor, step_sizes: Tensor, state_matrix: Tensor, input_matrix: Tensor, output_matrix: Tensor
) -> Tensor:
    """One position after the other; arguments and result as in ``selective_scan``."""
    state = torch.zeros_like(state_matrix)
    outputs = []
    for position in range(inputs.shape[2]):
        step = step_sizes[:, :, position, None]
        driven = step * inputs[:, :, position, None] * input_matrix[:, :, position, :, None]
        state = torch.exp(step * state_matrix) * state + driven
        outputs.append((output_matrix[:, :, position, :, None] * state).sum(2))
    return torch.stack(outputs, 2)
