"""Files of weights that others wrote: read without running what they may hold."""

import hashlib
import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from volfuse.errors import FusionError

_WRAPPERS = ("state_dict", "model")  # under which training scripts store the weights beside other things
_PARALLEL = "module."  # what torch.nn.DataParallel puts before every name


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by the names that the authors gave them, and the file that they come from."""

    path: Path
    tensors: Mapping[str, Tensor]

    @property
    def file(self) -> str:
        """The name of the file, for messages and metadata."""
        return self.path.name

    def sha256(self) -> str:
        """Return the SHA-256 of the file in hexadecimal."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of PyTorch with ``weights_only=True``: what could run code is refused.

    A state dictionary may lie under ``state_dict`` or ``model``, and its names may begin with ``module.``.

    Raises:
        FusionError: if the file holds Python objects, is damaged, or holds no tensors by name.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FusionError(
            f"{path.name} holds Python objects, which can run code, and was not loaded; ask its authors for the "
            "weights alone (a state_dict)."
        ) from error
    except Exception as error:  # a damaged file can raise nearly anything
        raise FusionError(
            f"{path.name} could not be read as a checkpoint of PyTorch; it is damaged or another kind of file."
        ) from error
    while inner := _wrapped(content):
        content = inner
    if not (isinstance(content, dict) and content and all(map(_is_named_tensor, content.items()))):
        raise FusionError(
            f"{path.name} does not hold tensors by name; give the weights alone (a state_dict)."
        )
    if all(name.startswith(_PARALLEL) for name in content):
        content = {name.removeprefix(_PARALLEL): tensor for name, tensor in content.items()}
    logging.getLogger(__name__).info("%s: %d tensors", path.name, len(content))
    return Checkpoint(path, content)


def _wrapped(content: object) -> dict[object, object] | None:
    """The dictionary inside a dictionary of several things, if there is one."""
    if isinstance(content, dict):
        for key in _WRAPPERS:
            if isinstance(inner := content.get(key), dict):
                return inner
    return None


def _is_named_tensor(entry: tuple[object, object]) -> bool:
    name, value = entry
    return isinstance(name, str) and isinstance(value, Tensor)
