"""Sessions: two scans that exist only in a client, uploaded to be fused. They expire."""

import json
import shutil
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, HTTPException, Request, UploadFile
from pydantic import Field

from volfuse.label.errors import NoRoom
from volfuse.label.files import bytes_in, own, write_own
from volfuse.label.records import read_record
from volfuse.label.server.answers import keep_upload
from volfuse.label.server.parameters import SOURCES

SECONDS = 3600
"""How long a session is kept after it was last used."""
_MOST = 50
_MOST_BYTES = 4
"""Times the size of the largest request: what all sessions may keep together."""

SessionId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

router = APIRouter(prefix="/session", tags=["Session"])


class Sessions:
    """The uploaded pairs in a folder; they survive a restart of the server.

    Args:
        folder: it is made with the first session.
        upload_limit: bytes of one request.
    """

    def __init__(self, folder: Path, upload_limit: int) -> None:
        self._folder = folder
        self._most_bytes = _MOST_BYTES * upload_limit

    def create(self, uploads: list[UploadFile]) -> dict[str, Any]:
        """Keep two uploads, the reference first.

        Raises:
            HTTPException: if there are not two, or too many sessions are open.
            NoRoom: if the open sessions keep too much.
        """
        self.remove_expired()
        if len(uploads) != SOURCES:
            raise HTTPException(422, f"A session is two scans, the reference first; {len(uploads)} came.")
        if self._folder.is_dir() and len(list(self._folder.iterdir())) >= _MOST:
            raise HTTPException(429, "Too many sessions are open; end some.")
        if bytes_in(self._folder) + sum(upload.size or 0 for upload in uploads) > self._most_bytes:
            raise NoRoom("The open sessions keep as much as they may; end some.")
        name = uuid.uuid4().hex
        folder = self._folder / name
        own(folder).mkdir(parents=True)
        try:
            files = [keep_upload(upload, folder, f"source_{n}").name for n, upload in enumerate(uploads)]
        except BaseException:
            shutil.rmtree(folder)
            raise
        write_own(folder / "session.json", json.dumps({"files": files}))
        return {"session_id": name, "session_info": self.info(name)}

    def files(self, name: str) -> list[Path]:
        """Return the two scans, and start the time to the end of the session again.

        Raises:
            HTTPException: 404 if there is no such session.
        """
        info = self.info(name)
        (self._folder / name / "session.json").touch()
        return [self._folder / name / file for file in info["files"]]

    def info(self, name: str) -> dict[str, Any]:
        """Return what is known of a session.

        Raises:
            HTTPException: 404 if there is no such session.
        """
        file = self._folder / name / "session.json"
        if not file.is_file():
            raise HTTPException(404, "There is no such session; it may have expired.")
        return {"name": name, "expiry": SECONDS, **read_record(file)}

    def remove(self, name: str) -> None:
        """Remove the files of a session."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def remove_expired(self) -> None:
        """Remove sessions that nobody used for an hour."""
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            used = max((path.stat().st_mtime for path in (folder, *folder.glob("session.json"))), default=0)
            if time.time() - used > SECONDS:
                self.remove(folder.name)


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


@router.put("/", summary="Upload two scans")
def create(request: Request, files: Annotated[list[UploadFile], File()]) -> dict[str, Any]:
    """Begin a session with two scans, the reference first."""
    return _sessions(request).create(files)


@router.get("/{session_id}", summary="Ask for a session")
def info(request: Request, session_id: SessionId) -> dict[str, Any]:
    """Return what is known of a session."""
    return _sessions(request).info(session_id)


@router.delete("/{session_id}", summary="End a session")
def remove(request: Request, session_id: SessionId) -> dict[str, Any]:
    """Remove the scans of a session."""
    known = _sessions(request).info(session_id)
    _sessions(request).remove(session_id)
    return known
