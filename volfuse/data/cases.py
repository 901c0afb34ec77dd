"""Lists of cases: which scans belong together, which of them is the reference, and what a case is called.

A list is one of four things:

- a folder of case folders: ``CASES/patient1/mr.nii.gz``, ``CASES/patient1/pet.nii.gz``;
- a flat folder: ``CASES/patient1_mr.nii.gz``, ``CASES/patient1_pet.nii.gz``;
- a CSV file with the columns ``case``, ``reference``, ``second`` (and ``third``, ...);
- a JSON file with such entries: a list, or MONAI's dictionary of lists (``{"testing": [...]}``).

In folders the *roles* tell scans apart: ``("mr", "pet")`` means that the reference is the file or DICOM folder with
``mr`` as a word of its name. Paths in CSV and JSON are relative to the file that names them.
"""

import csv
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from volfuse.errors import FusionError

PLACES = ("reference", "second", "third", "fourth", "fifth", "sixth")
"""What the sources of a case are called where roles are not: the columns of a CSV file."""

_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}
_NOT_IMAGES = {
    ".json",
    ".txt",
    ".csv",
    ".tsv",
    ".md",
    ".xml",
    ".html",
    ".pdf",
    ".log",
    ".bval",
    ".bvec",
    ".py",
}


@dataclass(frozen=True)
class Case:
    """The scans of one case.

    Attributes:
        name: what results of it are called; a plain file name.
        sources: files or DICOM folders, the reference first. Empty if there is a problem.
        problem: why it cannot be fused, in one sentence; empty if nothing is known to be wrong.
        options: what else a table says of it: name and text.
    """

    name: str
    sources: tuple[Path, ...] = ()
    problem: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def list_cases(
    source: str | Path,
    roles: Sequence[str | None] | None = None,
    num_sources: int = 2,
    options: Collection[str] = (),
) -> list[Case]:
    """List the cases of a folder, a CSV file or a JSON file, in the order of their names or lines.

    Hidden files and those of operating systems (``.DS_Store``, ``Thumbs.db``) are no scans. A case that is incomplete
    is listed with its ``problem``, so that it does not keep others from being fused.

    Args:
        source: see the module.
        roles: what the names of the scans have as a word, the reference first; upper and lower case do not matter.
            Without roles, scans in case folders are told apart by numbers in front of their names: ``0_mr.nii.gz``,
            ``1_pet.nii.gz``.
        num_sources: scans of a case, where there are no roles.
        options: further columns that a table may have.

    Raises:
        FusionError: if the list cannot be read, holds no case or not one that is complete, or the roles are not as
            many different words.
    """
    source = Path(source)
    words = _checked_roles(roles)
    if source.is_dir():
        found = _from_folder(source, words, num_sources)
    elif source.is_file():
        found = _from_table(source, words, num_sources, options)
    else:
        raise FusionError(
            f"{source} does not exist; name a folder of cases, or a CSV or JSON file that lists them."
        )
    cases = _named_once(found)
    if not cases:
        has_scans = source.is_dir() and _visible(source)
        raise FusionError(
            f"{source} holds no folders of cases; name the scans in it, for example: --reference mr --second pet."
            if has_scans
            else f"{source} holds no cases; put one folder per case into it, with its scans."
        )
    if all(case.problem for case in cases):
        raise FusionError(cases[0].problem)
    return cases


def _checked_roles(roles: Sequence[str | None] | None) -> tuple[str, ...]:
    given = [None if role is None else str(role).lower() for role in roles or ()]
    words = tuple(role for role in given if role)
    if words and (len(words) < len(given) or len(set(words)) < len(words)):
        named = ", ".join(f"{place} {role or '(none)'}" for place, role in zip(PLACES, given, strict=False))
        raise FusionError(f"The scans of a case need as many different names, not: {named}.")
    return words


def _from_folder(folder: Path, roles: tuple[str, ...], num_sources: int) -> list[Case]:
    entries = _visible(folder)
    folders = [entry for entry in entries if entry.is_dir()]
    in_folders = any(_having(role, _visible(entry)) for entry in folders for role in roles)
    if roles and not in_folders and any(_having(role, entries) for role in roles):
        return _from_flat_folder(folder, entries, roles)
    return [_from_case_folder(entry, roles, num_sources) for entry in folders]


def _from_flat_folder(folder: Path, entries: Sequence[Path], roles: tuple[str, ...]) -> list[Case]:
    groups: dict[str, list[Path]] = {}
    for entry in entries:
        for role in roles:
            if _having(role, [entry]):
                groups.setdefault(_without(role, entry) or folder.name, []).append(entry)
    return [_by_roles(name, folder, group, roles) for name, group in sorted(groups.items())]


