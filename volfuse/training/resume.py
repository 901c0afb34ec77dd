"""What a training starts from: weights that are there, or a checkpoint of the very same training."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import nn

from volfuse.errors import FusionError
from volfuse.models.running import caller

# What may change between the parts of one training: where things are, how long it goes on, what is looked at.
_FREE = {
    *("_meta_", "imports", "initialize", "run", "finalize", "train", "validate"),
    *("bundle_root", "dataset_dir", "output_dir", "log_dir", "device", "num_workers", "cache_dir"),
    *("max_epochs", "val_interval", "early_stop", "tasks", "train_split", "val_split", "validation"),
    *("resume", "training_state", "checkpoint", "fingerprint"),
    *("tracking_uri", "experiment_name", "run_name", "is_not_rank0", "save_execute_config"),
}
_PARTS = {"network": "network_def", "loss": "loss"}


def fingerprint(data: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return hashes of the network, the loss, the data and the rest of the recipe that a configuration describes.

    Call it in an expression of that configuration.

    Args:
        data: what is trained on; files may move, names and their order may not.
    """
    parser = caller(ConfigParser)
    config: dict[str, Any] = {} if parser is None else parser.get()
    train = config.get("train", {})
    names = [[str(item.get(key, "")) for key in ("task", "name")] for item in data]
    recipe = {name: value for name, value in config.items() if name not in _FREE | set(_PARTS.values())}
    recipe["train"] = [train.get(name) for name in ("preprocessing", "dataloader")]
    settings = {name: value for name, value in train.get("trainer", {}).items() if name != "max_epochs"}
    parts = {part: config.get(name) for part, name in _PARTS.items()}
    return {
        name: hashlib.sha256(json.dumps(part, sort_keys=True, default=str).encode()).hexdigest()
        for name, part in (parts | {"data": names, "recipe": [recipe, settings]}).items()
    }


def find_checkpoint(folder: str | Path, fingerprint: Mapping[str, str], max_epochs: int) -> str | None:
    """Return the latest checkpoint in ``folder``, or ``None`` to start from the beginning.

    Raises:
        FusionError: if it belongs to another training, or has gone through more epochs than wanted.
    """
    checkpoint = max(Path(folder).glob("checkpoint_epoch=*.pt"), key=_epoch, default=None)
    if checkpoint is None:
        return None
    found = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True).get("record", {})
    theirs = found.get("fingerprint", {})
    if changed := [part for part, value in fingerprint.items() if theirs.get(part) != value]:
        raise FusionError(
            f"{folder} holds a training with another {' and another '.join(changed)}; "
            "give this one an --output_dir of its own, or remove that folder."
        )
    if _epoch(checkpoint) > max_epochs:
        raise FusionError(
            f"{folder} holds a training of {_epoch(checkpoint)} epochs; give --max_epochs of that or more, "
            "or another --output_dir."
        )
    return str(checkpoint)


def load_start(network: nn.Module, start: str | Path | None) -> None:
    """Put the weights of a file into ``network``, for a training that shall not begin from random ones.

    Raises:
        FusionError: if the file is missing, or belongs to another network.
    """
    if start is None:
        return
    if not Path(start).is_file():
        raise FusionError(f"There are no weights {start} to start from; check the path.")
    try:
        network.load_state_dict(torch.load(start, map_location="cpu", weights_only=True))
    except Exception as error:  # a damaged file can raise nearly anything
        raise FusionError(f"{start} is damaged, or holds the weights of another network.") from error


def _epoch(checkpoint: Path) -> int:
    return int(checkpoint.stem.split("=")[1])
