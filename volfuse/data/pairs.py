"""Pairs of co-registered images in folders, and the splits that keep training and test apart.

Layout of a data folder (that of the public Harvard Whole Brain Atlas collections)::

    splits.json
    TASK/train/MODALITY/NAME.png
    TASK/test/MODALITY/NAME.png

``splits.json`` maps each task to ``{"sources": [reference modality, second modality], SPLIT: [NAME, ...]}``.
The split ``test`` lies in the folder ``test``, every other split in ``train``.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from volfuse.errors import FusionError


def paired_datalist(dataset_dir: str | Path, tasks: str | Sequence[str], split: str) -> list[dict[str, str]]:
    """List the image pairs of one split for MONAI datasets.

    Args:
        dataset_dir: a data folder as described in the module.
        tasks: one task or several, for example ``["ct_mri", "pet_mri"]``.
        split: a name in ``splits.json``: ``clean_train``, ``clean_val``, ``published_train``, ``test``, ...

    Returns:
        One dictionary per pair with the paths ``source_0``, ``source_1``, ... and with ``task`` and ``name``.

    Raises:
        FusionError: if the folder, a task, the split or an image is missing.
    """
    root = Path(dataset_dir)
    index = root / "splits.json"
    if not index.is_file():
        raise FusionError(f"There is no {index}; set dataset_dir to a folder of image pairs.")
    splits = json.loads(index.read_text(encoding="utf-8"))
    items = []
    for task in [tasks] if isinstance(tasks, str) else tasks:
        if split not in splits.get(task, {}):
            known = ", ".join(name for name in splits.get(task, {}) if name != "sources") or "no such task"
            raise FusionError(f"{index.name} has no split '{split}' of task '{task}' ({known}).")
        folder = root / task / ("test" if split == "test" else "train")
        for name in splits[task][split]:
            paths = [folder / modality / name for modality in splits[task]["sources"]]
            if missing := [path for path in paths if not path.is_file()]:
                raise FusionError(f"{missing[0]} is named in {index.name} but does not exist.")
            sources = {f"source_{number}": str(path) for number, path in enumerate(paths)}
            items.append({**sources, "task": task, "name": name})
    return items
