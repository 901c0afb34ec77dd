"""MONAI bundles as models: find them, read what their metadata say, load their networks.

A bundle is a folder ``NAME/`` with ``configs/inference.json`` and trained weights; nothing else has to be
told to any front end for a new network to appear there. Every file of weights that ``configs/metadata.json`` records
is one model: ``model.pt`` is ``NAME``, ``model_quality.pt`` (the same network trained by the recipe ``quality``) is
``NAME-quality``.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from volfuse.errors import FusionError
from volfuse.models.lesions import kept
from volfuse.resources import shipped

if TYPE_CHECKING:
    import torch
    from monai.bundle import ConfigParser
    from torch import nn


class Weights(TypedDict):
    """What is read here of where a file of weights comes from; beside it stand data, split, epochs, seed, command."""

    sha256: str
    configs: NotRequired[list[str]]
    description: NotRequired[str]


class Metadata(TypedDict):
    """What is read here of ``configs/metadata.json``; MONAI's schema asks for more."""

    name: str
    description: str
    version: str
    network_data_format: Mapping[str, Any]
    has_contributions: NotRequired[bool]
    weights: Mapping[str, Weights]


@dataclass(frozen=True)
class Bundle:
    """One MONAI bundle folder with one of its files of weights; see :class:`volfuse.models.Model`.

    Args:
        root: the folder that holds ``configs`` and ``models``; its name is the model's name.
        weights_file: a file in ``models``.
    """

    root: Path
    weights_file: str = "model.pt"

    @property
    def name(self) -> str:
        """The name users choose the model by."""
        return self.root.name + self._recipe

    @property
    def title(self) -> str:
        """Its proper name."""
        return self.metadata["name"] + self._recipe

    @property
    def description(self) -> str:
        """One plain line."""
        return self.record.get("description", self.metadata["description"])

    @property
    def version(self) -> str:
        """The version of configurations and weights."""
        return self.metadata["version"]

    @property
    def num_sources(self) -> int:
        """How many source images the network takes."""
        return int(self.metadata["network_data_format"]["inputs"]["image"]["num_channels"])

    @property
    def is_trained(self) -> bool:
        """A network, not a classical rule."""
        return True

    @property
    def has_contributions(self) -> bool:
        """It can tell what each source adds to the fused image."""
        return self.metadata.get("has_contributions", False)

    @property
    def kept(self) -> str:
        """What it keeps of a lesion that one scan alone shows, in one sentence."""
        return kept(self.name, self.record.get("sha256", ""))

    @cached_property
    def metadata(self) -> Metadata:
        """``configs/metadata.json``."""
        text = (self.root / "configs" / "metadata.json").read_text(encoding="utf-8")
        metadata: Metadata = json.loads(text)
        return metadata

    @property
    def record(self) -> Weights:
        """Where the weights come from: hash, data, split, epochs, seed, commit, command."""
        return self.metadata["weights"][self.weights_file]

    @property
    def training_configs(self) -> list[str]:
        """The files in ``configs`` that these weights were trained with, in the order in which they are merged."""
        return self.record.get("configs", ["train.json"])

    @property
    def weights(self) -> Path:
        """The file of trained weights."""
        return self.root / "models" / self.weights_file

    def weights_hash(self) -> str:
        """Return the SHA-256 of the weights file in hexadecimal."""
        return hashlib.sha256(self.weights.read_bytes()).hexdigest()

    def parser(self, **values: Any) -> "ConfigParser":
        """Return ``configs/inference.json`` with ``values``; see :func:`volfuse.models.loading.read_inference`."""
        from volfuse.models.loading import read_inference

        config = self.root / "configs" / "inference.json"
        return read_inference(config, bundle_root=str(self.root.resolve()), **values)

    def load_network(self, device: "torch.device") -> "nn.Module":
        """Return the trained network on ``device``, ready for inference.

        Raises:
            FusionError: if the weights are missing, damaged or those of another network.
        """
        from volfuse.models.loading import load_weights

        if not self.weights.is_file():
            raise FusionError(
                f"The weights of {self.name} are missing; put them at {self.weights} or install volfuse again."
            )
        network = self.parser(device=device).get_parsed_content("network")
        return load_weights(network, self.weights, device, self.name)

    @property
    def _recipe(self) -> str:
        return Path(self.weights_file).stem.removeprefix("model").replace("_", "-")


def bundles() -> dict[str, Bundle]:
    """Return all bundles by name.

    Those in the folders of ``VOLFUSE_BUNDLES`` (separated as in PATH) come first and hide ours of the same name.
    """
    found: dict[str, Bundle] = {}
    for folder in [*user_folders(), shipped("monai_bundles")]:
        for metadata in sorted(folder.glob("*/configs/metadata.json")):
            root = metadata.parents[1]
            for weights_file in Bundle(root).metadata["weights"]:
                bundle = Bundle(root, weights_file)
                found.setdefault(bundle.name, bundle)
    return found


def user_folders() -> list[Path]:
    """Return the folders of bundles that the user named in ``VOLFUSE_BUNDLES``."""
    return [Path(folder) for folder in os.environ.get("VOLFUSE_BUNDLES", "").split(os.pathsep) if folder]
