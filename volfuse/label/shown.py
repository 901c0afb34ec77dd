"""Fused images that readers have before their eyes, kept so that a verdict stores exactly what was seen."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from volfuse.fusion.options import FusionOptions
from volfuse.label.cases import CaseFiles
from volfuse.label.files import link_or_copy, own, write_own
from volfuse.label.records import read_record
from volfuse.models import Model, find

_MOST_BYTES = 512 << 20
_MOST_FILES = 1000
_SECONDS = 86_400


@dataclass(frozen=True)
class Shown:
    """One fused image.

    Attributes:
        id: tells it from every other: the scans, the model and its weights, the options.
        file: where it is.
        facts: what the client was told of it.
    """

    id: str
    file: Path
    facts: dict[str, Any]


class ShownFusions:
    """The newest fused images in a folder, with bounds on their number, their size and their age.

    Args:
        folder: it is made with the first image.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, pair: CaseFiles, model: str, fusion: str, is_shown: bool = False) -> Shown | None:
        """Return a fused image by its id, which perhaps a reader is shown again."""
        record = self._of(pair, model) / f"{fusion}.json"
        if not record.is_file():
            return None
        facts = read_record(record)
        file = own(record.with_name(f"{fusion}{facts.pop('suffix')}"))
        with suppress(FileNotFoundError):
            if is_shown:
                os.utime(record)
            return Shown(fusion, file, facts) if file.is_file() else None
        return None

    def last(self, pair: CaseFiles, model: Model) -> Shown | None:
        """Return what was shown last of a case and a model, unless the scans or the weights are others since."""
        content = _content(pair, model)
        records = own(self._of(pair, model.name)).glob(f"{content}*.json")
        newest = max(records, key=_changed, default=None)
        return self.find(pair, model.name, newest.stem) if newest else None

    def keep(self, pair: CaseFiles, model: str, fusion: str, file: Path, facts: Mapping[str, Any]) -> None:
        """Keep a fused image, and remove the oldest beyond the bounds."""
        folder, suffix = self._of(pair, model), "".join(file.suffixes)
        write_own(folder / f"{fusion}{suffix}", lambda partial: link_or_copy(file, partial))
        write_own(folder / f"{fusion}.json", json.dumps({**facts, "suffix": suffix}))
        self._remove_oldest()

    def _of(self, pair: CaseFiles, model: str) -> Path:
        return self._folder / pair.name / model

    def _remove_oldest(self) -> None:
        records = sorted(self._folder.glob("*/*/*.json"), key=_changed, reverse=True)
        kept, oldest = 0, time.time() - _SECONDS
        for number, record in enumerate(records):
            files = list(record.parent.glob(f"{record.stem}.*"))
            kept += sum(_size(file) for file in files)
            if number and (number >= _MOST_FILES or kept > _MOST_BYTES or _changed(record) < oldest):
                for file in files:
                    file.unlink(missing_ok=True)


def fusion_id(pair: CaseFiles, model: Model, options: FusionOptions, suffix: str) -> str:
    """Return what tells one fused image from every other, 64 hexadecimal digits."""
    choice = json.dumps([asdict(options), suffix], sort_keys=True)
    return _content(pair, model) + hashlib.sha256(choice.encode()).hexdigest()[:32]


def _content(pair: CaseFiles, model: Model) -> str:
    files = [(file.name, (status := file.stat()).st_size, status.st_mtime_ns) for file in pair.files]
    weights = _weights_hash(model.name)
    return hashlib.sha256(json.dumps([files, model.name, weights]).encode()).hexdigest()[:32]


@lru_cache(maxsize=64)  # weights under one name never change
def _weights_hash(model: str) -> str | None:
    return find(model).weights_hash()


def _changed(file: Path) -> float:
    with suppress(FileNotFoundError):
        return file.stat().st_mtime
    return 0.0


def _size(file: Path) -> int:
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0
