"""The selective scan of state-space networks; nothing has to be compiled beforehand.

Gu and Dao 2023, "Mamba: linear-time sequence modeling with selective state spaces" (arXiv:2312.00752),
equations 2a and 2b with the discretisation of their Algorithm 2. One file per way to compute it:

- ``reference``: the equation, one position after the other; what the others are tested against.
- ``two_level``: about ``2 * sqrt(length)`` large steps instead of ``length`` small ones; plain torch.
- ``sequential``: the least work; keeps few states and computes the others again where gradients need them.
- ``triton``: one GPU kernel each way, states in registers.
"""

from volfuse.networks.layers.selective_scan.choice import BACKENDS, Backend, selective_scan

__all__ = ["BACKENDS", "Backend", "selective_scan"]
