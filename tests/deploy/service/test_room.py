"""A full disk is called that, nothing is acknowledged that was not kept, the server goes on."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from brainlens.deploy.service.app import create
from brainlens.deploy.service.desk import Desk
from brainlens.deploy.service.settings import Settings
from tests.deploy.service.conftest import SAMPLE, SMALL
from tests.deploy.service.test_api import HEAD, nifti

FILES = {"files": ("a.jpg", SAMPLE.read_bytes())}
VOLUME = {"files": ("v.nii.gz", nifti(np.stack([HEAD] * 6, 2).astype(np.int16)))}


@pytest.fixture
def desk(model: Path, tmp_path: Path, empty: Path) -> Desk:
    """A desk with a history of its own."""
    shutil.copy(empty, tmp_path)
    return Desk(Settings(model, tmp_path, limits=SMALL))


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    """A client that is answered as any is, whatever goes wrong."""
    app = create(desk)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as one:
        yield one


def bounded(engine: sa.Engine, pages: int) -> None:
    """From now on the database may grow to so many pages: SQLite's own way to be full."""

    def bound(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    sa.event.listen(engine, "connect", bound)
    engine.dispose()


def test_a_history_without_room_keeps_and_acknowledges_nothing(
    desk: Desk, client: TestClient
) -> None:
    bounded(desk.history.engine, 1)  # it may not grow at all
    answers = [client.post("/api/v1/classify", files=FILES) for _ in range(40)]
    kept = {one.json()["id"] for one in answers if one.status_code == 201}
    refused = [one for one in answers if one.status_code != 201]
    assert {(one.status_code, one.json()["error"]["code"]) for one in refused} == {(507, "full")}
    said = client.post("/api/v1/classify", files=VOLUME, headers={"accept": "application/x-ndjson"})
    assert json.loads(said.text.splitlines()[-1])["error"]["code"] == "full"
    assert client.get("/readyz").status_code == 200
    bounded(desk.history.engine, 100_000)
    kept.add(client.post("/api/v1/classify", files=FILES).json()["id"])
    listed = client.get("/api/v1/readings?most=200").json()["readings"]
    assert {one["id"] for one in listed} == kept


def test_scans_that_cannot_be_laid_down_are_not_called_broken(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    answer = client.post("/api/v1/classify", files=VOLUME)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "full")


def test_an_upload_that_the_framework_cannot_keep_is_not_called_a_bad_request(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    answer = client.post("/api/v1/classify", files=FILES)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "full")
