"""Parameters and multiply-adds, counted as the papers of this field count them.

Their cost columns come from ``thop`` 0.1.1: convolutions and linear layers without bias, normalisation
as 4 operations per element, adaptive average pooling, softmax modules; nothing for activations or for
functional calls (attention products, scans). These rules are written out here so that the numbers can be
compared with published ones; they understate networks that work through functional calls.
A module that computes published layers by functional calls says what these layers would count in a method
``functional_multiply_adds(source) -> int``, which is added to the count of its submodules.
"""

import math

import torch
from torch import Tensor, nn

_NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.InstanceNorm2d, nn.GroupNorm)


def count_parameters(network: nn.Module) -> int:
    """Number of parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_multiply_adds(network: nn.Module, num_sources: int = 2, height: int = 256, width: int = 256) -> int:
    """Multiply-adds of one forward pass of ``network`` on (1, num_sources, height, width)."""
    total = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += _multiply_adds(module, inputs[0], output)

    def add_functional(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += module.functional_multiply_adds(inputs[0])

    handles = []
    for module in network.modules():
        if hasattr(module, "functional_multiply_adds"):
            handles.append(module.register_forward_hook(add_functional))
        elif not list(module.children()):
            handles.append(module.register_forward_hook(add))
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
    if isinstance(module, nn.Softmax):
        length = source.shape[module.dim]
        return source.numel() // length * (3 * length - 1)
    return 0
