"""Start the label server. It is an app of MONAI Label, an extra that this library never imports by itself."""

import ipaddress
import os
import secrets
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.jobs.limits import without_unused_packages
from volfuse.label.cases import find_cases
from volfuse.label.layout import Layout
from volfuse.label.tokens import ReaderTokens

TOKEN_VARIABLE = "VOLFUSE_TOKEN"
"""Environment variable with a token that stays the same from start to start."""
_SHORTEST_TOKEN = 16
_MISSING = (
    "The label server needs MONAI Label; install it with: pip install 'volfuse[label]' and then "
    "pip install --no-deps monailabel==0.8.5 pydicom-seg==0.4.1"
)


def serve(
    studies: Path,
    modalities: str,
    host: str,
    port: int,
    upload_limit: int,
    memory: int,
    announce: Callable[[str, str], None],
) -> None:
    """Serve the cases of a folder until stopped.

    Args:
        studies: a folder with files such as ``patient7_mr.nii.gz`` and ``patient7_pet.nii.gz``.
        modalities: the two endings with a comma, the reference first: ``"mr,pet"``.
        host: the address to listen on.
        port: 0 takes a free one.
        upload_limit: MiB of one request.
        memory: MiB that the server may take with its workers.
        announce: called with URL and token when requests are taken; the token is empty where readers have their own.

    Raises:
        FusionError: one sentence on what is missing or wrong.
    """
    if any(find_spec(name) is None for name in ("monailabel", "fastapi", "uvicorn", "filelock")):
        raise FusionError(_MISSING)
    endings = _checked(studies, modalities)
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(32)
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise FusionError(f"{TOKEN_VARIABLE} must be {_SHORTEST_TOKEN} or more plain characters.")
    if not find_cases(studies, endings):
        first, second = endings
        raise FusionError(
            f"{studies} holds no case; put pairs such as patient7_{first}.nii.gz and patient7_{second}.nii.gz there, "
            "or name other endings with --modalities."
        )
    with without_unused_packages("itk"):  # MONAI Label needs it
        from volfuse.label.server.start import ServerSettings, run

    settings = ServerSettings(studies, endings, host, port, token, upload_limit, memory)
    readers = ReaderTokens(Layout(studies).readers)
    readers.digests()  # raises if they cannot be read
    run(settings, lambda url: announce(url, "" if readers.are_used else token))


def examine(studies: Path, modalities: str, decode: bool) -> Iterator[str]:
    """Yield a sentence on every damaged file; see :func:`volfuse.label.doctor.examine`.

    Raises:
        FusionError: if there is no such folder, or ``modalities`` is no pair.
    """
    if find_spec("filelock") is None:
        raise FusionError(_MISSING)
    from volfuse.label.doctor import examine as look

    return look(studies, _checked(studies, modalities), decode)


def _checked(studies: Path, modalities: str) -> tuple[str, str]:
    if not studies.is_dir():
        raise FusionError(f"There is no folder {studies}; give one with the scans.")
    endings = tuple(modalities.split(","))
    if len(endings) != 2 or endings[0] == endings[1] or not all(ending.isalnum() for ending in endings):
        raise FusionError(f"'{modalities}' is not a pair of endings; write for example mr,pet.")
    return endings


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
