# ruff: noqa: N999
"""The parts of the panel: MRML in and out, the job, the tools for reading, the widgets."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("volfuse") is None:  # an installed extension carries it; a checkout has it two folders up
    sys.path.append(str(Path(__file__).parents[2]))
