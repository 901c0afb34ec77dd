import hashlib
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from tests.conftest import REPOSITORY
from tests.unit.models.authors import crossfuse_files, fusionmamba_files
from volfuse.cli import app
from volfuse.models import bundles
from volfuse.models.authors import bundle as importing
from volfuse.models.packing import validate

SCHEMA = json.loads((REPOSITORY / "tests" / "bundles" / "metadata.schema.json").read_text(encoding="utf-8"))
# Nobody here knows the authors' seeds and commits.
SCHEMA["properties"]["weights"]["additionalProperties"]["required"] = [
    "sha256",
    "trained_on",
    "imported_from",
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOLFUSE_BUNDLES", str(tmp_path / "bundles"))
    return tmp_path / "bundles"


@pytest.fixture
def fusionmamba(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    tensors = fusionmamba_files.randomly(fusionmamba_files.shapes(16, (1, 1), 3))
    torch.save(tensors, tmp_path / "ct_mri.pth")
    return tmp_path / "ct_mri.pth"


@pytest.fixture
def crossfuse(tmp_path: Path) -> list[Path]:
    torch.manual_seed(0)
    files = {
        "auto_encoder_epoch_4_ir.model": crossfuse_files.autoencoder_shapes(),
        "fusetrans_epoch_32.model": crossfuse_files.fusion_shapes(),
        "auto_encoder_epoch_4_vi.model": crossfuse_files.autoencoder_shapes(),
    }
    for name, shapes in files.items():
        torch.save(crossfuse_files.randomly(shapes), tmp_path / name)
    return [tmp_path / name for name in files]


def fuse(model: str, folder: Path) -> np.ndarray:
    """Fuse two random pictures through the command, as a user does."""
    pictures = [folder / "mr.png", folder / "ct.png"]
    for path in pictures:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 40), np.uint8)).save(path)
    result = run("fuse", *pictures, "-o", folder / "fused.png", "--model", model)
    assert result.exit_code == 0, result.output
    return np.asarray(Image.open(folder / "fused.png"))


@pytest.mark.parametrize("network", ["crossfuse", "fusionmamba"])
def test_imported_weights_are_a_model_that_fuses_and_says_where_it_comes_from(
    network: str, tmp_path: Path, user_folder: Path, request: pytest.FixtureRequest
) -> None:
    files = request.getfixturevalue(network)
    files = files if isinstance(files, list) else [files]
    result = run("models", "import", network, *files)
    name = f"{network}-authors"
    assert result.output == f"Model: {name}, in {user_folder / name}\n"

    model = bundles()[name]
    assert validate(model) == []
    jsonschema.validate(model.metadata, SCHEMA)
    assert model.record["imported_from"] == [
        f"file {path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files
    ]
    card = (model.root / "docs" / "README.md").read_text(encoding="utf-8")
    for text in (model.description, card, model.record["trained_on"]):
        assert "neither trained nor tested" in text
    assert "Not a medical device" in card and files[0].name in card
    assert model.metadata["references"] == bundles()[network].metadata["references"]
    assert name in run("models").output and model.kept == "Not yet measured with lesions."
    assert fuse(name, tmp_path).std() > 0


def test_weights_of_more_than_one_size_go_by_names_of_their_own(fusionmamba: Path, user_folder: Path) -> None:
    assert run("models", "import", "fusionmamba", fusionmamba, "--name", "mamba-ct").exit_code == 0
    assert [path.name for path in user_folder.iterdir()] == ["mamba-ct"]
    network = bundles()["mamba-ct"].load_network(torch.device("cpu"))
    assert (network.residual_scale, len(network.encoder)) == (2.0, 2)


def test_a_file_name_is_never_run_as_code(fusionmamba: Path) -> None:
    path = fusionmamba.rename(fusionmamba.with_name("$print(1).pth"))
    assert run("models", "import", "fusionmamba", path).exit_code == 0

    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for each in value.values() for text in texts(each)]
        return [text for each in value for text in texts(each)] if isinstance(value, list) else [str(value)]

    assert not [text for text in texts(bundles()["fusionmamba-authors"].metadata) if text[0] in "$@%"]


def test_an_import_that_stops_leaves_nothing(
    fusionmamba: Path, user_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(importing, "_card", lambda *arguments: 1 / 0)
        assert isinstance(run("models", "import", "fusionmamba", fusionmamba).exception, ZeroDivisionError)
    assert list(user_folder.iterdir()) == []
    assert run("models", "import", "fusionmamba", fusionmamba).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.pth"], "none.pth does not exist; check the path."),
        (["."], ". is a folder; give a file of weights."),
        (
            ["ct_mri.pth", "--name", "../x"],
            "'../x' can be no name of a model; use letters, digits, '.', '-' and '_'.",
        ),
        (
            ["ct_mri.pth", "--name", "fusionmamba"],
            "There is a model 'fusionmamba' already; choose another --name, or remove {folder}/fusionmamba.",
        ),
        (
            ["ct_mri.pth", "--name", "old"],
            "There is a model 'old' already; choose another --name, or remove {folder}/old.",
        ),
        (["ct_mri.pth", "ct_mri.pth"], "FusionMamba is one file; give one, not 2."),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_sentence(
    arguments: list[str], sentence: str, fusionmamba: Path, user_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fusionmamba.parent)
    (user_folder / "old").mkdir(parents=True)
    result = run("models", "import", "fusionmamba", *arguments)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {sentence.format(folder=user_folder)}\n"
    assert [path.name for path in user_folder.iterdir()] == ["old"]


def test_a_folder_of_ones_own_has_to_be_named(fusionmamba: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOLFUSE_BUNDLES")
    result = run("models", "import", "fusionmamba", fusionmamba)
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: VOLFUSE_BUNDLES names no folder for models; set this environment variable to one of yours.\n",
    )
