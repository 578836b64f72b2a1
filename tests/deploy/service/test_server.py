"""A real server process: it survives being killed, ends without losing anything, and serves TLS."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from brainlens.core.errors import UserError
from brainlens.deploy.service import server
from brainlens.deploy.service.app import create
from brainlens.deploy.service.auditlog import faults
from brainlens.deploy.service.database import open_database
from brainlens.deploy.service.desk import Desk
from brainlens.deploy.service.history import History
from brainlens.deploy.service.settings import Limits, Settings
from brainlens.deploy.service.tables import AUDIT_LOG
from tests.deploy.service.conftest import SAMPLE, TOKEN, Server, serving, wait_until

BODY = (
    b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    + SAMPLE.read_bytes()
    + b"\r\n--x--\r\n"
)
KIND = {"Content-Type": "multipart/form-data; boundary=x"}


def classify(url: str, **how: Any) -> str:
    """Post the sample; the acknowledged reading's name."""
    request = urllib.request.Request(url + "/api/v1/classify", BODY, KIND)
    with urllib.request.urlopen(request, timeout=60, **how) as answer:
        name: str = json.load(answer)["id"]
        return name


def kept(url: str) -> set[str]:
    """The names in the history."""
    with urllib.request.urlopen(url + "/api/v1/readings?most=200", timeout=60) as answer:
        return {one["id"] for one in json.load(answer)["readings"]}


def post_until_it_dies(running: Server, names: list[str]) -> None:
    while True:
        try:
            names.append(classify(running.url))
        except (OSError, ValueError, urllib.error.URLError):
            return


def post_while_it_is_told_to_stop(running: Server) -> str:
    """Half an upload, the signal, the other half: the name of the reading it is answered with."""
    with socket.create_connection(("127.0.0.1", running.port)) as line:
        head = f"POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}"
        head += f"\r\nContent-Type: {KIND['Content-Type']}\r\nConnection: close\r\n\r\n"
        line.sendall(head.encode() + BODY[:500])
        time.sleep(0.3)
        running.process.terminate()
        time.sleep(0.3)
        line.sendall(BODY[500:])
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 201")
    assert running.process.wait(30) in (0, -signal.SIGTERM)
    name: str = json.loads(answer.partition(b"\r\n\r\n")[2])["id"]
    return name


@pytest.mark.slow
def test_whether_killed_or_told_to_stop_it_loses_no_acknowledged_reading(
    model: Path, tmp_path: Path
) -> None:
    names: list[str] = []
    with serving(model, tmp_path) as running, ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(post_until_it_dies, running, names)
        wait_until(lambda: len(names) > 20)
        os.kill(running.process.pid, signal.SIGKILL)
    with serving(model, tmp_path) as again:
        assert set(names) <= kept(again.url)
        names += [classify(again.url), post_while_it_is_told_to_stop(again)]
    assert len(set(names)) == len(names)
    history = History(open_database("", tmp_path))
    assert {*names[-2:]} <= {row["id"] for row in history.listed("", 0, 5)}
    with history.engine.connect() as connection:
        assert list(faults(connection, b"")) == []
    history.close()


@pytest.mark.slow
def test_the_server_never_loads_torch(running: Server) -> None:
    classify(running.url)
    maps = Path(f"/proc/{running.process.pid}/maps")
    if not maps.is_file():
        pytest.skip("needs /proc to see what a process has loaded")
    loaded = maps.read_text()
    assert "onnxruntime" in loaded
    assert "libtorch" not in loaded


def test_an_upload_that_trickles_in_is_ended(model: Path, tmp_path: Path) -> None:
    app = create(Desk(Settings(model, tmp_path, limits=Limits(receive_seconds=0.3))))
    rest = bytearray(BODY)
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        part, rest[:] = rest[:1], rest[1:]
        return {"type": "http.request", "body": bytes(part), "more_body": True}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/classify", "raw_path": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", KIND["Content-Type"].encode())],
        "scheme": "http", "server": ("localhost", 80), "client": ("1.2.3.4", 5), "root_path": "",
        "http_version": "1.1", "asgi": {"version": "3.0"}, "query_string": b"",
    }  # fmt: skip
    with TestClient(app) as client:
        assert client.portal is not None
        client.portal.call(app, scope, receive, send)
    assert statuses[0] == 408
    assert len(rest) > len(BODY) / 2


@pytest.mark.slow
def test_tls_and_a_token_from_a_file(guarded: Server) -> None:
    trust = ssl.create_default_context(cafile=str(guarded.folder / "cert.pem"))
    trust.check_hostname = False
    url = guarded.url + "/api/v1/readings"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, context=trust, timeout=30)
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
        assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.slow
def test_a_proxy_that_is_named_says_who_asks_and_nobody_else_may(
    model: Path, running: Server, tmp_path: Path
) -> None:
    sent = KIND | {"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "https"}

    def asked(one: Server) -> str:
        request = urllib.request.Request(one.url + "/api/v1/classify", BODY, sent)
        with urllib.request.urlopen(request, timeout=60) as answer:
            subject = json.load(answer)["id"]
            assert ("strict-transport-security" in answer.headers) == (one is not running)
        history = History(open_database("", one.folder))
        query = sa.select(AUDIT_LOG.c.who).where(AUDIT_LOG.c.subject == subject)
        with history.engine.connect() as connection:
            who: str = connection.execute(query).scalar_one()
        history.close()
        return who.rpartition("@ ")[2]

    with serving(model, tmp_path, "--proxy", "127.0.0.1") as behind:
        assert asked(behind) == "10.1.2.3"
    assert asked(running) == "127.0.0.1"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"host": "0.0.0.0"}, "--open if that is meant"),
    ({"certificate": Path("x.pem")}, "belong together"),
    ({"certificate": Path("x.pem"), "private_key": Path("y.pem")}, "no such file"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_what_would_let_everybody_in_or_cannot_start_is_refused(
    model: Path, tmp_path: Path, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        server.check(Settings(model, tmp_path, **given), open_to_all=False)


def test_weak_tokens_and_keys_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    for text, words in (
        ("short", "16 ASCII"),
        ("", "is empty"),
        ("with a space in it all", "spaces"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=words):
            server.read_token(file)
    with pytest.raises(UserError, match="cannot be read"):
        server.read_token(tmp_path / "nothing")
    file.write_text("short")
    with pytest.raises(UserError, match="16 bytes"):
        server.read_key(file)
    monkeypatch.setenv("BRAINLENS_TOKEN", "from-the-environment")
    assert server.read_token(None) == "from-the-environment"
    assert server.read_key(None) == b""


def test_a_port_in_use_is_said_in_one_line(model: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match="cannot be listened on") as caught:
            server.run(Settings(model, tmp_path, port=port))
    assert "\n" not in str(caught.value)
