"""Training on volumes, for ``volumes.json`` of every bundle: a plain folder in, slices of three planes out.

A folder is one that :func:`volfuse.data.cases.list_cases` lists. Every case is read, windowed and put on the grid of
its reference once and then kept in a cache on disk.
"""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Transform
from monai.transforms.traits import RandomizableTrait
from torch import Tensor

from volfuse import __version__
from volfuse.choices import Colormap, Plane
from volfuse.data.cases import Case, list_cases
from volfuse.errors import FusionError
from volfuse.imaging import preprocessing
from volfuse.imaging.stored import Reading
from volfuse.imaging.windows import Windows
from volfuse.registration.command import registered

SHOWN, SHARE = 0.05, 0.12
"""A slice is taken if this share of it is brighter than ``SHOWN`` in one source at least."""

Items = list[dict[str, Any]]


def split(
    dataset_dir: str | Path, roles: Sequence[str | None], validation: int | Sequence[str] = 1
) -> tuple[Items, Items]:
    """List the cases to train on and those to validate on.

    Args:
        dataset_dir: a list of cases.
        roles: words in the names of the scans, the reference first.
        validation: names of cases to validate on, or how many of the last.

    Returns:
        Items with ``source_0``, ``source_1``, ..., ``name``, ``task``, and ``state``, which changes with the files.

    Raises:
        FusionError: if a case is incomplete or unknown, or none is left for one of both.
    """
    cases = list_cases(dataset_dir, roles if any(roles) else None, len(roles))
    if problems := [case.problem for case in cases if case.problem]:
        raise FusionError(problems[0])
    names = [case.name for case in cases]
    held = (
        names[len(names) - validation :]
        if isinstance(validation, int)
        else [str(name) for name in validation]
    )
    if unknown := [name for name in held if name not in names]:
        raise FusionError(f"There is no case '{unknown[0]}' to validate on; choose from: {', '.join(names)}.")
    if not held or len(held) >= len(names):
        raise FusionError(
            f"{dataset_dir} holds {len(names)} cases, {len(held)} of them for --validation; "
            "give at least one to train on and one to validate on."
        )
    return (
        [_item(case) for case in cases if case.name not in held],
        [_item(case) for case in cases if case.name in held],
    )


def _item(case: Case) -> dict[str, Any]:
    files = [
        file
        for source in case.sources
        for file in (sorted(source.rglob("*")) if source.is_dir() else [source])
    ]
    state = ";".join(f"{file.stat().st_size},{file.stat().st_mtime_ns}" for file in files if file.is_file())
    sources = {f"source_{number}": str(source) for number, source in enumerate(case.sources)}
    return {**sources, "task": "volumes", "name": case.name, "state": state}


class PrepareVolume(Transform):
    """Make of a case what the cache keeps: ``image`` (N, H, W, D), luminance 0..255, uint8, and its ``slices``.

    Args:
        sources: keys of the files, the reference first.
        plane: see :func:`volfuse.imaging.preprocessing`, as the next two.
        windows: see there.
        colormaps: see there.
        register: first register every other scan onto the first, rigid and affine; see ``volfuse register``.
    """

    def __init__(
        self,
        sources: Sequence[str],
        plane: Plane = "axial",
        windows: Windows = "auto",
        colormaps: Sequence[Colormap | None] | None = None,
        register: bool = False,
    ) -> None:
        self.keys = list(sources)
        self.register = register
        self.settings = repr((plane, windows, colormaps, register))
        self.prepare = preprocessing(sources, plane, windows, colormaps)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``image``, ``slices`` (M, 2): axis 1..3 and index, ``task`` and ``name``."""
        paths = [Path(data[key]) for key in self.keys]
        scans: Sequence[Any] = registered(paths, [Reading()] * len(paths)) if self.register else paths
        prepared = self.prepare(dict(zip(self.keys, scans, strict=True)))
        image = prepared["image"].as_tensor().clamp(0, 1)
        slices = content_slices(image)
        if not len(slices):
            raise FusionError(
                f"{data['name']} shows too little to train on; check its scans and their windows."
            )
        levels = (image * 255).round().to(torch.uint8)
        return {"image": levels, "slices": slices, "task": data["task"], "name": data["name"]}


def cache_name(prepare: PrepareVolume) -> str:
    """Return a name for a cache of what ``prepare`` makes: other settings and versions have another."""
    return hashlib.sha256(f"{__version__} {prepare.settings}".encode()).hexdigest()[:12]


def content_slices(image: Tensor) -> Tensor:
    """Return the slices of (N, H, W, D), values 0..1, in three planes that show enough: (M, 2), axis 1..3 and index."""
    shown = image.amax(dim=0) > SHOWN
    found = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        indices = (shown.float().mean(dim=others) >= SHARE).nonzero()
        found.append(torch.cat([torch.full_like(indices, axis + 1), indices], dim=1))
    return torch.cat(found)


class RandContentSlice(Transform, RandomizableTrait):
    """Take one of the ``slices`` of a prepared case: each plane is as likely, then each slice of it."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the case with ``image`` (N, rows, columns), float, values 0..1."""
        slices = data["slices"]
        axes = slices[:, 0].unique()
        own = slices[slices[:, 0] == axes[torch.randint(len(axes), ())]]
        axis, index = own[torch.randint(len(own), ())].tolist()
        image = data["image"].select(axis, index).float() / 255
        return {"image": image, "task": data["task"], "name": data["name"]}


class WholeVolume(Transform, RandomizableTrait):
    """Take a prepared case whole. It is called random so that MONAI's cache keeps what comes before it."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the case with ``image`` (N, H, W, D), float, values 0..1."""
        return {"image": data["image"].float() / 255, "task": data["task"], "name": data["name"]}
