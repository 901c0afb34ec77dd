import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from volfuse.errors import FusionError
from volfuse.models.authors.checkpoint import read_checkpoint

WEIGHTS = {"layers.weight": torch.arange(3.0), "module.bias": torch.ones(1)}


class Evil:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"state_dict": weights, "epoch": 3},
        lambda weights: {"model": weights, "optimizer": {}},
        lambda weights: {"model": {"state_dict": weights}},
        lambda weights: {f"module.{name}": tensor for name, tensor in weights.items()},
        lambda weights: {"state_dict": {f"module.{name}": tensor for name, tensor in weights.items()}},
    ],
)
@pytest.mark.parametrize("as_archive", [True, False])
def test_weights_are_found_however_they_were_stored(wrap: Callable, as_archive: bool, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(wrap(WEIGHTS), path, _use_new_zipfile_serialization=as_archive)
    read = read_checkpoint(path).tensors
    assert read.keys() == WEIGHTS.keys()
    assert all(torch.equal(tensor, WEIGHTS[name]) for name, tensor in read.items())


def cut(path: Path) -> None:
    torch.save(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:-200])


CODE = (
    "file.pth holds Python objects, which can run code, and was not loaded; ask its authors for the weights alone (a "
    "state_dict)."
)
DAMAGED = "file.pth could not be read as a checkpoint of PyTorch; it is damaged or another kind of file."
NAMELESS = "file.pth does not hold tensors by name; give the weights alone (a state_dict)."
WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "code": (lambda path: torch.save({"a": Evil(path.with_name("ran"))}, path), CODE),
    "code in a pickle": (
        lambda path: path.write_bytes(pickle.dumps(Evil(path.with_name("ran")), protocol=2)),
        CODE,
    ),
    "a whole network": (lambda path: torch.save(nn.Linear(2, 2), path), CODE),
    "cut off": (cut, DAMAGED),
    "empty": (lambda path: path.write_bytes(b""), DAMAGED),
    "text": (lambda path: path.write_text("these are no weights"), DAMAGED),
    "a list": (lambda path: torch.save([torch.zeros(1)], path), NAMELESS),
    "no weights": (lambda path: torch.save({"epoch": 3}, path), NAMELESS),
    "nothing": (lambda path: torch.save({}, path), NAMELESS),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_files_are_refused_in_one_sentence_and_run_nothing(case: str, tmp_path: Path) -> None:
    write, sentence = WRONG[case]
    write(tmp_path / "file.pth")
    with pytest.raises(FusionError) as caught:
        read_checkpoint(tmp_path / "file.pth")
    assert str(caught.value) == sentence
    assert not (tmp_path / "ran").exists()
