"""What a training by ``train.json`` writes, refuses and goes on from."""

import json
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.bundles.test_bundles import run, workflow
from volfuse.errors import FusionError, plain_cause
from volfuse.models import bundles

BUNDLE = bundles()["lightfusionnet"]
PAPER, QUALITY = ["train.json"], ["train.json", "quality.json"]


def train(files: list[str], pairs: Path, root: Path, **overrides: object) -> None:
    """Train two epochs; errors come out of what MONAI wraps around them."""
    options = {
        "dataset_dir": str(pairs),
        "tasks": ["phantom"],
        "max_epochs": 2,
        "crop_size": [48, 48],
        "device": "cpu",
    }
    job = workflow(BUNDLE, "train", files, **{**options, "val_interval": 1, **overrides})
    job.parser["bundle_root"] = str(root)
    try:
        run(job)
    except RuntimeError as error:
        raise plain_cause(error) or error from error


def weights(file: Path) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in torch.load(file, weights_only=True).values()])


def test_recipes_in_a_row_leave_different_weights_in_folders_of_their_names(
    pairs: Path, tmp_path: Path
) -> None:
    train(PAPER, pairs, tmp_path)
    train(QUALITY, pairs, tmp_path)
    paper, quality = (weights(tmp_path / "runs" / name / "last.pt") for name in ("paper", "quality"))
    assert not torch.equal(paper, quality)
    train(PAPER, pairs, tmp_path)  # it is done already
    assert torch.equal(weights(tmp_path / "runs" / "paper" / "last.pt"), paper)


@pytest.mark.parametrize(
    ("files", "overrides", "changed"),
    [
        (QUALITY, {}, "loss and another recipe"),
        (PAPER, {"train_split": "clean_val"}, "data"),
        (PAPER, {"network_def::base_channels": 8}, "network"),
        (PAPER, {"learning_rate": 0.5}, "recipe"),
    ],
)
def test_a_folder_of_another_training_is_refused(
    files: list[str], overrides: dict, changed: str, pairs: Path, tmp_path: Path
) -> None:
    folder = str(tmp_path / "run")
    train(PAPER, pairs, tmp_path, output_dir=folder, max_epochs=1)
    before = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    with pytest.raises(FusionError) as error:
        train(files, pairs, tmp_path, output_dir=folder, **overrides)
    assert str(error.value) == (
        f"{folder} holds a training with another {changed}; give this one an --output_dir of its own, "
        "or remove that folder."
    )
    assert {name: (Path(folder) / name).read_bytes() for name in before} == before


def test_fewer_epochs_than_there_are_is_one_sentence(pairs: Path, tmp_path: Path) -> None:
    train(PAPER, pairs, tmp_path)
    message = (
        r"paper holds a training of 2 epochs; give --max_epochs of that or more, or another --output_dir\.$"
    )
    with pytest.raises(FusionError, match=message):
        train(PAPER, pairs, tmp_path, max_epochs=1)


def test_a_training_tells_what_it_does(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(PAPER, pairs, tmp_path, learning_rate=0.002)
    log = capsys.readouterr().out
    folder = tmp_path / "runs" / "paper"
    record = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert [set(epoch) for epoch in record["epochs"]] == [{"epoch", "loss", "learning_rate", "Qabf"}] * 2
    best = max(record["epochs"], key=lambda epoch: epoch["Qabf"])
    assert (record["best"]["epoch"], record["best"]["Qabf"]) == (best["epoch"], best["Qabf"])
    assert "Epoch 1 of 2: loss " in log and ", learning rate 0.002; about 0:00:" in log
    events = EventAccumulator(str(folder), {"images": 0, "scalars": 0})
    events.Reload()
    assert {"loss", "learning_rate", "Qabf"} <= set(events.Tags()["scalars"])
    (tag,) = events.Tags()["images"]
    pictures = [(image.step, image.width, image.height) for image in events.Images(tag)]
    assert pictures == [(1, 3 * 72, 80), (2, 3 * 72, 80)]
    losses = [event.value for event in events.Scalars("loss")]
    assert losses == pytest.approx([epoch["loss"] for epoch in record["epochs"]])


def test_a_training_ends_when_nothing_improves_and_keeps_best_and_last(pairs: Path, tmp_path: Path) -> None:
    start = str(BUNDLE.weights)
    train(PAPER, pairs, tmp_path, max_epochs=9, early_stop=2, start=start, learning_rate=0.02)
    record = json.loads((tmp_path / "runs" / "paper" / "metrics.json").read_text(encoding="utf-8"))
    assert record["best"]["epoch"] == 0 and [epoch["epoch"] for epoch in record["epochs"]] == [0, 1, 2]
    best, last = (weights(tmp_path / "runs" / "paper" / name) for name in ("best.pt", "last.pt"))
    assert torch.equal(best, weights(BUNDLE.weights)) and not torch.equal(best, last)


def test_a_training_goes_on_with_its_record(pairs: Path, tmp_path: Path) -> None:
    """Two and two epochs are four, except that crops are drawn anew."""
    train(PAPER, pairs, tmp_path)
    before = json.loads((tmp_path / "runs" / "paper" / "metrics.json").read_text(encoding="utf-8"))
    train(PAPER, pairs, tmp_path, max_epochs=4, val_interval=9)
    after = json.loads((tmp_path / "runs" / "paper" / "metrics.json").read_text(encoding="utf-8"))
    assert after["epochs"][:2] == before["epochs"] and [row["epoch"] for row in after["epochs"]] == [
        1,
        2,
        3,
        4,
    ]
    assert (
        "Qabf" not in after["epochs"][2] and "Qabf" in after["epochs"][3]
    )  # the last epoch is always measured
    assert after["best"]["Qabf"] >= before["best"]["Qabf"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"max_epoch": 3}, "There is no option 'max_epoch'; near it are: max_epochs."),
        ({"recipe": "quality"}, "There is no option 'recipe'; options are the entries of the configuration."),
        ({"start": "nowhere.pt"}, "There are no weights nowhere.pt to start from; check the path."),
        (
            {"start": str(bundles()["tafie"].weights)},
            f"{bundles()['tafie'].weights} is damaged, or holds the weights of another network.",
        ),
        ({"learning_rate": 1e30}, "The training diverged in epoch 1; choose a lower --learning_rate."),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    overrides: dict, message: str, pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(FusionError) as error:
        train(PAPER, pairs, tmp_path, **overrides)
    assert str(error.value) == message
