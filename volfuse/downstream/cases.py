"""Labelled cases in folders.

Layout::

    ROOT/CLASS/CASE/SOURCE.png

The folder of a class is its name. A case is one object seen several times: the focal planes of a cell, or the
modalities of a slice. Its sources are in the order of their file names, and every case has as many. Slices of one
patient that lie in different cases would be in training and test at once: keep one case per patient.
"""

from dataclasses import dataclass
from pathlib import Path

from volfuse.errors import FusionError


@dataclass(frozen=True)
class LabelledCase:
    """One object with its class.

    Attributes:
        label: the name of its class.
        name: the name of its folder.
        sources: the image files, the first is the reference.
    """

    label: str
    name: str
    sources: tuple[Path, ...]


def read_cases(root: str | Path) -> list[LabelledCase]:
    """List the cases of a folder, classes and cases in the order of their names.

    Raises:
        FusionError: if there are fewer than two classes, or not two or more images, equally many, in every case.
    """
    cases = [
        LabelledCase(folder.parent.name, folder.name, tuple(_visible(folder)))
        for label in _visible(Path(root))
        for folder in _visible(label)
    ]
    if len({case.label for case in cases}) < 2:
        raise FusionError(
            f"{root} must hold two folders or more, one per class, with a folder per case in each."
        )
    wanted = len(cases[0].sources)
    for case in cases:
        if len(case.sources) != wanted or wanted < 2:
            raise FusionError(
                f"Case {case.label}/{case.name} has {len(case.sources)} images; every case needs two or more, "
                f"and as many as the first one has ({wanted})."
            )
    return cases


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
