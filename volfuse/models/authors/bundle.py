"""Make a bundle of weights that others trained: our configurations, their tensors, and where they come from."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from volfuse.errors import FusionError, StorageError
from volfuse.models.bundle import Bundle, user_folders
from volfuse.models.catalogue import catalogue
from volfuse.paths import check_source
from volfuse.resources import shipped
from volfuse.storage import write_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_OURS = "volfuse neither trained nor tested these weights."


def check(files: Sequence[Path], name: str) -> Path:
    """Refuse, before torch has to load, what cannot be imported; returns the folder that the bundle will be in.

    Raises:
        FusionError: if a file is missing, ``VOLFUSE_BUNDLES`` names no folder, or ``name`` is taken or can be no name.
    """
    for file in files:
        check_source(file)
        if not file.is_file():
            raise FusionError(f"{file} is a folder; give a file of weights.")
    if not _NAME.fullmatch(name):
        raise FusionError(f"'{name}' can be no name of a model; use letters, digits, '.', '-' and '_'.")
    if not (folders := user_folders()):
        raise FusionError(
            "VOLFUSE_BUNDLES names no folder for models; set this environment variable to one of yours."
        )
    root = folders[0] / name
    if name in catalogue() or root.exists():
        raise FusionError(f"There is a model '{name}' already; choose another --name, or remove {root}.")
    return root


def import_bundle(network: str, files: Sequence[Path], root: Path) -> Bundle:
    """Make a bundle of the files that the authors of ``network`` published.

    Its metadata say which files these were and that volfuse did not train or test them. It can be seen once it is
    complete, since its metadata are written last.

    Args:
        network: ``crossfuse`` or ``fusionmamba``.
        files: the authors' files, in any order.
        root: the folder of the bundle, which does not exist yet; see :func:`check`.

    Raises:
        FusionError: if the files are not the authors', damaged or incomplete, or nothing can be written.
    """
    import torch

    from volfuse.models.authors.checkpoint import read_checkpoint

    checkpoints = [read_checkpoint(file) for file in files]
    options, state = import_module(f"volfuse.models.authors.{network}").translate(checkpoints)
    base = Bundle(shipped("monai_bundles") / network)
    bundle = Bundle(root)
    sources = [f"file {each.file}, SHA-256 {each.sha256()}" for each in checkpoints]
    try:
        root.mkdir(parents=True)
    except OSError as error:
        raise StorageError(
            f"{root} could not be made; check that the folder is writable and free."
        ) from error
    try:
        write_whole(bundle.weights, lambda partial: torch.save(state, partial))
        write_whole(root / "LICENSE", (base.root / "LICENSE").read_bytes())
        for name, config in _configurations(base, options).items():
            write_whole(root / "configs" / name, config)
        write_whole(root / "docs" / "README.md", _card(base, sources, options))
        write_whole(root / "configs" / "metadata.json", _metadata(base, bundle, sources))
    except BaseException:  # also when stopped: half a bundle would stand in the way of the next try
        shutil.rmtree(root, ignore_errors=True)
        raise
    return bundle


def _configurations(base: Bundle, options: Mapping[str, Any]) -> dict[str, str]:
    """Our configurations of the network by file, with its options and the one file of weights."""
    texts = {}
    for path in (base.root / "configs").iterdir():
        text = path.read_text(encoding="utf-8")
        if path.name in ("train.json", "inference.json", "evaluate.json"):
            config = json.loads(text)
            if "network_def" in config:
                config["network_def"] = {"_target_": config["network_def"]["_target_"], **options}
            text = json.dumps(config, indent=4)
        texts[path.name] = text
    del texts["metadata.json"]
    return texts


def _metadata(base: Bundle, bundle: Bundle, sources: Sequence[str]) -> str:
    # No text begins with a file name: MONAI runs strings that start with "$".
    changes = {
        "version": "0.1.0",
        "changelog": {"0.1.0": "imported"},
        "name": f"{base.metadata['name']} (authors' weights)",
        "description": f"{base.metadata['name']} with its authors' weights, which volfuse neither trained nor tested",
        "authors": "The authors of the paper; imported by a user of volfuse",
        "copyright": "Weights: their authors. Configurations: the SlicerFusion authors",
        "data_source": "The paper says what the authors trained on",
        "weights": {
            "model.pt": {
                "sha256": bundle.weights_hash(),
                "trained_on": f"what the paper says; {_NOT_OURS}",
                "imported_from": list(sources),
            }
        },
    }
    return json.dumps({**base.metadata, **changes}, indent=4)


def _card(base: Bundle, sources: Sequence[str], options: Mapping[str, Any]) -> str:
    metadata: Mapping[str, Any] = base.metadata
    lines = [
        f"# {metadata['name']} with its authors' weights",
        "**Research only. Not a medical device: do not use for diagnosis.**",
        f"{_NOT_OURS.capitalize()} They belong to their authors, whose terms apply; `LICENSE` is that of the "
        "configurations.",
        "Imported from:\n\n" + "\n".join(f"- {source}" for source in sources),
        f"Options under which the network is the authors': `{json.dumps(options)}`",
        "Paper: " + " ".join(metadata["references"]),
    ]
    return "\n\n".join(lines) + "\n"
