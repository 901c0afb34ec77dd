"""``python -m volfuse`` is the ``volfuse`` command."""

from volfuse.cli import main

main()
