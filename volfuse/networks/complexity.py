"""Parameters and multiply-adds, counted as the papers of this field count them.

Their cost columns come from ``thop`` 0.1.1: convolutions and linear layers without bias, normalisation
as 4 operations per element, adaptive average pooling, softmax modules; nothing for activations or for
functional calls (attention products, scans). These rules are written out here so that the numbers can be
compared with published ones; they understate networks that work through functional calls.
A module that computes published layers by functional calls says what these layers would count, which is added to the
count of its submodules; see :class:`CountsFunctionalCalls`.
"""

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

_NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.InstanceNorm2d, nn.GroupNorm)


@runtime_checkable
class CountsFunctionalCalls(Protocol):
    """A module that knows what its functional calls would cost as layers."""

    def functional_multiply_adds(self, source: Tensor, /) -> int:
        """Return the multiply-adds on ``source``, without those of submodules."""


def count_parameters(network: nn.Module) -> int:
    """Number of parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_multiply_adds(network: nn.Module, num_sources: int = 2, height: int = 256, width: int = 256) -> int:
    """Multiply-adds of one forward pass of ``network`` on (1, num_sources, height, width)."""
    total = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, CountsFunctionalCalls):
            total += module.functional_multiply_adds(inputs[0])
        else:
            total += _multiply_adds(module, inputs[0], output)

    handles = [
        module.register_forward_hook(add)
        for module in network.modules()
        if isinstance(module, CountsFunctionalCalls) or not list(module.children())
    ]
    reference = next(network.parameters())
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, num_sources, height, width).to(reference))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return total


def _multiply_adds(module: nn.Module, source: Tensor, output: Tensor) -> int:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return output.numel() * module.in_channels // module.groups * math.prod(module.kernel_size)
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    if isinstance(module, _NORMS):
        affine = getattr(module, "affine", getattr(module, "elementwise_affine", False))
        return source.numel() * (4 if affine else 2)
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return output.numel() * (source[0, 0].numel() // output[0, 0].numel() + 1)
    if isinstance(module, nn.Softmax) and module.dim is not None:
        length = source.shape[module.dim]
        return source.numel() // length * (3 * length - 1)
    return 0
