import json
from pathlib import Path

import numpy as np
import torch

from volfuse.data import paired_datalist
from volfuse.data.volume_pairs import write_volume_pairs
from volfuse.imaging import read_image


def test_slices_of_volumes_become_pairs_in_three_planes(
    mr_file: Path, pet_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "splits.json").write_text(json.dumps({"other": {"sources": ["a", "b"], "clean_train": []}}))
    count = write_volume_pairs(tmp_path, "mr_pet", [(mr_file, pet_file)])
    pairs = paired_datalist(tmp_path, "mr_pet", "clean_train")
    assert len(pairs) == count > 0
    assert {pair["name"].split("_")[1] for pair in pairs} == {"axial", "coronal", "sagittal"}
    assert "other" in json.loads((tmp_path / "splits.json").read_text(encoding="utf-8"))
    for pair in (pairs[0], pairs[-1]):
        first, second = (read_image(pair[key]) for key in ("source_0", "source_1"))
        assert first.shape == second.shape and first.shape[-1] == 1
        assert np.asarray(first).max() > 0
        assert not torch.equal(first.as_tensor(), second.as_tensor())
