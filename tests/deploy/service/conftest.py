"""A tiny export without training, a desk over it, a client of its app, and a real server."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from brainlens.data.sample import SAMPLE_DIR
from brainlens.deploy.answering import box
from brainlens.deploy.service.app import create
from brainlens.deploy.service.database import open_database
from brainlens.deploy.service.desk import Desk
from brainlens.deploy.service.settings import Limits, Settings
from tests.deploy.service.browsing import browser, page, phone, screen
from tests.painters import negative

__all__ = ["browser", "page", "phone", "screen"]

LABELS = ["glioma", "meningioma", "none", "pituitary"]
SIZE = 16
TOKEN = "0123456789abcdef0123"
SAMPLE = SAMPLE_DIR / "glioma" / "glioma-005.jpg"
SMALL = Limits(
    upload=4 << 20, unpacked=8 << 20, files=20, pixels=1_000_000, total_pixels=2_000_000, slices=40,
    receive_seconds=30, work_seconds=30, queue=2, batch=4, lanes=1,
)  # fmt: skip
Serve = Callable[..., AbstractContextManager["Server"]]


def write_model(path: Path) -> Path:
    """An export whose logits are the means of the picture's four quarters, times 4.

    They are its evidence of a tumour too, laid out as the quarters lie, and its embedding.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.zeros((3 * SIZE * SIZE, 4), np.float32)
    half, area = SIZE // 2, (SIZE // 2) ** 2
    for k in range(4):
        mask = np.zeros((3, SIZE, SIZE), np.float32)
        mask[0, k // 2 * half : k // 2 * half + half, k % 2 * half : k % 2 * half + half] = 4 / area
        weights[:, k] = mask.ravel()
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["pictures"], ["flat"]),
         helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
         helper.make_node("Reshape", ["logits", "shape"], ["evidence"]),
         helper.make_node("Identity", ["logits"], ["embedding"])],
        "quarters",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4]),
         helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["n", 1, 2, 2]),
         helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(weights, "weights"),
         numpy_helper.from_array(np.array([-1, 1, 2, 2], np.int64), "shape")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    bank = np.concatenate([np.eye(4), 2 * np.eye(4)]).astype("<f2")
    meaning = {
        "kind": "classifier", "labels": LABELS, "temperature": 1.0,
        "conformal": [round(0.01 * n, 2) for n in range(100)],
        "preprocessing": {"size": SIZE, "fit": "stretch", "crop": False,
                          "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
        "novelty": {"limit": 1e6},
        "bank": {"float16": base64.b64encode(bank.tobytes()).decode("ascii"), "dimensions": 4,
                 "labels": LABELS * 2, "names": [f"case{n}" for n in range(8)]},
        "use": "research use, not a medical device",
        "card": "# The quarters\n\nA model of **four** means.",
        "card zh-Hant": "# 四分之一\n\n取**四**個平均值。",
    }  # fmt: skip
    helper.set_model_props(model, {"brainlens": json.dumps(meaning)})
    save(model, str(path))
    return path


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A picture as PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny export."""
    return write_model(tmp_path_factory.mktemp("model") / "quarters.onnx")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty history, made once: Alembic takes its time."""
    folder = tmp_path_factory.mktemp("empty")
    open_database("", folder).dispose()
    return folder / "readings.sqlite"


def an_app(model: Path, folder: Path, empty: Path) -> Iterator[TestClient]:
    """A client of an app with small limits and a history of its own."""
    folder.mkdir(exist_ok=True)
    shutil.copy(empty, folder)
    desk = Desk(Settings(model, folder, limits=SMALL))
    with TestClient(create(desk), base_url="http://localhost") as one:
        yield one


@pytest.fixture
def client(model: Path, tmp_path: Path, empty: Path) -> Iterator[TestClient]:
    """An app with an empty history."""
    yield from an_app(model, tmp_path / "server", empty)


@pytest.fixture(scope="session")
def standing(
    model: Path, tmp_path_factory: pytest.TempPathFactory, empty: Path
) -> Iterator[TestClient]:
    """One for all tests that do not look at the history."""
    yield from an_app(model, tmp_path_factory.mktemp("server"), empty)


class Server:
    """A real server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int, folder: Path) -> None:
        self.process, self.port, self.folder = process, port, folder
        self.url = f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def running(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server for all tests that only ask; it paints, and knows the box's record."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(box().with_suffix(".json"), model.with_suffix(".json"))
    painter = negative(folder / "negative.onnx")
    with serving(model, folder, "--stylist", str(painter)) as one:
        yield one


@pytest.fixture(scope="session")
def guarded(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with a certificate and a token."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl on PATH to make a certificate")
    folder = tmp_path_factory.mktemp("guarded")
    certificate, key, token = (folder / name for name in ("cert.pem", "key.pem", "token"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    token.write_text(TOKEN + "\n")
    options = ["--tls-cert", str(certificate), "--tls-key", str(key), "--token-file", str(token)]
    with serving(model, folder, *options) as one:
        one.url = one.url.replace("http:", "https:")
        yield one


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(model: Path, folder: Path, *options: str, **environment: str) -> Iterator[Server]:
    """`brainlens serve`, ready; ended at the end."""
    port = free_port()
    command = [
        sys.executable, "-m", "brainlens.cli", "serve", "--model", str(model), "--port", str(port),
        "--folder", str(folder), *options,
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                               env=os.environ | environment)  # fmt: skip
    try:
        wait_until(lambda: answers(port) or process.poll() is not None)
        yield Server(process, port, folder)
    finally:
        process.terminate()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something, not for ever."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
