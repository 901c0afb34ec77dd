"""What every request passes first: the check of the token, and the limits on its size and on that of all together."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from volfuse.label.tokens import Access

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_MOST_DIGITS = 20

OPEN_ADDRESSES = ("/auth/", "/auth/token")
"""What a client may ask without a token: whether it needs one, and to be given it for the password."""
_OPEN_BYTES = 4096
_OPEN_SECONDS = 10.0
_OPEN_AT_ONCE = 20
_FORM = "application/x-www-form-urlencoded"
_AT_ONCE = 2
"""How many of the largest requests may be on their way together."""
_SMALL = 1 << 20
_FREE = 0.05
"""The share of the disk that requests of more than a few bytes leave free, for verdicts."""


class Guard:
    """Refuses requests without the token, and those that are larger than allowed.

    There is no CORS: a page in a browser, wherever it comes from, cannot use this server.

    Args:
        app: what is guarded.
        access: tells whose token ``Authorization: Bearer TOKEN`` holds; the scope of the request gets it as ``reader``.
        most_bytes: of one request.
        disk: a folder on the disk that uploads go to.
    """

    def __init__(self, app: App, access: Access, most_bytes: int, disk: Path) -> None:
        self._app = app
        self._access = access
        self._most_bytes = most_bytes
        self._disk = disk
        self._on_their_way = 0
        self._open_requests = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close"})
        elif scope["path"] in OPEN_ADDRESSES:
            await self._answer_stranger(scope, receive, send)
        elif not self._is_known(scope):
            await refuse(send, 401, self._access.hint)
        elif (announced := self._announced(scope)) > self._most_bytes:
            await refuse(send, 413, self._too_large())
        elif announced > _SMALL and not self._has_room(announced):
            await refuse(
                send, 507, "The disk of the server has no room for this request; tell whoever runs it."
            )
        else:
            await self._pass_counted(scope, receive, send)

    async def _answer_stranger(self, scope: Message, receive: Receive, send: Send) -> None:
        """Take a few bytes, and a few requests at a time, from whoever has not shown the token yet."""
        body, kind = b"", _header(scope, b"content-type").partition(";")[0].strip().lower()
        if self._open_requests >= _OPEN_AT_ONCE:
            await refuse(send, 429, "Too many clients ask for the token at a time; try again.")
        elif scope["method"] == "POST" and kind != _FORM:
            await refuse(send, 415, f"Send the password as {_FORM}.")
        elif self._announced(scope) > _OPEN_BYTES:
            await refuse(send, 413, f"A request without the token may have {_OPEN_BYTES} bytes.")
        else:
            self._open_requests += 1
            try:
                async with asyncio.timeout(_OPEN_SECONDS):
                    while (message := await receive())["type"] == "http.request":
                        body += message.get("body", b"")
                        if len(body) > _OPEN_BYTES or not message.get("more_body"):
                            break
            except TimeoutError:
                await refuse(send, 408, "The request did not come in time.")
                return
            finally:
                self._open_requests -= 1
            if len(body) > _OPEN_BYTES:
                await refuse(send, 413, f"A request without the token may have {_OPEN_BYTES} bytes.")
            elif message["type"] == "http.request":
                await self._app(scope, _Replay(body, receive), send)

    def _is_known(self, scope: Message) -> bool:
        scheme, _, given = _header(scope, b"authorization").partition(" ")
        scope["reader"] = self._access.reader(given) if scheme.lower() == "bearer" else None
        return scope["reader"] is not None

    def _has_room(self, announced: int) -> bool:
        disk = shutil.disk_usage(self._disk)
        return disk.free - announced > _FREE * disk.total

    def _announced(self, scope: Message) -> int:
        text = _header(scope, b"content-length")
        if not (text.isascii() and text.isdigit()):
            return 0
        return int(text) if len(text) <= _MOST_DIGITS else self._most_bytes + 1

    async def _pass_counted(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on; its bytes are counted, because a client can leave its size out."""
        received = 0
        is_refused = has_begun = False
        answer = 413, self._too_large()

        async def counted() -> Message:
            nonlocal received, is_refused, answer
            message = await receive()
            piece = len(message.get("body", b""))
            received += piece
            self._on_their_way += piece
            if self._on_their_way > _AT_ONCE * self._most_bytes:
                answer = 429, "The server takes in as much as it can at a time; try again in a minute."
            if received > self._most_bytes or answer[0] != 413:
                is_refused = True
                return {"type": "http.disconnect"}
            return message

        async def guarded(message: Message) -> None:
            nonlocal has_begun
            if not is_refused:
                has_begun = True
                await send(message)

        try:
            await self._app(scope, counted, guarded)
        except Exception:
            if not is_refused:
                raise
        finally:
            self._on_their_way -= received
        if is_refused and not has_begun:
            await refuse(send, *answer)

    def _too_large(self) -> str:
        return f"A request may have {self._most_bytes >> 20} MiB; this one has more."


class _Replay:
    """Receives a body that was read already, then whatever comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._message = self._message, None
        return message or await self._receive()


def _header(scope: Message, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def refuse(send: Send, status: int, sentence: str) -> None:
    """Answer with a sentence in place of the app."""
    body = json.dumps({"detail": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
