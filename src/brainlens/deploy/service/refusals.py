"""Owns what the server answers where it does not do what was asked: a code, a line, a next step.

Every refusal leaves as `{"error": {"code", "message", "next"}}`; the page translates the codes.
"""

from __future__ import annotations

import errno
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException


class Kind(NamedTuple):
    """One way to refuse."""

    status: int
    next_step: str


# The page has a translation of each code.
KINDS: dict[str, Kind] = {
    "bad-request": Kind(400, "Correct the request: see /api/v1/openapi.json."),
    "token": Kind(401, "Send the server's token as: Authorization: Bearer TOKEN."),
    "cross-origin": Kind(403, "Open the server's own page, or send no Origin header."),
    "host": Kind(403, "Use the server's own name, or start it with --name THIS-NAME."),
    "not-found": Kind(404, "Look at the address; readings are listed by /api/v1/readings."),
    "not-kept": Kind(404, "Upload the scan again; --keep-images makes the server keep pictures."),
    "method": Kind(405, "See /api/v1/openapi.json for what this address takes."),
    "slow-upload": Kind(408, "Send it again over a faster line, or fewer files at once."),
    "too-large": Kind(413, "Send fewer or smaller files at once."),
    "content-type": Kind(415, "Send the files as multipart/form-data, in fields named files."),
    "unknown-format": Kind(415, "Send JPEG, PNG, TIFF, WebP, BMP, GIF, DICOM, NIfTI or a zip."),
    "broken-file": Kind(422, "Export the file again."),
    "invalid": Kind(422, "Correct the named field."),
    "busy": Kind(429, "Send it again after the seconds in Retry-After."),
    "fault": Kind(500, "Look at the server's log; nothing that was acknowledged is lost."),
    "not-built": Kind(501, "This installation has no such part; see docs/serve.md."),
    "not-ready": Kind(503, "Send it again in a moment."),
    "too-long": Kind(503, "Send fewer slices at once."),
    "full": Kind(507, "Make room on the server's disk, then send it again: nothing was kept."),
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_ROOM_SAID = ("disk is full", "No space left on device")  # by SQLite, by PostgreSQL


class Refusal(HTTPException):
    """What was asked is not done; `message` says what came and what was expected."""

    def __init__(self, code: str, message: str, *, retry_after: int = 0) -> None:
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        if code == "token":
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(KINDS[code].status, message, headers=headers or None)
        self.code = code
        self.message = message

    def document(self) -> dict[str, Any]:
        """What the client reads."""
        next_step = KINDS[self.code].next_step
        return {"error": {"code": self.code, "message": self.message, "next": next_step}}


FAULT = Refusal("fault", "a fault of the server; it is in its log")


def of(error: BaseException) -> Refusal:
    """What is answered to an error: the refusal that it is, a full disk, or a fault."""
    if isinstance(error, Refusal):
        return error
    if no_room(error) or (error.__cause__ is not None and no_room(error.__cause__)):
        return Refusal("full", "the server has no room left on its disk")
    return FAULT


def no_room(error: BaseException) -> bool:
    """Whether an error of the system or of a database says that a disk is full."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    own = str(getattr(error, "orig", ""))  # a database's own error, as SQLAlchemy hands it on
    return any(words in own for words in _NO_ROOM_SAID)


def too_long(seconds: float) -> Refusal:
    """Work that is given up."""
    return Refusal("too-long", f"the work was not done after {seconds:g} s", retry_after=5)


def code_of(status: int) -> str:
    """The code for a status that the framework answers with."""
    known = {404: "not-found", 405: "method", 413: "too-large", 415: "content-type"}
    return known.get(status, "bad-request" if status < 500 else "fault")
