"""Owns the wait for a request's head: a connection that trickles one in is ended.

The guard bounds the body; before the head is whole there is no request yet that it could see.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0


class Patient(H11Protocol):
    """HTTP/1.1 over one connection, whose heads must be whole in time; final."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Opened: the first head is awaited."""
        super().connection_made(transport)
        self._await()

    def data_received(self, data: bytes) -> None:
        """Some bytes: of a head that is awaited from now on, or of a request at work."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._await()
        else:
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by whomever."""
        self._settle()
        super().connection_lost(exc)

    def _await(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._end)

    def _settle(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        self._late = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
