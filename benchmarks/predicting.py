"""Answering: one image warm, one from a cold start, a folder of thousands, and their memory.

The model in the box against its bare network in the same runtime, and a cold start against seed D's
Keras script. Pictures are the embedded sample's, repeated.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.seed_a import ENVIRONMENT, environment
from benchmarks.turns import in_turn
from brainlens.core.images import find_images, read_grey
from brainlens.data.sample import SAMPLE_DIR
from brainlens.deploy.answering import box
from brainlens.deploy.classifier import Classifier
from brainlens.metrics.novelty import distances, novelty
from brainlens.metrics.temperature import softmax

SCRIPT = Path(__file__).with_name("keras_inception.py")
FULL, QUICK = 3000, 32
_ANSWER = """
import sys
from pathlib import Path
from brainlens.deploy.answering import box
from brainlens.deploy.classifier import Classifier
Classifier(box()).classify([Path(line) for line in sys.stdin.read().splitlines()])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""  # getrusage would tell of the process that started this one, where that was larger


def measure(quick: bool) -> list[dict[str, Any]]:
    """Each as a ratio."""
    files = find_images(SAMPLE_DIR)
    rows = [_warm(files[0], 5 if quick else 60), *_runtimes(files[0], 3 if quick else 30)]
    rows += _precision(files[:: 25 if quick else 1])
    rows += _many(files, QUICK if quick else FULL)
    if not quick or ENVIRONMENT.exists():
        rows.append(_cold(files[0], 1 if quick else 5))
    return rows


def _warm(file: Path, times: int) -> dict[str, Any]:
    """One image in memory against the network alone."""
    model, grey = Classifier(box()), read_grey(file)
    x = model.preprocessing.tensor(model.preprocessing.picture(grey)[None])
    ways = {"bare": lambda: model.session.run(None, {"pictures": x}),
            "whole": lambda: model.find([grey])}  # fmt: skip
    bare, whole = in_turn(ways, times).values()
    return {"what": "one image, warm, against the bare network", "ours": 1000 * whole,
            "baseline": 1000 * bare, "unit": "ms", "ratio": whole / bare,
            "wanted": "ratio <= 1.2"}  # fmt: skip


def _runtimes(file: Path, times: int) -> list[dict[str, Any]]:
    """The bare network in OpenVINO, in 32 bits and in bfloat16, against ONNX Runtime."""
    model, grey = Classifier(box()), read_grey(file)
    rows = []
    for batch, hint in ((1, "LATENCY"), (16, "THROUGHPUT")):
        x = model.preprocessing.tensor(np.stack([model.preprocessing.picture(grey)] * batch))
        ways = {"ONNX Runtime": partial(model.session.run, None, {"pictures": x})}
        for bits in ("f32", "bf16"):
            ways[f"OpenVINO {bits}"] = partial(_compiled(hint, bits), {"pictures": x})
        seconds = in_turn(ways, times)
        runtime = 1000 * seconds.pop("ONNX Runtime")
        rows += [
            {"what": f"the bare network, {batch} at once: ONNX Runtime against {name}",
             "ours": runtime, "baseline": 1000 * other, "unit": "ms",
             "ratio": runtime / (1000 * other), "wanted": "stated"}
            for name, other in seconds.items()
        ]  # fmt: skip
    return rows


def _compiled(hint: str, bits: str) -> Any:
    import openvino

    options = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": bits}
    return openvino.compile_model(str(box()), "CPU", options)


def _precision(files: list[Path]) -> list[dict[str, Any]]:
    """What either precision of OpenVINO changes in the answers of ONNX Runtime."""
    model = Classifier(box())
    seen = np.stack([model.preprocessing.picture(read_grey(file)) for file in files])
    table, new = _judged(model, *model.run(seen)[::2])
    rows = []
    for bits in ("f32", "bf16"):
        network = _compiled("LATENCY", bits)
        parts = [network({"pictures": model.preprocessing.tensor(some[None])}) for some in seen]
        logits, embedding = (np.concatenate([part[place] for part in parts]) for place in (0, 2))
        other, strange = _judged(model, logits, embedding)
        apart = np.abs(other - table).max(1)
        changed = (other.argmax(1) != table.argmax(1)) | (strange != new)
        rows += [
            {"what": f"largest difference of a probability, OpenVINO {bits}, {len(files)} pictures",
             "ours": float(apart.max()), "baseline": float(apart.mean()), "unit": "largest, mean",
             "wanted": "stated"},
            {"what": f"pictures of another class or refusal, OpenVINO {bits}",
             "ours": int(changed.sum()), "baseline": len(files), "unit": "pictures",
             "ratio": float(changed.mean()), "wanted": "0"},
        ]  # fmt: skip
    return rows


def _judged(
    model: Classifier, logits: np.ndarray[Any, Any], embedding: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Probabilities (N, K), and whether each picture (N,) is strange to the model."""
    new = novelty(distances(embedding, model.bank)) > model.limit
    return softmax(logits, model.temperature), new


def _many(files: list[Path], count: int) -> list[dict[str, Any]]:
    """A folder, reading included, against the bare network on ready batches; and memory."""
    model = Classifier(box())
    asked = [files[i % len(files)] for i in range(count)]
    some = np.stack([model.preprocessing.picture(read_grey(file)) for file in files[:16]])
    x = model.preprocessing.tensor(some)
    bare = max(_bare(model, x[:batch], count // 10) for batch in (4, 16))
    start = time.perf_counter()
    model.classify(asked)
    ours = count / (time.perf_counter() - start)
    few, many = (_peak(asked[:some]) for some in (count // 10, count))
    return [
        {"what": f"a folder of {count:,} images, reading included, against the bare network",
         "ours": ours, "baseline": bare, "unit": "img/s", "ratio": ours / bare,
         "wanted": "ratio >= 0.8"},
        {"what": f"peak memory, {count:,} images against {count // 10:,}", "ours": many,
         "baseline": few, "unit": "MB", "ratio": many / few, "wanted": "flat"},
    ]  # fmt: skip


def _bare(model: Classifier, x: np.ndarray[Any, Any], count: int) -> float:
    """Pictures a second of the network alone, in batches of these."""
    batches = max(1, count // len(x))
    model.session.run(None, {"pictures": x})
    start = time.perf_counter()
    for _ in range(batches):
        model.session.run(None, {"pictures": x})
    return batches * len(x) / (time.perf_counter() - start)


def _peak(files: list[Path]) -> float:
    """MB that a process of its own takes at most to answer for them."""
    done = subprocess.run(
        [sys.executable, "-c", _ANSWER], input="\n".join(map(str, files)),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(done.stdout) / 1024


def _cold(file: Path, times: int) -> dict[str, Any]:
    """`brainlens predict one.png` as a process, against seed D's Keras script."""
    ours = [sys.executable, "-m", "brainlens.cli", "predict", str(file)]
    theirs = [str(environment()), str(SCRIPT), str(file)]
    ways = {"own": partial(_process, ours), "keras": partial(_process, theirs)}
    own, keras = in_turn(ways, times).values()
    return {"what": "predict one image, cold start, against seed D in Keras",
            "ours": own, "baseline": keras, "unit": "s", "ratio": keras / own,
            "wanted": "<= 1.5 s, ratio >= 10"}  # fmt: skip


def _process(command: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(command, check=True, capture_output=True, cwd=place)
