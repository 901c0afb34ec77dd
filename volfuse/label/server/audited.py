"""Writes down what readers do, before they are answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from volfuse.errors import StorageError
from volfuse.label.audit import AuditLog
from volfuse.label.server.guard import App, Message, Receive, Send, refuse

_WITH_SCANS = ("/datastore/", "/comparison/")
_LONGEST = 500
_logger = logging.getLogger(__name__)


class Audited:
    """Logs every request but those that only ask how things are.

    Args:
        app: what is watched.
        log: where it is written. If it cannot be, the answer is 507: nothing is told that was not written down.
    """

    def __init__(self, app: App, log: AuditLog) -> None:
        self._app = app
        self._log = log
        # One thread of its own: a disk that is slow holds up neither the other requests nor the fusions.
        self._thread = ThreadPoolExecutor(1, "audit")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _counts(scope["method"], scope["path"]):
            await self._app(scope, receive, self._logged(scope, send))
        else:
            await self._app(scope, receive, send)

    def _logged(self, scope: Message, send: Send) -> Callable[[Message], Awaitable[None]]:
        is_refused = False

        async def logged(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                query = scope.get("query_string", b"").decode("latin-1")
                address = quote(scope["path"]) + (f"?{query}" if query else "")
                what = f"{scope['method']} {address}"[:_LONGEST]
                try:
                    await asyncio.get_running_loop().run_in_executor(
                        self._thread, self._log.write, scope.get("reader", ""), what, message["status"]
                    )
                except StorageError as error:
                    is_refused = True
                    _logger.error("A line of the audit log could not be written.", exc_info=error)
                    sentence = "The server cannot write to its disk; tell whoever runs it."
                    await refuse(send, 507, sentence)
            if not is_refused:
                await send(message)

        return logged


def _counts(method: str, path: str) -> bool:
    return method not in ("GET", "HEAD") or (method == "GET" and path.startswith(_WITH_SCANS))
