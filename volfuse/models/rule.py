"""Classical rules as models: all share one configuration and have no weights."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from volfuse import __version__
from volfuse.models.lesions import kept
from volfuse.resources import PACKAGE

if TYPE_CHECKING:
    import torch
    from monai.bundle import ConfigParser
    from torch import nn

_CLASSICAL = PACKAGE / "classical"


@dataclass(frozen=True)
class Rule:
    """A classical rule; see :class:`volfuse.models.Model`.

    Args:
        name: its key in ``volfuse.classical.CLASSICAL``.
        title: its proper name.
        description: one plain line for someone who does not know the rule.
    """

    name: str
    title: str
    description: str

    version = __version__
    num_sources = None
    is_trained = False
    has_contributions = False

    @property
    def kept(self) -> str:
        """What it keeps of a lesion that one scan alone shows, in one sentence."""
        return kept(self.name, weights="")

    def weights_hash(self) -> None:
        """Return nothing: a rule has no weights."""

    def parser(self, **values: Any) -> "ConfigParser":
        """Return the configuration of the rules; see :func:`volfuse.models.loading.read_inference`."""
        from volfuse.models.loading import read_inference

        return read_inference(_CLASSICAL / "inference.json", **values)

    def load_network(self, device: "torch.device") -> "nn.Module":
        """Return the rule."""
        from volfuse.classical import CLASSICAL

        return CLASSICAL[self.name]().to(device).eval()


def rules() -> dict[str, Rule]:
    """Return all classical rules by name."""
    words = json.loads((_CLASSICAL / "rules.json").read_text(encoding="utf-8"))
    return {name: Rule(name, **each) for name, each in words.items()}
