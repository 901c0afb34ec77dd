"""What one can fuse with, in words alone: read from files, so that a viewer can list it without importing torch."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class ListedModel:
    """One entry of the list.

    Attributes:
        name: what the catalogue knows it by.
        title: its proper name.
        description: one plain sentence.
        num_sources: how many images it fuses; ``None`` for two or more.
        is_trained: a network, not a classical rule.
        has_contributions: it can tell what each source adds to the fused image.
    """

    name: str
    title: str
    description: str
    num_sources: int | None
    is_trained: bool
    has_contributions: bool


def listing() -> dict[str, ListedModel]:
    """Return every model of ``volfuse.catalogue`` by name, in its order."""
    found: dict[str, ListedModel] = {}
    for root, weights_file in weights_files():
        model = _of_bundle(root, weights_file)
        found.setdefault(model.name, model)
    for name, words in json.loads(
        (_PACKAGE / "classical" / "rules.json").read_text(encoding="utf-8")
    ).items():
        found[name] = ListedModel(name, **words, num_sources=None, is_trained=False, has_contributions=False)
    return found


def weights_files() -> Iterator[tuple[Path, str]]:
    """Yield bundle folders, each with the name of a file of weights that its metadata record.

    Bundles in the folders of ``VOLFUSE_BUNDLES`` (separated as in PATH) come first, then ours.
    """
    extra = os.environ.get("VOLFUSE_BUNDLES", "")
    for folder in [*map(Path, filter(None, extra.split(os.pathsep))), _shipped_bundles()]:
        for metadata in sorted(folder.glob("*/configs/metadata.json")):
            for weights_file in json.loads(metadata.read_text(encoding="utf-8"))["weights"]:
                yield metadata.parents[1], weights_file


def recipe(weights_file: str) -> str:
    """Return what a file of weights appends to the name of its bundle: ``-quality`` for ``model_quality.pt``."""
    return Path(weights_file).stem.removeprefix("model").replace("_", "-")


def _of_bundle(root: Path, weights_file: str) -> ListedModel:
    metadata = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return ListedModel(
        name=root.name + recipe(weights_file),
        title=metadata["name"] + recipe(weights_file),
        description=metadata["weights"][weights_file].get("description", metadata["description"]),
        num_sources=metadata["network_data_format"]["inputs"]["image"]["num_channels"],
        is_trained=True,
        has_contributions=metadata.get("has_contributions", False),
    )


def _shipped_bundles() -> Path:
    """Bundles lie inside an installed package, and beside it in a checkout."""
    installed = _PACKAGE / "monai_bundles"
    return installed if installed.is_dir() else _PACKAGE.parent / "monai_bundles"
