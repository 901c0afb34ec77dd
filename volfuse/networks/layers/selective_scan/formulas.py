"""What the backends in plain torch share: the equation and its gradients, for many positions at once.

Shapes: ``P`` positions that are computed together; values and steps (B, G, P, C), input and output matrix
(B, G, P, N), states (B, G, P, N, C), state matrix (G, N, C).
"""

from torch import Tensor


def decays(steps: Tensor, state_matrix: Tensor) -> Tensor:
    """What is left of a state (B, G, P, N, C) after a step."""
    return (steps[..., None, :] * state_matrix[:, None]).exp_()


def drives(values: Tensor, steps: Tensor, into: Tensor) -> Tensor:
    """What an input adds to the state (B, G, P, N, C)."""
    return (steps * values)[..., None, :] * into[..., None]


def read(states: Tensor, out: Tensor) -> Tensor:
    """Outputs (B, G, P, C) of states (B, G, P, N, C)."""
    return (states * out[..., None]).sum(-2)


def gradients(
    by_state: Tensor,
    before: Tensor,
    after: Tensor,
    decay: Tensor,
    sequences: tuple[Tensor, Tensor, Tensor, Tensor],
    state_matrix: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients by value, step, state matrix, input matrix and output matrix.

    Args:
        by_state: gradient by the state after each position.
        before: state before each position; overwritten.
        after: state after each position; overwritten.
        decay: see ``decays``.
        sequences: values, steps, input matrix and the gradient by the output, at these positions.
        state_matrix: (G, N, C).
    """
    values, steps, into, by_output = sequences
    by_exponent = before.mul_(by_state).mul_(decay)
    by_driven = read(by_state, into)
    by_step = by_driven * values + (by_exponent * state_matrix[:, None]).sum(-2)
    by_into = (by_state * (steps * values)[..., None, :]).sum(-1)
    by_out = after.mul_(by_output[..., None, :]).sum(-1)
    by_matrix = by_exponent.mul_(steps[..., None, :]).sum((0, 2))
    return by_driven * steps, by_step, by_matrix, by_into, by_out
