"""Requests share the model, wait in a bounded queue, and need the token where there is one."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient
from uvicorn.server import ServerState

from brainlens.deploy.service import patience
from brainlens.deploy.service.app import create
from brainlens.deploy.service.batching import Batcher
from brainlens.deploy.service.desk import Desk
from brainlens.deploy.service.settings import Limits, Settings
from brainlens.deploy.stylist import shipped
from tests.deploy.service.conftest import SAMPLE, SMALL, wait_until

FILES = {"files": ("a.jpg", SAMPLE.read_bytes())}


def test_what_waits_while_the_model_is_at_work_goes_through_together() -> None:
    free, sizes = threading.Event(), []

    def judge(planes: Sequence[Any], coverage: float) -> list[Any]:
        sizes.append(len(planes))
        free.wait(20)
        return [(plane, coverage) for plane in planes]

    async def ask() -> list[Any]:
        batcher = Batcher(judge, 4)
        first = asyncio.create_task(batcher.judge(["a"], 0.9))  # type: ignore[list-item]
        while not sizes:
            await asyncio.sleep(0.01)
        others = [asyncio.create_task(batcher.judge([n], 0.9)) for n in range(6)]  # type: ignore[list-item]
        other = asyncio.create_task(batcher.judge(["z"], 0.5))  # type: ignore[list-item]
        await asyncio.sleep(0.05)
        free.set()
        found = await asyncio.gather(first, *others, other)
        await batcher.close()
        return found

    found = asyncio.run(ask())
    assert sizes == [1, 4, 2, 1]  # six in batches of four; another coverage by itself
    assert found[0] == [("a", 0.9)]
    assert [one[0][0] for one in found[1:7]] == list(range(6))
    assert found[7] == [("z", 0.5)]


def test_lanes_share_what_waits_and_work_at_the_same_time() -> None:
    both, sizes = threading.Barrier(2, timeout=20), []

    def judge(planes: Sequence[Any], coverage: float) -> list[Any]:
        both.wait()  # passed only where two lanes are at work together
        sizes.append(len(planes))
        return list(planes)

    async def ask() -> list[Any]:
        batcher = Batcher(judge, 4, 2)
        found = await batcher.judge(list(range(6)), 0.9)  # type: ignore[arg-type]
        await batcher.close()
        return found

    assert asyncio.run(ask()) == list(range(6))
    assert sizes == [3, 3]


def test_a_fault_of_the_model_reaches_those_who_asked_and_nobody_else() -> None:
    def judge(planes: Sequence[Any], coverage: float) -> list[Any]:
        if coverage > 0.9:
            raise ValueError("no")
        return list(planes)

    async def ask() -> Any:
        batcher = Batcher(judge, 4)
        found = await asyncio.gather(
            batcher.judge([1], 0.95), batcher.judge([2], 0.9), return_exceptions=True  # type: ignore[list-item]
        )  # fmt: skip
        await batcher.close()
        return found

    first, second = asyncio.run(ask())
    assert isinstance(first, ValueError)
    assert second == [2]


def test_a_request_past_the_queue_is_told_when_to_come_back(model: Path, tmp_path: Path) -> None:
    desk = Desk(Settings(model, tmp_path, limits=SMALL))  # a queue of two
    free, judge = threading.Event(), desk.sight.judge

    def slow(planes: Any, coverage: float) -> Any:
        free.wait(20)
        return judge(planes, coverage)

    desk._batcher._judge = slow
    with TestClient(create(desk), base_url="http://localhost") as client:
        with ThreadPoolExecutor(2) as pool:
            inside = [pool.submit(client.post, "/api/v1/classify", files=FILES) for _ in range(2)]
            wait_until(lambda: desk.gauges.at_work == 2)
            answer = client.post("/api/v1/classify", files=FILES)
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) >= 1
            assert client.get("/healthz").status_code == 200
            free.set()
            assert [one.result().status_code for one in inside] == [201, 201]
        assert client.post("/api/v1/classify", files=FILES).status_code == 201


def test_work_that_takes_too_long_is_given_up(model: Path, tmp_path: Path) -> None:
    limits = Limits(work_seconds=0.2)
    desk = Desk(Settings(model, tmp_path, limits=limits))
    judge, calls = desk.sight.judge, []

    def slow(planes: Any, coverage: float) -> Any:
        calls.append(1)
        threading.Event().wait(0.6 if len(calls) == 1 else 0)
        return judge(planes, coverage)

    desk._batcher._judge = slow
    with TestClient(create(desk), base_url="http://localhost") as client:
        answer = client.post("/api/v1/classify", files=FILES)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too-long")
        assert client.get("/api/v1/readings").json()["readings"] == []


def test_a_body_larger_than_the_limit_is_refused_with_and_without_its_length(
    standing: TestClient,
) -> None:
    large = bytes(SMALL.upload + 1)
    told = standing.post("/api/v1/classify", files={"files": ("a", large)})
    kind = {"content-type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    streamed = standing.post("/api/v1/classify", content=iter([head, large]), headers=kind)
    for answer in (told, streamed):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large")
    note = {"verdict": "note", "note": "x" * 70_000}
    path = "/api/v1/readings/0123456789abcdef/feedback"
    assert standing.post(path, json=note).status_code == 413


def test_with_a_token_nothing_but_the_page_and_its_health_is_open(
    model: Path, tmp_path: Path
) -> None:
    token = "a" * 24
    desk = Desk(Settings(model, tmp_path, token=token))
    with TestClient(create(desk), base_url="http://localhost") as client:
        for path in ("/", "/static/app.js", "/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        for path in ("/api/v1/readings", "/api/v1/model", "/metrics", "/api/v1/openapi.json"):
            answer = client.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            for wrong in (token, f"Basic {token}", f"Bearer {token}b", "Bearer \u00e9"):
                sent = [(b"authorization", wrong.encode("utf-8"))]
                assert client.get(path, headers=sent).status_code == 401
            right = {"authorization": f"Bearer {token}"}
            assert client.get(path, headers=right).status_code == 200


def test_scans_that_a_killed_server_left_are_removed(model: Path, tmp_path: Path) -> None:
    for name, age in (("upload-old", 4000), ("upload-new", 10)):
        (tmp_path / "work" / name).mkdir(parents=True)
        (tmp_path / "work" / name / "scan.dcm").write_text("a patient")
        then = time.time() - age
        os.utime(tmp_path / "work" / name, (then, then))
    asyncio.run(Desk(Settings(model, tmp_path)).close())
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["upload-new"]


def test_a_head_that_trickles_in_ends_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.5)
    head = b"GET / HTTP/1.1\r\nHost: x\r\n"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.8)  # a request at work has all its time
        start = {"type": "http.response.start", "status": 204, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    async def ask() -> list[bytes]:
        config, state = uvicorn.Config(app, log_level="critical"), ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: patience.Patient(config, state, {}), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        answers = []
        for sent in ([b""], [head], [head + b"\r\n", head]):  # nothing, half, one and a half
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for part in sent:
                writer.write(part)
                await asyncio.sleep(0.1)
            answers.append(await asyncio.wait_for(reader.read(), 20))
            writer.close()
        server.close()
        return answers

    nothing, half, more = asyncio.run(ask())
    assert (nothing, half) == (b"", b"")
    assert more.startswith(b"HTTP/1.1 204")


def test_every_answer_carries_the_policy(standing: TestClient) -> None:
    for path in ("/", "/static/style.css", "/api/v1/readings", "/nothing", "/metrics"):
        headers = standing.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_enlarging_is_marked_and_compared_with_the_original(standing: TestClient) -> None:
    picture = {"picture": ("a.jpg", SAMPLE.read_bytes())}
    answers = {}
    for method in ("nearest", "bicubic"):
        sent = {"method": method, "scale": "4", "check": "true"}
        answers[method] = standing.post("/api/v1/enhance", files=picture, data=sent).json()
    nearest, bicubic = answers["nearest"], answers["bicubic"]
    assert bicubic["psnr"] == pytest.approx(bicubic["bicubic_psnr"])
    assert nearest["bicubic_psnr"] == pytest.approx(bicubic["psnr"])
    assert bicubic["psnr"] > nearest["psnr"]
    assert "not for diagnosis" in bicubic["mark"]
    import base64
    import io

    from PIL import Image
    from skimage.metrics import peak_signal_noise_ratio

    oracle: Any = peak_signal_noise_ratio
    image = Image.open(io.BytesIO(base64.b64decode(bicubic["picture"])))
    assert image.info["Disclaimer"] == bicubic["mark"]
    original = np.asarray(Image.open(SAMPLE).convert("L"))[: image.height, : image.width]
    inside = slice(4, -4)
    assert bicubic["psnr"] == pytest.approx(
        oracle(original[inside, inside], np.asarray(image)[inside, inside])
    )


def test_what_cannot_be_enlarged_is_refused(standing: TestClient) -> None:
    picture = {"picture": ("a.jpg", SAMPLE.read_bytes())}
    for sent, status in (({"method": "esrgan"}, 501), ({"method": "magic"}, 422),
                         ({"scale": "9"}, 422)):  # fmt: skip
        assert standing.post("/api/v1/enhance", files=picture, data=sent).status_code == status
    other = picture | {"reference": ("b.jpg", SAMPLE.read_bytes())}
    answer = standing.post("/api/v1/enhance", files=other, data={"scale": "2"})
    assert answer.status_code == 422
    assert "expected" in answer.json()["error"]["message"]
    if not shipped().is_file():
        assert standing.post("/api/v1/style", files=picture).status_code == 501
