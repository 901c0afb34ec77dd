"""Every model by name, and what all front ends may ask of one."""

from typing import TYPE_CHECKING, Any, Protocol

from volfuse.errors import unknown_name
from volfuse.models.bundle import bundles
from volfuse.models.rule import rules

if TYPE_CHECKING:
    import torch
    from monai.bundle import ConfigParser
    from torch import nn

DEFAULT_MODEL = "unionnet"
"""What every front end fuses with unless the user chooses."""


class Model(Protocol):
    """What the pipeline, the command line, the server and the panel know of a model."""

    @property
    def name(self) -> str:
        """What users choose it by."""

    @property
    def title(self) -> str:
        """Its proper name."""

    @property
    def description(self) -> str:
        """One plain line."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def num_sources(self) -> int | None:
        """How many images it fuses; ``None`` for two or more."""

    @property
    def is_trained(self) -> bool:
        """A network, not a classical rule."""

    @property
    def has_contributions(self) -> bool:
        """It can tell what each source adds to the fused image."""

    @property
    def kept(self) -> str:
        """What it keeps of a lesion that one scan alone shows, in one sentence."""

    def weights_hash(self) -> str | None:
        """Return the SHA-256 of its weights in hexadecimal, or ``None`` if it has none."""

    def parser(self, **values: Any) -> "ConfigParser":
        """Return its inference configuration with checked ``values`` put in."""

    def load_network(self, device: "torch.device") -> "nn.Module":
        """Return what fuses slices: ``forward(sources (B, N, H, W)) -> (B, 1, H, W)``."""


def catalogue(num_sources: int | None = None) -> dict[str, Model]:
    """Return every model by name, bundles before classical rules; with ``num_sources`` those that fuse so many."""
    known: dict[str, Model] = {**bundles(), **rules()}
    if num_sources is None:
        return known
    return {name: model for name, model in known.items() if takes(model, num_sources)}


def takes(model: Model, num_sources: int) -> bool:
    """Tell whether a model fuses so many images."""
    return model.num_sources in (num_sources, None)


def find(name: str) -> Model:
    """Return the model called ``name``.

    Raises:
        FusionError: if there is none.
    """
    known = catalogue()
    if name not in known:
        raise unknown_name("model", name, known)
    return known[name]
