"""The one chain from files to luminance and back."""

import json
from pathlib import Path

import pytest
import torch
from monai.data import CacheDataset
from monai.transforms import Compose, RandFlipd

from volfuse.errors import FusionError
from volfuse.imaging import postprocessing, preprocessing, read_image, slice_transforms

REPOSITORY = Path(__file__).parents[3]
CONFIGS = [
    *(REPOSITORY / "monai_bundles").glob("*/configs/*.json"),
    REPOSITORY / "volfuse/classical/inference.json",
]
KEYS = ["first", "second"]


def targets(config: object) -> list[str]:
    """Every ``_target_`` in a configuration."""
    if isinstance(config, dict):
        own = [config["_target_"]] if "_target_" in config else []
        return own + [target for value in config.values() for target in targets(value)]
    return [target for value in config for target in targets(value)] if isinstance(config, list) else []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_configurations_name_the_chain_and_never_its_steps(path: Path) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    used = {target for target in targets(config) if target.startswith("volfuse.imaging")}
    expected = {"inference.json": {"preprocessing", "postprocessing"}, "train.json": {"slice_transforms"}}
    assert used == {f"volfuse.imaging.{name}" for name in expected.get(path.name, set())}


def test_there_and_back_gives_the_reference_on_its_grid(
    mr_file: Path, pet_file: Path, tmp_path: Path
) -> None:
    case = preprocessing(KEYS, "coronal", ["auto", "pet"])({"first": mr_file, "second": pet_file})
    assert list(case) == ["image"] and len(case["image"]) == 2
    case["pred"] = case["image"][:1]
    reference = read_image(mr_file)
    restored = postprocessing()(case)["pred"]
    assert torch.equal(restored.as_tensor(), reference.as_tensor().to(torch.uint8))
    assert torch.equal(restored.affine, reference.affine)
    assert list(tmp_path.glob("*fused*")) == []
    postprocessing(output_dir=tmp_path / "fused", suffix=".nrrd")(case)
    assert torch.equal(read_image(tmp_path / "fused" / "mr_fused.nrrd").as_tensor(), reference.as_tensor())


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"plane": "oblique"}, "'oblique' is no slice plane"),
        ({"windows": ["auto"] * 3}, "2 sources need one window or one each, not 3."),
        ({"windows": "brain"}, "'brain' is no intensity window"),
        ({"colormaps": ["hot"]}, "2 sources need as many colour maps"),
    ],
)
def test_wrong_choices_are_refused_before_a_file_is_read(choices: dict, message: str) -> None:
    with pytest.raises(FusionError, match=f"^{message}"):
        preprocessing(KEYS, **choices)


def test_training_reads_every_file_once(mr_file: Path, pet_file: Path) -> None:
    """What comes before the first random step is kept; from a file that is gone afterwards."""
    files = [{"first": mr_file, "second": pet_file, "task": "phantom", "name": "1"}]
    steps = slice_transforms(KEYS)
    one_slice = [step for step in steps if type(step).__name__ != "SqueezeDimd"]  # these files are volumes
    data = CacheDataset(
        files, Compose([*one_slice, RandFlipd("image", prob=1.0)]), num_workers=0, progress=False
    )
    mr_file.unlink()
    assert set(data[0]) == {"image", "task", "name"} and data[0]["image"].ndim == 4
