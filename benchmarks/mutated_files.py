"""What becomes of thousands of damaged files: read, refused in one sentence, or worse.

    python -m benchmarks.mutated_files --files 1000 -o results

Every format has a process of its own, so that a crash is counted and not fatal. Written is ``mutated_files.csv``.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.mutations import mutated, write_originals
from volfuse.errors import FusionError
from volfuse.imaging import read_image

COLUMNS = ("format", "files", "read", "refused", "other errors", "crashes", "slowest s", "most MiB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1000, help="of each format")
    parser.add_argument("-o", "--output", type=Path, default=Path("results"))
    parser.add_argument("--original", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.original:
        print(*(measured(arguments.original, arguments.files)), sep=",")
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row(name, path, arguments.files) for name, path in sorted(write_originals(Path(folder)).items())
        ]
    with (arguments.output / "mutated_files.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *rows])


def row(name: str, original: Path, files: int) -> list[object]:
    command = [sys.executable, "-m", "benchmarks.mutated_files", "--original", str(original)]
    done = subprocess.run([*command, "--files", str(files)], stdout=subprocess.PIPE, text=True, check=False)
    values = done.stdout.split(",") if done.returncode == 0 else ["", "", "", 1, "", ""]
    result = [name, files, *(str(value).strip() for value in values)]
    print(*result)
    return result


def measured(original: Path, files: int) -> list[object]:
    """Read mutations of a file; returns the values of a row."""
    import resource

    warnings.simplefilter("ignore")
    content = original.read_bytes()
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    read_image(original)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(files):
        file = original.with_name(f"mutated-{original.name}")
        file.write_bytes(mutated(content, seed))
        start = time.perf_counter()
        try:
            read_image(file)
            outcomes["read"] += 1
        except FusionError:
            outcomes["refused"] += 1
        except Exception as error:
            outcomes["other"] += 1
            print(original.name, seed, repr(error), file=sys.stderr)
        slowest = max(slowest, time.perf_counter() - start)
        file.unlink()
    most = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return [outcomes["read"], outcomes["refused"], outcomes["other"], 0, f"{slowest:.2f}", f"{most:.0f}"]


if __name__ == "__main__":
    main()
