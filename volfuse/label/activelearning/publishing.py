"""New weights beside the old ones: a bundle of its own with one file of weights per round of training.

``lightfusionnet`` fine-tuned in round 3 is the model ``lightfusionnet-round3``: its name says which weights made an
image, the earlier ones stay, and no file is ever overwritten.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

from volfuse.models import Bundle
from volfuse.storage import write_whole

_ROUND = re.compile(r"_round\d+$")
_REMARK = re.compile(r" \(fine-tuned in round \d+\)$")


def own_loss(bundle: Bundle) -> nn.Module:
    """Return the self-supervised loss of fused images that a bundle's ``train.json`` trains these weights with."""
    loss: nn.Module = _recipe(bundle).get_parsed_content("loss")
    return loss


def own_training(bundle: Bundle) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """Return what its trainer does with a batch: the loss, and what makes its sources of a batch of crops.

    UnionNet's sees every crop twice, the second time with a lesion; the loss of most bundles is :func:`own_loss`.
    """
    parser = _recipe(bundle)
    loss: nn.Module = parser.get_parsed_content("train::trainer::loss_function")
    prepare_batch = parser.get_parsed_content("train::trainer::prepare_batch")

    def prepare(crops: Tensor) -> Tensor:
        sources: Tensor = prepare_batch({"image": crops})[0]
        return sources

    return loss, prepare


def _recipe(bundle: Bundle) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config([str(bundle.root / "configs" / name) for name in bundle.training_configs])
    return parser


def round_file(bundle: Bundle, number: int) -> str:
    """Return what the weights of a round of training of ``bundle`` are called."""
    return f"{Path(_without_round(bundle.weights_file)).stem}_round{number}.pt"


def publish(
    base: Bundle, state: Mapping[str, Tensor], record: Mapping[str, Any], number: int, folder: Path
) -> Bundle:
    """Add the weights of one round to the copy of a bundle in ``folder``.

    The model exists from the moment in which the metadata are replaced, a single rename. A process that is killed
    before leaves a file of weights that no model uses.

    Args:
        base: what was fine-tuned.
        state: the new weights.
        record: what its metadata say of them; ``sha256``, ``configs`` and ``description`` are added.
        number: of the round.
        folder: a folder of bundles; name it in ``VOLFUSE_BUNDLES`` for volfuse to find the model.
    """
    root = folder / base.root.name
    published = Bundle(root, round_file(base, number))
    if not (root / "configs" / "metadata.json").is_file():
        _copy(base, root)
    write_whole(published.weights, lambda partial: torch.save(dict(state), partial))
    published.load_network(torch.device("cpu"))
    metadata = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))
    metadata["weights"][published.weights_file] = {
        **record,
        "configs": base.training_configs,
        "description": f"{_REMARK.sub('', base.description)} (fine-tuned in round {number})",
        "sha256": hashlib.sha256(published.weights.read_bytes()).hexdigest(),
    }
    write_whole(root / "configs" / "metadata.json", json.dumps(metadata, indent=2))
    return published


def _copy(base: Bundle, root: Path) -> None:
    """Copy a bundle, its metadata last: without them it is invisible."""
    shutil.copytree(
        base.root, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("metadata.json", "runs", "eval")
    )
    metadata = {**base.metadata, "weights": {}}
    write_whole(root / "configs" / "metadata.json", json.dumps(metadata, indent=2))


def _without_round(weights_file: str) -> str:
    return _ROUND.sub("", Path(weights_file).stem) + ".pt"
