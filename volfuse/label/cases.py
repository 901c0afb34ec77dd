"""Two scans make one case: ``patient7_mr.nii.gz`` and ``patient7_pet.nii.gz`` are the case ``patient7``."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".png")
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
"""What names of cases, models and tags are made of: nothing that could lead out of a folder."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseFiles:
    """The two scans of one case.

    Attributes:
        name: what both file names begin with.
        reference: the scan whose grid the fused image has.
        second: the other one.
    """

    name: str
    reference: Path
    second: Path

    @property
    def files(self) -> tuple[Path, Path]:
        """Both, the reference first."""
        return self.reference, self.second


def find_cases(studies: Path, modalities: tuple[str, str], name: str = "") -> dict[str, CaseFiles]:
    """List the complete cases in a folder by name.

    Args:
        studies: the folder; folders in it are not searched.
        modalities: what the names of the reference and of the second scan end with, e.g. ``("mr", "pet")``.
        name: of a case, if only that one and those that begin like it are looked for.

    Returns:
        Cases in the order of their names. Files that really lie elsewhere (links) are left out.
    """
    scans: dict[str, dict[str, Path]] = {}
    for path in find_scans(studies, modalities, name):
        match = _parse(path.name, modalities)
        assert match is not None
        case, modality = match
        scans.setdefault(case, {}).setdefault(modality, path)
    return {
        case: CaseFiles(case, *(found[modality] for modality in modalities))
        for case, found in scans.items()
        if len(found) == len(modalities)
    }


def find_scans(studies: Path, modalities: tuple[str, str], name: str = "") -> list[Path]:
    """List the files that are scans by their names, with or without the other one of their case; see above."""
    root = studies.resolve()
    scans = []
    for path in sorted(path for path in studies.iterdir() if path.name.startswith(name)):
        if _parse(path.name, modalities) is None or not path.is_file():
            continue
        if path.is_symlink() and path.resolve().parent != root:
            _logger.warning("%s is a link out of the studies folder and is left out.", path.name)
            continue
        scans.append(path)
    return scans


def suffix_of(name: str) -> str:
    """Return the suffix of an image file, ``.nii.gz`` as one; empty for anything else."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")


def _parse(file_name: str, modalities: tuple[str, str]) -> tuple[str, str] | None:
    stem = file_name[: -len(suffix_of(file_name)) or None]
    name, underscore, modality = stem.rpartition("_")
    known = underscore and modality in modalities and suffix_of(file_name)
    return (name, modality) if known and re.fullmatch(NAME, name) else None
