"""Check a bundle before it is given away, and pack it with this library."""

import json
import shutil
import tempfile
from pathlib import Path

from volfuse.models.bundle import Bundle
from volfuse.resources import PACKAGE
from volfuse.storage import write_whole

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


def validate(bundle: Bundle) -> list[str]:
    """Check files, properties and agreement of a bundle; returns one sentence per problem, or nothing."""
    problems = [f"{name} is missing" for name in REQUIRED_FILES if not (bundle.root / name).is_file()]
    if problems:
        return problems
    configs = {
        name: json.loads((bundle.root / "configs" / f"{name}.json").read_text(encoding="utf-8"))
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
    no_caches = shutil.ignore_patterns("__pycache__", "monai_bundles", "runs", "eval")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / bundle.name
        shutil.copytree(bundle.root, copy, ignore=no_caches)
        shutil.copytree(PACKAGE, copy / PACKAGE.name, ignore=no_caches)
        return write_whole(
            folder / f"{bundle.name}_v{bundle.version}.zip",
            lambda partial: shutil.make_archive(str(partial.with_suffix("")), "zip", scratch),
        )
