"""Everything one can fuse with, by name: trained bundles and classical rules behind one interface."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from monai.bundle import ConfigParser
from torch import nn

import volfuse
from volfuse.bundles import bundles, read_inference
from volfuse.classical import CLASSICAL, ClassicalRule
from volfuse.errors import FusionError


class Model(Protocol):
    """What the pipeline, the command line and other front ends need to know of a model."""

    @property
    def name(self) -> str:
        """What users choose it by."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def description(self) -> str:
        """One plain line."""

    @property
    def num_sources(self) -> int | None:
        """How many images it fuses; ``None`` for two or more."""

    def parser(self, **values: Any) -> ConfigParser:
        """Return its inference configuration with checked ``values`` put in."""

    def load_network(self, device: torch.device) -> nn.Module:
        """Return what fuses slices: ``forward(sources (B, N, H, W)) -> (B, 1, H, W)``."""


@dataclass(frozen=True)
class ClassicalModel:
    """A classical rule as a model: every rule shares one configuration and has no weights."""

    rule: ClassicalRule
    num_sources = None
    version = volfuse.__version__

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.rule.name

    @property
    def description(self) -> str:
        """One plain line."""
        return self.rule.description

    def parser(self, **values: Any) -> ConfigParser:
        """Return the configuration of the rules; see ``volfuse.bundles.read_inference``."""
        return read_inference(Path(volfuse.__file__).parent / "classical" / "inference.json", **values)

    def load_network(self, device: torch.device) -> nn.Module:
        """Return the rule."""
        return self.rule.factory().to(device).eval()


def catalogue() -> dict[str, Model]:
    """Return every model by name: bundles, then classical rules."""
    return {**bundles(), **{name: ClassicalModel(rule) for name, rule in CLASSICAL.items()}}


def find(name: str) -> Model:
    """Return the model called ``name``.

    Raises:
        FusionError: if there is none.
    """
    known = catalogue()
    if name not in known:
        raise FusionError(f"There is no model '{name}'; choose one of: {', '.join(known)}.")
    return known[name]
