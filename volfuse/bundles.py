"""Find, check, load and pack the MONAI bundles that volfuse fuses with.

A bundle is a folder ``NAME/`` with ``configs/inference.json`` and trained weights; nothing else has to be
told to any front end for a new network to appear there. Every file ``models/model*.pt`` is one model: ``model.pt``
is ``NAME``, ``model_quality.pt`` (the same network trained by the recipe ``quality``) is ``NAME-quality``.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import nn

from volfuse.errors import FusionError
from volfuse.listing import recipe, weights_files

REQUIRED_FILES = (
    "LICENSE",
    "configs/metadata.json",
    "configs/inference.json",
    "configs/train.json",
    "configs/evaluate.json",
    "configs/multi_gpu_train.json",
    "configs/logging.conf",
    "docs/README.md",
    "models/model.pt",
)
_PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Bundle:
    """One MONAI bundle folder with one of its files of weights.

    Args:
        root: the folder that holds ``configs`` and ``models``; its name is the model's name.
        weights_file: a file in ``models``.
    """

    root: Path
    weights_file: str = "model.pt"

    @property
    def name(self) -> str:
        """The name users choose the model by."""
        return self.root.name + recipe(self.weights_file)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """``configs/metadata.json``."""
        return json.loads((self.root / "configs" / "metadata.json").read_text())

    @property
    def record(self) -> Mapping[str, Any]:
        """Where the weights come from: hash, data, split, epochs, seed, commit, command."""
        return self.metadata["weights"][self.weights_file]

    @property
    def version(self) -> str:
        """The version of configurations and weights."""
        return self.metadata["version"]

    @property
    def description(self) -> str:
        """One plain line."""
        return self.record.get("description", self.metadata["description"])

    @property
    def num_sources(self) -> int:
        """How many source images the network takes."""
        return self.metadata["network_data_format"]["inputs"]["image"]["num_channels"]

    @property
    def weights(self) -> Path:
        """The file of trained weights."""
        return self.root / "models" / self.weights_file

    def parser(self, **values: Any) -> ConfigParser:
        """Return ``configs/inference.json`` with ``values`` in it; see :func:`read_inference`."""
        return read_inference(
            self.root / "configs" / "inference.json", bundle_root=str(self.root.resolve()), **values
        )

    def load_network(self, device: torch.device) -> nn.Module:
        """Return the trained network on ``device``, ready for inference.

        Raises:
            FusionError: if the weights are missing, damaged or those of another network.
        """
        if not self.weights.is_file():
            raise FusionError(
                f"The weights of {self.name} are missing; put them at {self.weights} or install volfuse again."
            )
        network = self.parser(device=device).get_parsed_content("network")
        try:
            network.load_state_dict(torch.load(self.weights, map_location=device, weights_only=True))
        except Exception as error:  # a damaged file can raise nearly anything
            raise FusionError(
                f"The weights of {self.name} are damaged or belong to another version; install volfuse again."
            ) from error
        return network.eval()

    def weights_hash(self) -> str:
        """Return the SHA-256 of the weights file in hexadecimal."""
        return hashlib.sha256(self.weights.read_bytes()).hexdigest()


def bundles() -> dict[str, Bundle]:
    """Return all bundles by name, in the order of ``volfuse.listing.weights_files``."""
    found: dict[str, Bundle] = {}
    for root, weights_file in weights_files():
        bundle = Bundle(root, weights_file)
        found.setdefault(bundle.name, bundle)
    return found


def read_inference(path: Path, **values: Any) -> ConfigParser:
    """Read an inference configuration with ``values`` put in place of its top-level entries.

    Strings in a configuration can be code: pass objects or words of this library, never text of a user.

    Raises:
        KeyError: if the configuration has no such entry.
    """
    parser = ConfigParser()
    parser.read_config(str(path))
    for key, value in values.items():
        if key not in parser.config:
            raise KeyError(f"{path} has no entry '{key}'")
        parser[key] = value
    return parser


def validate(bundle: Bundle) -> list[str]:
    """Check files, properties and agreement of a bundle; returns one sentence per problem, or nothing."""
    problems = [f"{name} is missing" for name in REQUIRED_FILES if not (bundle.root / name).is_file()]
    if problems:
        return problems
    configs = {
        name: json.loads((bundle.root / "configs" / f"{name}.json").read_text())
        for name in ("train", "inference")
    }
    if configs["train"]["network_def"] != configs["inference"]["network_def"]:
        problems.append("train.json and inference.json describe different networks")
    if (recorded := bundle.record["sha256"]) != bundle.weights_hash():
        problems.append(
            f"models/{bundle.weights_file} is not the file that metadata.json records ({recorded[:12]}...)"
        )
    if scripts := [path.name for path in bundle.root.rglob("*.py")]:
        problems.append(f"a bundle holds no Python, but this one has {', '.join(scripts)}")
    return problems


def pack(bundle: Bundle, folder: Path) -> Path:
    """Write ``NAME_vVERSION.zip`` with the bundle and this library inside; returns its path.

    The library lies in the bundle folder, which ``monai.bundle run`` puts on Python's path, so the archive
    runs where volfuse is not installed.
    """
    stem = f"{bundle.name}_v{bundle.version}"
    no_caches = shutil.ignore_patterns("__pycache__", "monai_bundles", "runs", "eval")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        copy = Path(scratch) / "content" / bundle.name
        shutil.copytree(bundle.root, copy, ignore=no_caches)
        shutil.copytree(_PACKAGE, copy / _PACKAGE.name, ignore=no_caches)
        archive = shutil.make_archive(str(Path(scratch) / stem), "zip", copy.parent)
        return Path(archive).replace(folder / f"{stem}.zip")
