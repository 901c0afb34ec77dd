"""Image pairs out of volumes: what a network is trained on, in three planes.

    python -m volfuse.data.volume_pairs FOLDER TASK REFERENCE SECOND [REFERENCE SECOND ...]

adds a task to a data folder (``volfuse.data.pairs``), made of the slices of pairs of volumes, in the split
``clean_train``.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import SimpleITK as sitk

from volfuse.choices import Plane
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline

EVERY = 3
"""Neighbouring slices show nearly the same: one of so many is taken."""
_SHOWN, _SHARE = 0.05, 0.12


def write_volume_pairs(folder: Path, task: str, volumes: Sequence[tuple[Path, Path]]) -> int:
    """Add slices of registered volumes to a data folder, as 8-bit luminance; returns how many pairs.

    The second volume is resampled onto the first, and both are windowed, as ``volfuse fuse`` does it. Slices that show
    little are left out.

    Args:
        folder: a data folder; an index that is there is added to.
        task: what the pairs are called in ``splits.json``, two modalities joined by ``_``: ``"flair_t1c"``.
        volumes: pairs of files, the reference first.
    """
    pipeline = FusionPipeline("average")
    modalities = task.split("_")
    names = []
    for number, pair in enumerate(volumes):
        for plane in get_args(Plane):
            sources = pipeline.fuse_case(pair, FusionOptions(plane=plane)).sources.as_tensor().clamp(0, 1)
            for index in range(0, sources.shape[-1], EVERY):
                levels = sources[..., index]
                if (levels.amax(dim=0) > _SHOWN).float().mean() < _SHARE:
                    continue
                name = f"{number}_{plane}_{index:03d}.png"
                for modality, image in zip(modalities, levels, strict=True):
                    path = folder / task / "train" / modality / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    sitk.WriteImage(sitk.GetImageFromArray((image * 255).round().byte().numpy()), str(path))
                names.append(name)
    listing = folder / "splits.json"
    splits = json.loads(listing.read_text(encoding="utf-8")) if listing.is_file() else {}
    splits[task] = {"sources": modalities, "clean_train": names, "clean_val": []}
    listing.write_text(json.dumps(splits), encoding="utf-8")
    return len(names)


if __name__ == "__main__":
    target, name, *files = sys.argv[1:]
    paths = [Path(file) for file in files]
    print(write_volume_pairs(Path(target), name, list(zip(paths[::2], paths[1::2], strict=True))), "pairs")
