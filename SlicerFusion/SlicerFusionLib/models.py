"""What one can fuse with, in plain words, read without importing torch into 3D Slicer's process."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import volfuse

_PREFERRED = ("volfuse", "lightfusionnet")

# volfuse.classical imports torch; a test keeps this table equal to its registry.
_CLASSICAL = {
    "average": ("Average", "Mean of the sources; contrast is lost."),
    "maximum": ("Maximum", "The brightest source at each pixel."),
    "alpha_blend": ("Alpha blend", "Transparent overlay with an adjustable weight."),
    "pca": ("PCA", "Weighted mean; the source with more variation weighs more."),
    "laplacian": ("Laplacian pyramid", "The strongest detail at each scale, on the brightest background."),
    "laplacian_mean": (
        "Laplacian pyramid, mean base",
        "The strongest detail at each scale, on the mean background.",
    ),
    "dwt": ("Wavelet maximum", "The strongest wavelet coefficient in each band."),
    "guided_filter": (
        "Guided filter (GFF)",
        "Smooth weights that follow the edges of the most salient source.",
    ),
    "jbf_lge": (
        "Joint bilateral filter (JBF-LGE)",
        "Bright large regions of all sources plus the structure with the strongest gradients.",
    ),
}


@dataclass(frozen=True)
class Model:
    """One entry of the list of models.

    Attributes:
        name: what the worker knows it by.
        title: its proper name.
        description: one plain line; what stands before its first colon says it in a few words.
        is_trained: a network, not a classical rule.
    """

    name: str
    title: str
    description: str
    is_trained: bool

    @property
    def label(self) -> str:
        """What the list shows: plain words first."""
        if not self.is_trained:
            return f"{self.title} (without training)"
        words, colon, _ = self.description.partition(": ")
        return f"{words} ({self.title})" if colon else self.title

    @property
    def details(self) -> str:
        """What the description says beyond the label."""
        rest = self.description.partition(": ")[2] or self.description
        return rest[0].upper() + rest[1:]


def available_models() -> dict[str, Model]:
    """Return every model by name: trained ones, the preferred first, then classical rules."""
    trained: dict[str, Model] = {}
    for folder in _bundle_folders():
        for path in sorted(folder.glob("*/configs/metadata.json")):
            for model in _of_bundle(path):
                trained.setdefault(model.name, model)
    first = [trained.pop(name) for name in _PREFERRED if name in trained]
    rules = [Model(name, *texts, is_trained=False) for name, texts in _CLASSICAL.items()]
    return {model.name: model for model in (*first, *trained.values(), *rules)}


def _of_bundle(path: Path) -> Iterator[Model]:
    """Read a bundle's metadata: one model per file of weights, named after it as ``volfuse.bundles`` does."""
    metadata = json.loads(path.read_text(encoding="utf-8"))
    for file, record in metadata["weights"].items():
        recipe = Path(file).stem.removeprefix("model").replace("_", "-")
        description = record.get("description", metadata["description"])
        yield Model(path.parents[1].name + recipe, metadata["name"] + recipe, description, is_trained=True)


def _bundle_folders() -> list[Path]:
    """Return where ``volfuse.bundles`` looks, in its order; that module would import torch."""
    package = Path(volfuse.__file__).parent
    extra = os.environ.get("VOLFUSE_BUNDLES", "").split(os.pathsep)
    own = [package / "monai_bundles", package.parent / "monai_bundles"]
    return [Path(folder) for folder in extra if folder] + [next(filter(Path.is_dir, own), own[0])]
