"""The web app under load: 32 clients against the bare runtime, in turn in one run; and a soak.

The bare runtime is `Classifier.find` on batches of the same pictures, decoded beforehand, in a
process of its own, on the server's cores: once all of them on one batch, once each on its own, and
the quicker of the two counts. Clients share the cores.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from brainlens.core.processors import cores
from brainlens.data.sample import SAMPLE_DIR

CLIENTS = 32
MODEL = "BRAINLENS_BENCH_MODEL"  # an export to measure with; default: the one in the box
_PICTURES = 64


def measure(quick: bool) -> list[dict[str, Any]]:
    """Throughput against the bare runtime, and the 99th percentile."""
    model, rounds, seconds = _model(), 1 if quick else 3, 2.0 if quick else 20.0
    files = _files()
    ours: list[float] = []
    bare: list[tuple[float, float]] = []
    waits: list[float] = []
    busy, answered = 0.0, 0  # seconds of the processor that server and clients took, for so many
    with tempfile.TemporaryDirectory() as folder, serving(model, Path(folder)) as (url, process):
        asyncio.run(_load(url, files, 1.0))  # warm
        for _ in range(rounds):
            bare.append(_bare(model, seconds))
            start = _processor(process) + time.process_time()
            took, count = asyncio.run(_load(url, files, seconds))
            busy += _processor(process) + time.process_time() - start
            answered += count
            ours.append(len(took) / seconds)
            waits += took
    a, b = statistics.median(ours), statistics.median(rate for rate, _ in bare)
    own = 1000 * busy / answered
    theirs = statistics.median(1000 * cost for _, cost in bare)
    return [
        {"what": f"pictures a second, {CLIENTS} clients, against the bare runtime", "ours": a,
         "baseline": b, "unit": "1/s", "ratio": a / b, "wanted": "ratio >= 0.8"},
        {"what": "processor time of a picture, server and clients, against the bare runtime",
         "ours": own, "baseline": theirs, "unit": "ms", "ratio": own / theirs,
         "wanted": "ratio <= 1.25"},
        {"what": "99th percentile of a request against the median",
         "ours": float(np.percentile(waits, 99)), "baseline": statistics.median(waits),
         "unit": "s", "ratio": float(np.percentile(waits, 99)) / statistics.median(waits),
         "wanted": "stated"},
    ]  # fmt: skip


def measure_soak(quick: bool) -> list[dict[str, Any]]:
    """Memory over minutes of load, from when the server's store of pictures is full."""
    seconds = float(os.environ.get("BRAINLENS_BENCH_SOAK", 2 if quick else 60))
    files = _files()
    with tempfile.TemporaryDirectory() as folder, serving(_model(), Path(folder)) as (url, process):
        asyncio.run(_load(url, files, 1.0 if quick else 20.0))
        before = _memory(process)
        _, answered = asyncio.run(_load(url, files, seconds))
        after = _memory(process)
    return [
        {"what": f"memory after {seconds:g} s more of load ({answered:,} readings)", "ours": after,
         "baseline": before, "unit": "MB", "ratio": after / before, "wanted": "ratio <= 1.1"},
    ]  # fmt: skip


def _files() -> list[bytes]:
    return [path.read_bytes() for path in sorted(SAMPLE_DIR.rglob("*.jpg"))[:_PICTURES]]


def _model() -> Path:
    from brainlens.deploy.answering import box

    named = os.environ.get(MODEL)
    return Path(named) if named else box()


@contextmanager
def serving(model: Path, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`brainlens serve` on a free port, ready."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "brainlens.cli", "serve", "--model", str(model), "--port", str(port),
         "--folder", str(folder / "server"), "--pictures-mb", "8"],
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx2.get(f"{url}/readyz").raise_for_status()
                break
            except httpx2.HTTPError:
                time.sleep(0.1)
        yield url, process
    finally:
        process.terminate()
        process.wait(60)


async def _load(url: str, files: list[bytes], seconds: float) -> tuple[list[float], int]:
    """The seconds of each request answered in so long, 32 clients at once; how many were in all.

    The clients are as lean as wrk's: bytes made beforehand over connections that stay open. The
    time begins once as many requests as there are clients were answered, so that work is under way
    at its begin as it is at its end.
    """
    done: list[tuple[float, float]] = []  # when, and after how long
    requests = [_request(url, file) for file in files]

    def end() -> float:
        return done[CLIENTS - 1][0] + seconds if len(done) >= CLIENTS else np.inf

    async def one(number: int) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        while (start := time.perf_counter()) < end():
            writer.write(requests[number % len(requests)])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await reader.readexactly(int(head.split(b"content-length: ")[1].split()[0]))
            assert head.startswith(b"http/1.1 201"), body
            number += CLIENTS
            done.append((time.perf_counter(), time.perf_counter() - start))
        writer.close()

    await asyncio.gather(*(one(number) for number in range(CLIENTS)))
    return [took for when, took in done[CLIENTS:] if when <= end()], len(done)


def _request(url: str, file: bytes) -> bytes:
    """An upload of one picture, as a browser sends it."""
    part = b'Content-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    body = b"--x\r\n" + part + file + b"\r\n--x--\r\n"
    head = (
        f"POST /api/v1/classify HTTP/1.1\r\nHost: {url.removeprefix('http://')}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _bare(model: Path, seconds: float) -> tuple[float, float]:
    """Pictures a second of the runtime by itself, and processor seconds a picture."""
    command = [sys.executable, "-m", "benchmarks.serve", str(model), str(seconds)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(told[0]), float(told[1])


def bare(model: Path, seconds: float) -> None:
    """What `_bare` runs: prints its two figures."""
    from brainlens.core.images import read_grey
    from brainlens.deploy.classifier import Classifier

    pictures = [read_grey(path) for path in sorted(SAMPLE_DIR.rglob("*.jpg"))[:16]]
    told = []
    for callers, threads in ((1, 0), (cores(), 1)):
        classifier = Classifier(model, threads=threads)
        classifier.find(pictures, coverage=0.95)
        start, busy = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(callers) as pool:
            work = [pool.submit(_find, classifier, pictures, seconds / 2) for _ in range(callers)]
        done = sum(one.result() for one in work)
        told.append((done / (time.perf_counter() - start), (time.process_time() - busy) / done))
    print(*max(told))


def _find(classifier: Any, pictures: list[Any], seconds: float) -> int:
    """Pictures found in so many seconds."""
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        classifier.find(pictures, coverage=0.95)
        done += len(pictures)
    return done


def _processor(process: subprocess.Popen[str]) -> float:
    """Seconds of the processor that a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(process: subprocess.Popen[str]) -> float:
    """MB that a process holds."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if "VmRSS" in line)


if __name__ == "__main__":
    bare(Path(sys.argv[1]), float(sys.argv[2]))
