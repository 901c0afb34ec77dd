"""Which tensor of a checkpoint goes where in our network, and the check that every one has its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.models.authors.checkpoint import Checkpoint


@dataclass(frozen=True)
class Taken:
    """Where a tensor of our network comes from.

    Args:
        name: what the authors call it.
        change: what turns theirs into ours: a transposition, a part of it.
    """

    name: str
    change: Callable[[Tensor], Tensor] = torch.Tensor.detach


Places = dict[str, Taken]
"""By the names of our network."""

WEIGHT_AND_BIAS = ("weight", "bias")


@dataclass(frozen=True)
class Layout:
    """How the authors of a network lay one of their files out.

    Args:
        what: the file in words that follow "is not": ``the fusion network of CrossFuse``.
        places: where every tensor of ours comes from.
        constants: tensors of theirs that our network has as a constant, with its value.
        unused: names of tensors that their network holds and never calls.
    """

    what: str
    places: Places
    constants: Mapping[str, float]
    unused: frozenset[str]


def layer(ours: str, theirs: str, parts: tuple[str, ...] = WEIGHT_AND_BIAS) -> Places:
    """Return the places of one layer whose tensors have the same names and shapes on both sides."""
    return {f"{ours}.{part}": Taken(f"{theirs}.{part}") for part in parts}


def fit(checkpoint: Checkpoint, layout: Layout, network: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of ``layout`` under our names, of the shapes and types in ``network``.

    Args:
        checkpoint: the authors' tensors.
        layout: where they go.
        network: state of our network, which may lie on the device ``meta``.

    Raises:
        FusionError: if the checkpoint holds a tensor without a place, lacks one, or has one of another shape.
    """
    taken = {place.name for place in layout.places.values()}
    known = taken | layout.constants.keys() | layout.unused
    for name in checkpoint.tensors:
        if name not in known:
            raise FusionError(
                f"{checkpoint.file} is not {layout.what}, which has no '{name}'; give the file that its authors' code "
                "wrote."
            )
    if missing := [name for name in sorted(taken) if name not in checkpoint.tensors]:
        others = f" and {len(missing) - 1} more tensors" if len(missing) > 1 else ""
        raise FusionError(
            f"{checkpoint.file} lacks '{missing[0]}'{others} of {layout.what}; get the file again."
        )
    for name, value in layout.constants.items():
        tensor = checkpoint.tensors.get(name)
        if tensor is not None and (tensor.float() - value).abs().gt(1e-6).any():
            raise FusionError(
                f"{checkpoint.file} has other values than {value:.3g} in '{name}', which {layout.what} keeps constant; "
                "it comes from other code."
            )
    return {ours: _placed(checkpoint, layout, place, network[ours]) for ours, place in layout.places.items()}


def _placed(checkpoint: Checkpoint, layout: Layout, place: Taken, expected: Tensor) -> Tensor:
    tensor = checkpoint.tensors[place.name]
    try:
        changed = place.change(tensor)
    except (RuntimeError, IndexError):  # of a shape that cannot be changed like that
        changed = None
    if changed is None or changed.shape != expected.shape:
        raise FusionError(
            f"{checkpoint.file} has a '{place.name}' of another shape ({_size(tensor)}) than {layout.what}; give the "
            "file that its authors' code wrote."
        )
    # A copy, since a part of a tensor would be saved with the whole of it.
    return changed.to(expected.dtype).clone(memory_format=torch.contiguous_format)


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"
