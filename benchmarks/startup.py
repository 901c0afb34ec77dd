"""How long a command takes to answer, next to the imports that it avoids.

    python benchmarks/startup.py

Every line is the fastest of several processes; the lines take turns, so that all see the same machine. Machines differ
and are shared: read the ratios within one run, not the seconds.
"""

import subprocess
import sys
import time

REPETITIONS = 5
LINES = {
    "import monai": ["-c", "import monai"],
    "import torch": ["-c", "import torch"],
    "import volfuse.fusion.pipeline": ["-c", "import volfuse.fusion.pipeline"],
    "volfuse --version": ["-m", "volfuse", "--version"],
    "volfuse --help": ["-m", "volfuse", "--help"],
    "volfuse models": ["-m", "volfuse", "models"],
    "volfuse fuse with a missing file": ["-m", "volfuse", "fuse", "no.nii", "no.nii", "-o", "fused.nii"],
}


def main() -> None:
    """Print a Markdown table of seconds and of their ratios to ``import monai``."""
    fastest = dict.fromkeys(LINES, float("inf"))
    for _ in range(REPETITIONS):
        for title, arguments in LINES.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=False, capture_output=True)
            fastest[title] = min(fastest[title], time.perf_counter() - start)
    whole = fastest["import monai"]
    print("| | seconds | of `import monai` |\n|---|---|---|")
    for title, seconds in fastest.items():
        print(f"| `{title}` | {seconds:.2f} | {seconds / whole:.1%} |")


if __name__ == "__main__":
    main()
