"""The label server over HTTP, with the standard library alone. Every call waits for the answer."""

import http.client
import json
import uuid
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from volfuse.errors import FusionError
from volfuse.label import FUSION_HEADER, NOTES_HEADER

_SECONDS = 600  # a volume on a slow computer
_PIECE = 1 << 20


class LabelClient:
    """The client of one server.

    Args:
        url: what ``volfuse serve`` printed, such as ``http://127.0.0.1:8000``.
        token: what it printed below.

    Raises:
        FusionError: if ``url`` is not the address of a server, or the token has characters that no token has.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise FusionError(
                f"'{url}' is not the address of a server; copy the URL that volfuse serve prints."
            )
        if not token.strip().isascii() or not token.strip().isprintable():
            raise FusionError("This is not a token; copy the one that volfuse serve prints.")
        self._url = f"{parts.scheme}://{parts.netloc}"
        self._headers = {"Authorization": f"Bearer {token.strip()}"}
        # Scans of patients go to the server itself, not through a proxy that the environment names.
        self._fusions: dict[tuple[str, str], str] = {}  # the ids of what was fetched, by case and model
        self._opener: OpenerDirector = build_opener(ProxyHandler({}))

    def info(self) -> dict[str, Any]:
        """Return models, strategies, trainers."""
        info: dict[str, Any] = self._json("GET", "/info/")
        return info

    def next_case(self, strategy: str, reader: str = "") -> dict[str, Any]:
        """Return the next case, which is kept for this reader for a while, or nothing when none is left."""
        address = f"/activelearning/{quote(strategy)}"
        sample: dict[str, Any] = self._json("POST", address, {"reader": reader}, as_json=True)
        return sample

    def download_scans(self, sample: dict[str, Any], folder: Path) -> tuple[Path, Path]:
        """Fetch the reference and the second scan of a case into ``folder``."""
        query = urlencode({"image": sample["id"]})
        files = []
        for address, name in (("image", sample["name"]), ("second", sample["second"])):
            file = folder / Path(name).name
            self._download("GET", f"/datastore/{address}?{query}", file)
            files.append(file)
        return files[0], files[1]

    def fuse(self, case: str, model: str, file: Path) -> list[str]:
        """Let the server fuse a case; writes the image as NRRD, returns what the user should know about it."""
        query = urlencode({"image": case, "output": "image"})
        params = {"params": json.dumps({"result_extension": ".nrrd"})}
        headers = self._download("POST", f"/infer/{quote(model)}?{query}", file, params)
        self._fusions[case, model] = headers.get(FUSION_HEADER, "")
        notes: list[str] = json.loads(headers.get(NOTES_HEADER, "[]"))
        return notes

    def fetch(self, strategy: str, model: str, folder: str, reader: str = "") -> dict[str, Any]:
        """Fetch the next case and what a model makes of it.

        Returns:
            ``sample``, what the server says of it; the files of its ``scans`` and the ``fused`` image, in ``folder``;
            ``notes``. Nothing when no case is left. Of a case that cannot be read ``sample`` and the ``fault``.
        """
        sample = self.next_case(strategy, reader)
        if not sample:
            return {}
        fused = Path(folder) / "fused.nrrd"
        try:
            scans = self.download_scans(sample, Path(folder))
            notes = self.fuse(sample["id"], model, fused)
        except FusionError as error:
            return {"sample": sample, "fault": str(error)}
        return {"sample": sample, "scans": [str(file) for file in scans], "fused": str(fused), "notes": notes}

    def judge(self, case: str, verdict: dict[str, Any]) -> dict[str, Any]:
        """Give a verdict, on the image that was fetched last; when this returns, it is on the server's disk."""
        fusion = self._fusions.get((case, verdict.get("model", "")))
        if fusion and verdict["verdict"] == "accept":
            verdict = verdict | {"fusion": fusion}
        query = urlencode({"image": case})
        stored: dict[str, Any] = self._json(
            "PUT", f"/datastore/label?{query}", {"params": json.dumps(verdict)}
        )
        return stored

    def score(self, methods: list[str]) -> None:
        """Begin to score all cases by each method."""
        for method in methods:
            self._json("POST", f"/scoring/{quote(method)}")

    def train(self, model: str, reader: str) -> None:
        """Begin a round of training."""
        self._json("POST", f"/train/{quote(model)}", {"reader": reader}, as_json=True)

    def progress(self, kind: str) -> dict[str, Any]:
        """Return the state of the last ``"train"`` or ``"scoring"``."""
        task: dict[str, Any] = self._json("GET", f"/{kind}/")
        return task

    def watch(self, kind: str) -> dict[str, Any]:
        """Return how a background task stands: its ``task``, all ``rounds`` of training, and ``info``."""
        return {"task": self.progress(kind), "rounds": self.rounds(), "info": self.info()}

    def rounds(self) -> list[dict[str, Any]]:
        """Return the record of every round of training."""
        records: list[dict[str, Any]] = self._json("GET", "/rounds/")
        return records

    def _json(
        self, method: str, address: str, fields: dict[str, str] | None = None, as_json: bool = False
    ) -> Any:
        with self._open(method, address, fields, as_json) as answer:
            return json.load(answer)

    def _download(
        self, method: str, address: str, file: Path, fields: dict[str, str] | None = None
    ) -> Message:
        """Write an answer to ``file``; returns its headers."""
        with self._open(method, address, fields) as answer, file.open("wb") as copy:
            while piece := answer.read(_PIECE):
                copy.write(piece)
        return answer.headers

    def _open(
        self, method: str, address: str, fields: dict[str, str] | None, as_json: bool = False
    ) -> http.client.HTTPResponse:
        body, kind = (None, {})
        if fields is not None:
            body, content_type = _as_json(fields) if as_json else _as_form(fields)
            kind = {"Content-Type": content_type}
        request = Request(self._url + address, body, self._headers | kind, method=method)
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=_SECONDS)
            return answer
        except HTTPError as error:
            raise FusionError(_sentence(error)) from error
        except (URLError, OSError, http.client.HTTPException) as error:
            raise FusionError(
                f"The server {self._url} does not answer; check the URL and whether it runs."
            ) from error


def _as_json(fields: dict[str, str]) -> tuple[bytes, str]:
    return json.dumps(fields).encode(), "application/json"


def _as_form(fields: dict[str, str]) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode(), f"multipart/form-data; boundary={boundary}"


def _sentence(error: HTTPError) -> str:
    if error.code == http.client.UNAUTHORIZED:
        return "The server does not know this token; copy the one that volfuse serve printed when it started."
    try:
        return f"The server says: {json.load(error)['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"The server answered with an error ({error.code}); see its log."
