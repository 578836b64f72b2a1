"""Owns the door: what is turned away before anything is read, and what every answer carries.

A plain ASGI layer around the app. Turned away are other hosts' names, posts of other sites' pages,
callers without the token, requests past the queue, bodies too large or too slow. Every answer
carries a content policy that lets the page load nothing but its own files.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from brainlens.deploy.service.gauges import Gauges
from brainlens.deploy.service.refusals import Refusal
from brainlens.deploy.service.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
_OPEN = ("/healthz", "/readyz")  # for orchestrators; the page itself holds nothing secret
_YEAR = "max-age=31536000"
_SAFE = {"GET", "HEAD"}
_FORMS = ("/api/v1/classify", "/api/v1/enhance", "/api/v1/style")  # take files, and work long
_SMALL = 64 * 1024  # bytes of any other body


class Guard:
    """The app behind its door."""

    def __init__(self, app: App, settings: Settings, gauges: Gauges) -> None:
        self._app, self._settings, self._gauges = app, settings, gauges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_headers(message.get("headers", []), scope["scheme"])
            await send(message)

        busy = scope["path"] in _FORMS and scope["method"] == "POST"
        try:
            self._check(scope, busy)
            self._gauges.at_work += busy
            try:
                await self._app(scope, self._bounded(scope, receive, busy), marked)
            finally:
                self._gauges.at_work -= busy
        except Refusal as refusal:
            answer = JSONResponse(refusal.document(), refusal.status_code, refusal.headers)
            await answer(scope, receive, marked)
        finally:
            self._gauges.answered(scope["method"], status, time.perf_counter() - start)

    def _check(self, scope: Scope, busy: bool) -> None:
        """Raises Refusal for whoever has no business here."""
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in
                   reversed(scope["headers"])}  # fmt: skip
        host = headers.get("host", "").lower()
        names = self._settings.hosts
        if names and _name(host) not in names:
            raise Refusal("host", f"this server is not called {_name(host)[:80] or 'nothing'}")
        if scope["method"] not in _SAFE:
            _check_origin(headers, host)
        if scope["path"] not in _OPEN and _guarded(scope["path"]):
            self._check_token(headers.get("authorization", ""))
        limits = self._settings.limits
        if busy:
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "multipart/form-data":
                raise Refusal("content-type", f"got {kind[:80] or 'no content type'}")
            if self._gauges.at_work >= limits.queue:
                wait = self._gauges.wait_seconds()
                raise Refusal("busy", f"{limits.queue} requests are at work", retry_after=wait)
        length = headers.get("content-length", "0")
        most = limits.upload if busy else _SMALL
        if not length.isdigit() or int(length) > most:
            raise Refusal("too-large", f"a request of {length[:20]} bytes; at most {most:,}")

    def _check_token(self, sent: str) -> None:
        wanted = self._settings.token
        if not wanted:
            return
        scheme, _, token = sent.partition(" ")
        right = hmac.compare_digest(token.strip().encode(), wanted.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refusal("token", "the token is missing or wrong" if sent else "a token is needed")

    def _bounded(self, scope: Scope, receive: Receive, busy: bool) -> Receive:
        """Receiving, with a limit of bytes and of time."""
        limits = self._settings.limits
        most = limits.upload if busy else _SMALL
        end, size, whole = time.monotonic() + limits.receive_seconds, 0, False

        async def bounded() -> Message:
            nonlocal size, whole
            if whole:  # what comes now is that the client left
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, end - time.monotonic()))
            except TimeoutError:
                seconds = f"{limits.receive_seconds:g} s"
                raise Refusal("slow-upload", f"the request was not whole after {seconds}") from None
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > most:
                raise Refusal("too-large", f"a request of more than {most:,} bytes")
            return message

        return bounded


def _guarded(path: str) -> bool:
    """Whether a path gives away or does anything: all but the page's own files."""
    return path.startswith("/api/") or path == "/metrics"


def _name(host: str) -> str:
    """A Host header less its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _check_origin(headers: MutableMapping[str, str], host: str) -> None:
    """Raises Refusal for a request that a page of another site makes."""
    site = headers.get("sec-fetch-site", "same-origin")
    origin = headers.get("origin")
    own = origin is None or origin.lower().partition("://")[2] == host
    if not own or site not in ("same-origin", "none"):
        raise Refusal("cross-origin", f"a page of another site asks ({(origin or site)[:80]})")


def _with_headers(given: list[tuple[bytes, bytes]], scheme: str) -> list[tuple[bytes, bytes]]:
    present = {key.lower() for key, _ in given}
    more = HEADERS | ({"strict-transport-security": _YEAR} if scheme == "https" else {})
    return [
        *given,
        *((key.encode(), text.encode()) for key, text in more.items()
          if key.encode() not in present),
    ]  # fmt: skip
