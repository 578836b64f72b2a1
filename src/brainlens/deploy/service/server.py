"""Owns the running of a server: its folder, its token, its certificate, its start and its end."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

from brainlens.core.errors import OutputError, UserError
from brainlens.core.progress import say
from brainlens.deploy.service.settings import LOOPBACK, Settings

_GRACE = 60  # seconds that requests at work have when the server is told to stop
_SHORT = 16  # characters of a token that nobody guesses


def read_token(file: Path | None) -> str:
    """The token in a file, else in BRAINLENS_TOKEN; "" where there is none."""
    if file is None:
        token = os.environ.get("BRAINLENS_TOKEN", "").strip()
        where = "BRAINLENS_TOKEN"
    else:
        token, where = _read(file, "--token-file").decode("utf-8", "replace").strip(), str(file)
        if not token:
            raise UserError(f"{where}: is empty; expected a token in one line")
    if token and (len(token) < _SHORT or not token.isascii() or " " in token):
        raise UserError(
            f"{where}: expected a token of at least {_SHORT} ASCII characters without spaces, such "
            "as: openssl rand -hex 24"
        )
    return token


def read_key(file: Path | None) -> bytes:
    """The audit log's key; empty where there is none."""
    if file is None:
        return b""
    key = _read(file, "--audit-key").strip()
    if len(key) < _SHORT:
        raise UserError(f"{file}: expected a key of at least {_SHORT} bytes")
    return key


def _read(file: Path, option: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}). Check {option}") from None


def check(settings: Settings, *, open_to_all: bool) -> None:
    """Raises UserError for what would let everybody in, or cannot start."""
    if settings.host not in LOOPBACK and not settings.token and not open_to_all:
        raise UserError(
            f"--host {settings.host} lets everyone in its network in. Give --token-file FILE, or "
            "--open if that is meant"
        )
    if (settings.certificate is None) != (settings.private_key is None):
        raise UserError("--tls-cert and --tls-key belong together; got one of them")
    for file in (settings.certificate, settings.private_key):
        if file is not None and not file.is_file():
            raise UserError(f"{file}: no such file. Give certificate and key as PEM files")
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{settings.folder}: cannot be written ({error.strerror}). Choose another --folder"
        ) from None


def run(settings: Settings) -> None:
    """Serve until told to stop; what was accepted by then is answered first."""
    import ssl

    import uvicorn

    from brainlens.deploy.service.app import create
    from brainlens.deploy.service.desk import Desk
    from brainlens.deploy.service.patience import Patient

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    scheme = "https" if settings.certificate else "http"
    with _bound(settings) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            create(Desk(settings)), log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=_GRACE, timeout_keep_alive=75,
            ssl_certfile=settings.certificate, ssl_keyfile=settings.private_key,
            h11_max_incomplete_event_size=64 * 1024, ws="none", lifespan="on",
            proxy_headers=bool(settings.proxy), forwarded_allow_ips=settings.proxy, http=Patient,
        )  # fmt: skip
        try:
            server = uvicorn.Server(config)
            config.load()
        except ssl.SSLError as error:
            raise UserError(
                f"{settings.certificate}: is no certificate for this key ({error.reason}). Give a "
                "pair of PEM files"
            ) from None
        shown = "[::1]" if settings.host == "::1" else settings.host
        say(f"brainlens serves {settings.model.name} at {scheme}://{shown}:{port}/  (Ctrl-C stops)")
        say("Research use, not a medical device.")
        server.run(sockets=[listener])


def _bound(settings: Settings) -> socket.socket:
    """The socket to listen on; raises UserError for an address in use."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise UserError(
            f"{settings.host}:{settings.port}: cannot be listened on ({reason}). Choose another "
            "--port or --host"
        ) from None
    return listener
