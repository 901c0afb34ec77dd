"""Connections that wait for nothing: whoever opens one has a few seconds to say what is wanted."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 10.0
"""From the opening of a connection, or its last answer, to the end of the next request's header."""
MOST_IDLE = 100
"""Connections without a request; beyond it one is closed that had an answer, or else has waited longest."""


class Connection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, which by itself waits for ever for the rest of a header."""

    _idle: ClassVar[dict["Connection", asyncio.TimerHandle]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Begin or end the time that this connection may be without a request; bytes do not begin it again."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._leave()
        elif self not in self._idle and not self.transport.is_closing():
            self._idle[self] = self.loop.call_later(SECONDS, self.transport.abort)
            if len(self._idle) > MOST_IDLE:
                answered = (each for each in self._idle if each.cycle is not None)
                least = next(answered, next(iter(self._idle)))
                least._leave()
                least.transport.abort()

    def _leave(self) -> None:
        if timer := self._idle.pop(self, None):
            timer.cancel()
