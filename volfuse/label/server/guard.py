"""What every request passes first: the check of the token, and the limit on its size."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from volfuse.label.tokens import Access

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_MOST_DIGITS = 20

OPEN_ADDRESSES = ("/auth/", "/auth/token")
"""What a client may ask without a token: whether it needs one, and to be given it for the password."""


class Guard:
    """Refuses requests without the token, and those that are larger than allowed.

    There is no CORS: a page in a browser, wherever it comes from, cannot use this server.

    Args:
        app: what is guarded.
        access: tells whose token ``Authorization: Bearer TOKEN`` holds; the scope of the request gets it as ``reader``.
        most_bytes: of one request.
    """

    def __init__(self, app: App, access: Access, most_bytes: int) -> None:
        self._app = app
        self._access = access
        self._most_bytes = most_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close"})
        elif not self._is_known(scope):
            await refuse(send, 401, self._access.hint)
        elif self._announced(scope) > self._most_bytes:
            await refuse(send, 413, self._too_large())
        else:
            await self._pass_counted(scope, receive, send)

    def _is_known(self, scope: Message) -> bool:
        if scope["path"] in OPEN_ADDRESSES:
            return True
        scheme, _, given = _header(scope, b"authorization").partition(" ")
        scope["reader"] = self._access.reader(given) if scheme.lower() == "bearer" else None
        return scope["reader"] is not None

    def _announced(self, scope: Message) -> int:
        text = _header(scope, b"content-length")
        if not (text.isascii() and text.isdigit()):
            return 0
        return int(text) if len(text) <= _MOST_DIGITS else self._most_bytes + 1

    async def _pass_counted(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on; its bytes are counted, because a client can leave its size out."""
        received = 0
        is_refused = has_begun = False

        async def counted() -> Message:
            nonlocal received, is_refused
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most_bytes:
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
        if is_refused and not has_begun:
            await refuse(send, 413, self._too_large())

    def _too_large(self) -> str:
        return f"A request may have {self._most_bytes >> 20} MiB; this one has more."


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
