"""What is in a folder, a file or a disc: every volume of every series, with a number to choose it by."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.imaging.dicom.attributes import text
from volfuse.imaging.dicom.finding import (
    DIRECTORY_CLASS,
    files_in,
    files_of_directory,
    is_dicom,
    looks_like,
)
from volfuse.imaging.dicom.header import examine, read_header
from volfuse.imaging.dicom.instance import Damaged, Instance, NoImage
from volfuse.imaging.dicom.pixels import reading
from volfuse.imaging.dicom.splitting import Volume, volumes_of

_MOST_LISTED = 20


@dataclass(frozen=True)
class SeriesSummary:
    """One volume that can be chosen.

    Attributes:
        number: to choose it by, from 1.
        uid: of its series.
        modality: such as ``"MR"``.
        description: of the series; empty where it has none.
        volume: what tells it from other volumes of its series, such as ``"echo time 80"``; empty if it is the only one.
        size: columns, rows and slices.
    """

    number: int
    uid: str
    modality: str
    description: str
    volume: str
    size: tuple[int, int, int]

    def __str__(self) -> str:
        """Return it as an entry of a list."""
        named = [self.modality or "no modality", *(each for each in (self.description, self.volume) if each)]
        return f"{self.number} ({', '.join(named)}, {'x'.join(map(str, self.size))})"


@dataclass
class Contents:
    """Everything that was found under a path.

    Attributes:
        name: of the file or folder, for messages.
        volumes: in the order of their numbers.
        damaged: what cannot be read.
        others: objects without an image.
        copies: what was left out because it repeats another file: sentences.
    """

    name: str
    volumes: list[Volume] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
    others: list[NoImage] = field(default_factory=list)
    copies: dict[Path, str] = field(default_factory=dict)

    @property
    def summaries(self) -> list[SeriesSummary]:
        """The volumes as a user sees them."""
        return [_summary(number, volume) for number, volume in enumerate(self.volumes, 1)]


def list_series(path: str | Path) -> list[SeriesSummary]:
    """Return all volumes of a DICOM file, a folder with its subfolders, or a DICOMDIR; pixels are not read.

    Raises:
        FusionError: if there are too many files.
    """
    return contents_of(Path(path)).summaries


def contents_of(path: Path) -> Contents:
    """Find and examine the DICOM objects of a file, a folder with its subfolders, or a DICOMDIR."""
    contents = Contents(path.name or str(path))
    instances: list[Instance] = []
    suspects: list[Path] = []
    for file in _candidates(path):
        try:
            found = _examined(file)
        except OSError as error:
            found = Damaged(file, f"cannot be opened ({error.strerror})")
        if isinstance(found, Instance):
            instances.append(found)
        elif isinstance(found, Damaged):
            contents.damaged.append(found)
        elif isinstance(found, NoImage):
            contents.others.append(found)
        else:
            suspects.append(file)
    contents.damaged += _damaged_by_name(suspects, instances, alone=path.is_file())
    series: dict[str, list[Instance]] = defaultdict(list)
    for instance in _without_copies(instances, contents.copies):
        series[instance.series].append(instance)
    for group in sorted(series.values(), key=lambda each: (each[0].number, each[0].series)):
        group.sort(key=lambda instance: (instance.order, str(instance.path)))
        contents.volumes += volumes_of([frame for instance in group for frame in instance.frames])
    return contents


def choose(contents: Contents, wanted: str | None) -> Volume:
    """Return the only volume, whatever number is wanted, or the one that a number or UID names.

    Raises:
        FusionError: if there is none, none such, or a choice to make; it lists what there is.
    """
    name, summaries = contents.name, contents.summaries
    if not summaries:
        raise _nothing(contents)
    chosen = summaries
    is_only_one = len(summaries) == 1 and wanted is not None and wanted.isdigit()  # nothing to choose from
    if wanted is not None and not is_only_one:
        chosen = [each for each in summaries if wanted in (str(each.number), each.uid)]
        if not chosen:
            raise FusionError(
                f"{name} has no DICOM series '{wanted:.80}', but {_listed(summaries)}; choose one with --series 1."
            )
    if len(chosen) > 1:
        several = len({each.uid for each in chosen}) > 1
        what = "DICOM series" if several and not any(each.volume for each in chosen) else "DICOM volumes"
        raise FusionError(
            f"{name} holds {len(chosen)} {what}: {_listed(chosen)}; "
            f"choose one with --series {chosen[0].number}."
        )
    return contents.volumes[chosen[0].number - 1]


def _examined(path: Path) -> Instance | NoImage | Damaged | None:
    if not path.is_file():
        return Damaged(path, "is missing")
    return examine(path) if is_dicom(path) else None


def _candidates(path: Path) -> Iterable[Path]:
    if path.is_dir():
        return files_in(path)
    if path.is_file() and is_dicom(path):
        try:
            directory = read_header(path).dataset
            is_directory = text(directory.file_meta, "MediaStorageSOPClassUID") == DIRECTORY_CLASS
            return files_of_directory(path, directory) if is_directory else [path]
        except FusionError:
            raise
        except Exception:  # examine says what is wrong with it
            return [path]
    return [path]


def _damaged_by_name(suspects: Sequence[Path], instances: Sequence[Instance], alone: bool) -> list[Damaged]:
    """Return files that are no DICOM but, by their names, should be."""
    beside: dict[Path, list[Path]] = defaultdict(list)
    for instance in instances:
        beside[instance.path.parent].append(instance.path)
    found = []
    for path in suspects:
        if alone or looks_like(path, beside[path.parent]):
            found.append(Damaged(path, "is no DICOM file" if path.stat().st_size else "is empty"))
    return found


def _without_copies(instances: Sequence[Instance], notes: dict[Path, str]) -> list[Instance]:
    """Leave out files that hold the same object with the same pixels as another."""
    kept: dict[str, list[Instance]] = defaultdict(list)
    for instance in sorted(instances, key=lambda each: (len(each.path.name), each.path)):
        first = next(
            (each for each in kept[instance.uid] if instance.uid and _digest(each) == _digest(instance)), None
        )
        if first is None:
            kept[instance.uid].append(instance)
        else:
            notes[first.path] = f"{instance.path.name} repeats {first.path.name} and is left out."
    return [instance for group in kept.values() for instance in group]


def _digest(instance: Instance) -> bytes:
    hashed = sha256()
    try:
        with reading(instance) as pixels:
            for index in range(instance.pixels.frames):
                hashed.update(pixels.bytes_of(index))
    except FusionError:
        return str(instance.path).encode()
    return hashed.digest()


def _summary(number: int, volume: Volume) -> SeriesSummary:
    instance = volume.frames[0].instance
    size = (instance.pixels.columns, instance.pixels.rows, len(volume.frames))
    return SeriesSummary(number, instance.series, instance.modality, instance.description, volume.words, size)


def _listed(summaries: Sequence[SeriesSummary]) -> str:
    shown = ", ".join(map(str, summaries[:_MOST_LISTED]))
    more = len(summaries) - _MOST_LISTED
    return f"{shown} and {more} more that `volfuse info` lists" if more > 0 else shown


def _nothing(contents: Contents) -> FusionError:
    name = contents.name
    if contents.damaged:
        first = contents.damaged[0]
        if first.path.name == name:
            return FusionError(f"{name} could not be read as DICOM: it {first.reason}; export it again.")
        return FusionError(
            f"The folder {name} holds no DICOM image that can be read: {first.path.name} {first.reason}."
        )
    if contents.others:
        kinds = ", ".join(sorted({each.what for each in contents.others}))
        if {each.what for each in contents.others} == {"SEG"}:
            return FusionError(f"{name} is a label map; choose an image.")
        return FusionError(f"{name} holds no DICOM image that can be fused but {kinds}; choose an image.")
    return FusionError(f"The folder {name} holds no DICOM series; choose another.")
