"""Read a bundle's configuration and weights. The one place where a model needs torch and MONAI."""

from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import nn

from volfuse.errors import FusionError


def read_inference(path: Path, **values: Any) -> ConfigParser:
    """Read an inference configuration with ``values`` put in place of its top-level entries.

    Strings in a configuration can be code: pass objects or words of this library, never text of a user.

    Raises:
        KeyError: if the configuration has no such entry.
    """
    parser = ConfigParser()
    parser.read_config(str(path))
    for key, value in values.items():
        if key not in parser:
            raise KeyError(f"{path} has no entry '{key}'")
        parser[key] = value
    return parser


def load_weights(network: nn.Module, weights: Path, device: torch.device, name: str) -> nn.Module:
    """Put a file of weights into ``network``; returns it ready for inference.

    Raises:
        FusionError: if the file is damaged or belongs to another network; the message calls the model ``name``.
    """
    try:
        network.load_state_dict(torch.load(weights, map_location=device, weights_only=True))
    except Exception as error:  # a damaged file can raise nearly anything
        raise FusionError(
            f"The weights of {name} are damaged or belong to another version; install volfuse again."
        ) from error
    return network.eval()
