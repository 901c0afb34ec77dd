import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.bundle import ConfigWorkflow, ckpt_export, download, load, verify_net_in_out

from volfuse.errors import FusionError
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.losses import QualityLoss
from volfuse.models import Bundle, bundles
from volfuse.models.packing import pack, validate


def workflow(bundle: Bundle, kind: str, files: list[str], **overrides: object) -> ConfigWorkflow:
    configs = bundle.root / "configs"
    return ConfigWorkflow(
        config_file=[str(configs / name) for name in files],
        meta_file=str(configs / "metadata.json"),
        logging_file=str(configs / "logging.conf"),
        workflow_type=kind,
        bundle_root=str(bundle.root),
        **overrides,
    )


def run(workflow: ConfigWorkflow) -> None:
    workflow.initialize()
    workflow.run()
    workflow.finalize()


@pytest.mark.parametrize("model", bundles().values(), ids=bundles())
def test_every_bundle_is_complete_and_agrees_with_itself(model: Bundle) -> None:
    assert validate(model) == []
    model.load_network(torch.device("cpu"))


def test_the_metadata_follow_the_specification(bundle: Bundle) -> None:
    schema = json.loads((Path(__file__).parent / "metadata.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(bundle.metadata, schema)
    assert bundle.metadata["version"] in bundle.metadata["changelog"]


def test_monai_finds_every_required_property(bundle: Bundle, pairs: Path, case: Path) -> None:
    train = workflow(bundle, "train", ["train.json"], dataset_dir=str(pairs), tasks=["phantom"])
    train.initialize()
    assert train.check_properties() in ([], None)
    inference = workflow(bundle, "infer", ["inference.json"], dataset_dir=str(case.parent))
    inference.initialize()
    assert inference.check_properties() in ([], None)


def test_every_network_can_train_for_what_is_measured(bundle: Bundle) -> None:
    own = bundle.name == "unionnet"
    quality = workflow(bundle, "train", ["train.json"] if own else ["train.json", "quality.json"])
    loss = quality.parser.get_parsed_content("loss")
    assert any(isinstance(part, QualityLoss) for part in loss.modules())
    published = workflow(bundle, "train", ["train.json"]).parser.get_parsed_content("loss")
    assert own or not any(isinstance(part, QualityLoss) for part in published.modules())


def test_every_recipe_has_a_folder_of_its_own_beside_the_shipped_weights(bundle: Bundle) -> None:
    files = (bundle.root / "configs").glob("*.json")
    folders = [
        json.loads(file.read_text(encoding="utf-8")).get("output_dir", "")
        for file in files
        if file.stem != "inference"
    ]
    named = [folder for folder in folders if folder]
    assert named and len(named) == len(set(named))
    assert all(folder.startswith("$@bundle_root + '/runs/") for folder in named)


def test_the_recorded_command_names_the_configurations(bundle: Bundle) -> None:
    for record in bundle.metadata["weights"].values():
        files = record["command"].partition("--config_file ")[2].partition(" --dataset_dir")[0]
        assert [f"configs/{name}" for name in record["configs"]] == re.findall(r"configs/\w+\.json", files)


def train_encoders(bundle: Bundle, pairs: Path, folder: Path) -> dict[str, object]:
    """Train what a bundle with two stages starts from, one epoch for each source; returns options of the second."""
    if not (bundle.root / "configs" / "train_autoencoder.json").is_file():
        return {}
    for source in range(bundle.num_sources):
        overrides = {
            "dataset_dir": str(pairs),
            "tasks": ["phantom"],
            "max_epochs": 1,
            "output_dir": str(folder / f"encoder_{source}"),
        }
        run(workflow(bundle, "train", ["train.json", "train_autoencoder.json"], source=source, **overrides))
    return {
        "encoders": [str(folder / f"encoder_{source}" / "last.pt") for source in range(bundle.num_sources)]
    }


def test_training_lowers_the_loss_and_resumes(bundle: Bundle, pairs: Path, tmp_path: Path) -> None:
    encoders = train_encoders(bundle, pairs, tmp_path)
    # As published it trains on whole images, which takes too long here.
    crops = {"crop_size": [64, 64], "batch_size": 4} if bundle.name == "crossfuse" else {}

    def train(epochs: int) -> list[dict[str, float]]:
        overrides = {
            "dataset_dir": str(pairs),
            "tasks": ["phantom"],
            "max_epochs": epochs,
            "val_interval": epochs,
            "learning_rate": 0.002,
            "output_dir": str(tmp_path / "run"),
        }
        run(workflow(bundle, "train", ["train.json"], **overrides, **encoders, **crops))
        return json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["epochs"]

    before = train(10)
    assert len(before) == 10 and before[-1]["loss"] < 0.9 * before[0]["loss"]
    after = train(12)  # starts from the checkpoint of epoch 10
    assert len(after) == 12 and after[:10] == before
    for name in ("best.pt", "last.pt"):
        weights = torch.load(tmp_path / "run" / name, weights_only=True)
        assert weights.keys() == torch.load(bundle.weights, weights_only=True).keys()


def test_evaluation_writes_one_row_per_image(bundle: Bundle, pairs: Path, tmp_path: Path) -> None:
    overrides = {"dataset_dir": str(pairs), "tasks": ["phantom"], "report_dir": str(tmp_path)}
    run(workflow(bundle, "train", ["train.json", "evaluate.json"], **overrides))
    rows = (tmp_path / "Qabf_raw.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows] == ["filename", "phantom/8.png", "phantom/9.png"]
    means = dict(
        row.split(",") for row in (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()
    )
    assert 0 < float(means["Qabf"]) < 1 and float(means["SD"]) > 0


@pytest.fixture
def case(tmp_path: Path, mr_file: Path, pet_file: Path) -> Path:
    """A folder of cases with one case: two volumes on different grids."""
    folder = tmp_path / "cases" / "patient"
    folder.mkdir(parents=True)
    shutil.move(mr_file, folder / "0_mr.nii.gz")
    shutil.move(pet_file, folder / "1_pet.nii.gz")
    return folder


def test_monai_bundle_run_and_the_pipeline_give_the_same_voxels(
    bundle: Bundle, case: Path, tmp_path: Path
) -> None:
    overrides = {
        "dataset_dir": str(case.parent),
        "output_dir": str(tmp_path),
        "device": "$torch.device('cpu')",
    }
    run(workflow(bundle, "infer", ["inference.json"], colormaps=[None, "hot"], **overrides))
    fused = FusionPipeline(bundle.name, "cpu").fuse(
        sorted(case.iterdir()), FusionOptions(colormaps=[None, "hot"])
    )
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "patient_fused.nii.gz")))
    np.testing.assert_array_equal(stored, fused.permute(3, 2, 1, 0).numpy())


@pytest.mark.slow
def test_the_command_of_the_readme_runs_inference(bundle: Bundle, case: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    options = ["--bundle_root", ".", "--dataset_dir", str(case.parent), "--output_dir", str(tmp_path / "out")]
    subprocess.run(command + options, cwd=bundle.root, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["patient_fused.nii.gz"]


def test_the_network_maps_the_announced_input_to_the_announced_output(bundle: Bundle) -> None:
    configs = bundle.root / "configs"
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
        n=4,
        any=64,
        device="cpu",
    )


@pytest.mark.slow
def test_the_exported_network_computes_the_same(bundle: Bundle, tmp_path: Path) -> None:
    configs = bundle.root / "configs"
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(bundle.weights),
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
        key_in_ckpt="",
        input_shape=[1, bundle.num_sources, 64, 64],
        use_trace=True,
    )
    sources = torch.rand(1, bundle.num_sources, 64, 64)
    network = bundle.load_network(torch.device("cpu"))
    exported = torch.jit.load(tmp_path / "model.ts").eval()
    torch.testing.assert_close(exported(sources), network(sources), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.xdist_group("torchrun")  # two of them at once may be given one port
# The configurations of the others are those of unionnet.
@pytest.mark.parametrize("bundle", ["crossfuse", "tafie", "unionnet"], indirect=True)
def test_two_processes_train_together(bundle: Bundle, pairs: Path, tmp_path: Path) -> None:
    train_encoders(bundle, pairs, tmp_path / "runs")
    options = {
        "bundle_root": str(tmp_path),
        "dataset_dir": str(pairs),
        "tasks": "['phantom']",
        "max_epochs": "2",
        "val_interval": "1",
        "crop_size": "[64, 64]",
    }
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"),
        *(
            "-m",
            "monai.bundle",
            "run",
            "--config_file",
            "['configs/train.json','configs/multi_gpu_train.json']",
        ),
        *(word for name, value in options.items() for word in (f"--{name}", value)),
    ]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, check=False, cwd=bundle.root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    folder = tmp_path / "runs" / ("quality" if bundle.name == "unionnet" else "paper")
    assert len(json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["epochs"]) == 2
    weights = torch.load(folder / "best.pt", weights_only=True)
    assert weights.keys() == torch.load(bundle.weights, weights_only=True).keys()


@pytest.mark.slow
def test_a_packed_bundle_loads_elsewhere(bundle: Bundle, tmp_path: Path) -> None:
    archive = pack(bundle, tmp_path)
    download(bundle.name, url=archive.as_uri(), bundle_dir=str(tmp_path / "elsewhere"), source="github")
    network = load(
        bundle.name, bundle_dir=str(tmp_path / "elsewhere"), source="github", workflow_type="train"
    )
    expected = bundle.load_network(torch.device("cpu")).state_dict()
    found = network.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert (tmp_path / "elsewhere" / bundle.name / "volfuse" / "__init__.py").is_file()


def test_missing_and_damaged_weights_are_named(bundle: Bundle, tmp_path: Path) -> None:
    copy = Bundle(tmp_path / bundle.name)
    shutil.copytree(bundle.root / "configs", copy.root / "configs")
    with pytest.raises(FusionError, match=f"^The weights of {bundle.name} are missing; put them at "):
        copy.load_network(torch.device("cpu"))
    copy.weights.parent.mkdir()
    copy.weights.write_bytes(bundle.weights.read_bytes()[:1000])
    with pytest.raises(FusionError, match=f"^The weights of {bundle.name} are damaged or belong to another"):
        copy.load_network(torch.device("cpu"))


def test_an_incomplete_bundle_is_told_what_it_lacks(bundle: Bundle, tmp_path: Path) -> None:
    copy = Bundle(tmp_path / bundle.name)
    shutil.copytree(bundle.root, copy.root)
    (copy.root / "LICENSE").unlink()
    assert validate(copy) == ["LICENSE is missing"]


def test_overrides_of_entries_that_do_not_exist_are_refused(bundle: Bundle) -> None:
    with pytest.raises(KeyError, match="has no entry 'window'"):
        bundle.parser(window="auto")
