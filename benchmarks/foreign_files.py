"""What becomes of the files by which nibabel and pydicom test themselves: read, or refused in which words.

    python -m benchmarks.foreign_files -o results

Written is ``foreign_files.csv``. SimpleITK ships none; its own readers are compared with in the tests.
"""

import argparse
import csv
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.imaging import read_image
from volfuse.imaging.stored import About

COLUMNS = ("package", "file", "read", "as", "size", "type", "words")
FOLDERS = {"nibabel": "**/tests/data", "pydicom": "data/test_files"}
CODE = {".py", ".pyc", ".md", ".rst", ".txt", ".json", ".sh", ".css"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with (arguments.output / "foreign_files.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for package, path, name in shipped():
            writer.writerow([package, name, *outcome(path)])


def shipped() -> Iterator[tuple[str, Path, str]]:
    """Yield each file of data with its package and its name in the package."""
    for package, folders in FOLDERS.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        root = Path(spec.origin).parent
        files = {path for folder in root.glob(folders) for path in folder.rglob("*") if path.is_file()}
        for path in sorted(files):
            if path.suffix not in CODE:
                yield package, path, path.relative_to(root).as_posix()


def outcome(path: Path) -> list[str]:
    """Read a file; returns the values of a row after its name."""
    try:
        image = read_image(path)
    except FusionError as error:
        return ["no", "", "", "", str(error)]
    about = About.from_meta(image.meta)
    size = " x ".join(map(str, image.shape))
    return ["yes", about.format, size, image.meta["stored_dtype"], " ".join(about.notes)]


if __name__ == "__main__":
    main()