def _from_case_folder(folder: Path, roles: tuple[str, ...], num_sources: int) -> Case:
    scans = _visible(folder)
    if roles:
        return _by_roles(folder.name, folder, scans, roles)
    numbers = {_number(scan): scan for scan in scans}
    if None not in numbers and len(numbers) == len(scans) == num_sources:
        return Case(
            folder.name, tuple(scan for _, scan in sorted(numbers.items(), key=lambda item: item[0] or 0))
        )
    names = ", ".join(scan.name for scan in scans) or "nothing"
    if len(scans) == num_sources:
        return Case(
            folder.name,
            problem=f"{folder} holds {names}, and nothing says which is the reference; "
            "name them, for example: --reference mr --second pet.",
        )
    return Case(
        folder.name,
        problem=f"{folder} holds {names}, where {num_sources} scans are needed; "
        "complete it, or name them, for example: --reference mr --second pet.",
    )


def _by_roles(name: str, folder: Path, scans: Sequence[Path], roles: tuple[str, ...]) -> Case:
    sources = []
    for role in roles:
        found = _having(role, scans)
        exact = [scan for scan in found if _stem(scan).lower() == role]
        if len(exact or found) != 1:
            names = ", ".join(scan.name for scan in exact or found or scans) or "nothing"
            amount = "more than one" if found else "no"
            return Case(
                name, problem=f"The case {name} in {folder} has {amount} scan '{role}': it holds {names}."
            )
        sources += exact or found
    if len(set(sources)) < len(sources):
        return Case(name, problem=f"{sources[0].name} in {folder} is named as {' and '.join(roles)} at once.")
    return Case(name, tuple(sources))


def _from_table(file: Path, roles: tuple[str, ...], num_sources: int, options: Collection[str]) -> list[Case]:
    rows = _rows(file)
    places = PLACES[: len(roles) or num_sources]
    cases = []
    for number, row in enumerate(rows, start=1):
        columns = roles if set(roles) & row.keys() else places
        if missing := [column for column in columns if not row.get(column)]:
            raise FusionError(
                f"Entry {number} of {file.name} has no '{missing[0]}'; it needs {', '.join(('case', *columns))}."
            )
        if unknown := [column for column in row if column not in ("case", *columns, *options)]:
            allowed = ", ".join(("case", *columns, *options))
            raise FusionError(
                f"{file.name} has an entry '{unknown[0]}' that means nothing here; use {allowed}."
            )
        sources = tuple(file.parent / row[column] for column in columns)
        chosen = {name: row[name] for name in options if row.get(name)}
        missing_files = [source for source in sources if not source.exists()]
        problem = f"{missing_files[0]} does not exist; correct {file.name}." if missing_files else ""
        cases.append(Case(row.get("case") or _stem(sources[0]), () if problem else sources, problem, chosen))
    return cases


def _rows(file: Path) -> list[dict[str, str]]:
    """Return the entries of a table with names in lower case."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".json":
            content: Any = json.loads(text)
            rows = content if isinstance(content, list) else next(iter(content.values()))
        else:
            header = text.partition("\n")[0]
            rows = list(csv.DictReader(text.splitlines(), delimiter=";" if ";" in header else ","))
        return [
            {str(key).strip().lower(): str(value or "").strip() for key, value in row.items()} for row in rows
        ]
    except (ValueError, AttributeError, StopIteration, csv.Error) as error:
        raise FusionError(
            f"{file.name} is no list of cases; give a CSV file with the columns case, reference, second, "
            "or a JSON list of such entries."
        ) from error


def _named_once(cases: Iterable[Case]) -> list[Case]:
    """Make a problem of names that no result could have, or that another case has."""
    named: dict[str, Case] = {}
    checked = []
    for case in cases:
        problem = case.problem
        if not case.name or case.name.startswith(".") or re.search(r"[/\\\x00-\x1f]", case.name):
            problem = f"'{case.name}' can be no name of a case; use letters, digits, '_' and '-'."
        elif case.name.lower() in named:
            problem = f"Two cases are called {case.name}; give each a name of its own."
        named.setdefault(case.name.lower(), case)
        checked.append(Case(case.name, () if problem else case.sources, problem, case.options))
    return checked


def _visible(folder: Path) -> list[Path]:
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith((".", "~"))
        and entry.name.lower() not in _SYSTEM_FILES
        and entry.suffix.lower() not in _NOT_IMAGES
    )


def _having(role: str, scans: Iterable[Path]) -> list[Path]:
    """Return those with the role as a word of their name."""
    return [scan for scan in scans if re.search(_word(role), _stem(scan).lower())]


def _without(role: str, scan: Path) -> str:
    stem = _stem(scan)
    found = re.search(_word(role), stem.lower())
    assert found is not None
    parts = [stem[: found.start()].rstrip("_- "), stem[found.end() :].strip("_- ")]
    return "_".join(part for part in parts if part)


def _word(role: str) -> str:
    return rf"(?<![a-z0-9]){re.escape(role)}(?![a-z0-9])"


def _stem(scan: Path) -> str:
    return scan.name if scan.is_dir() else scan.name.split(".")[0]


def _number(scan: Path) -> int | None:
    found = re.match(r"\d+(?=[_\- ])", scan.name)
    return int(found[0]) if found else None
