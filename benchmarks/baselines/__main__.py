"""Trains each tool on one split and prints one table: `python -m benchmarks.baselines INDEX`.

    python -m benchmarks.baselines INDEX --environments DIR [--minutes 5] [--quick] [NAME...]

Every script here is what a user of that tool would write. It gets the same class folders (train,
val, test), the same file of ImageNet weights where it can read one, and as many whole epochs as fit
into the same minutes of processor (found beforehand on a tenth of the images); the answers it
leaves are judged here, by one bootstrap over groups. Results are kept in docs/results/baselines,
one JSON a tool. Quick: a tenth of the images, one epoch, nothing kept.
"""

from __future__ import annotations

import argparse
import ast
import csv
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
import tokenize
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from brainlens.core.files import write_json
from brainlens.core.places import weights_folder
from brainlens.core.provenance import now
from brainlens.data.index import SPLITS, Index, Row, read_index, write_index
from brainlens.metrics.judgement import judge
from brainlens.report.columns import aligned

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "docs" / "results" / "baselines"
LITE0 = "tf_efficientnet_lite0.in1k"


@dataclass(frozen=True)
class Tool:
    """One tool and what is to be said of it."""

    title: str
    environment: str  # a folder of --environments; "" is the one that runs this
    package: str  # whose version is told
    weights: str  # how it begins
    reports: str  # what it says by itself of its test images


TOOLS = {
    "brainlens_lite0": Tool("brainlens `--recipe lite0`", "", "brainlens", LITE0,
                      "accuracy and 4 figures more, 5 a class, each with an interval over patients "
                      "and twins; leaks of the split refused; calibration; a page"),
    "fastai_lite0": Tool("fastai, EfficientNet-Lite0", "fastai", "fastai", LITE0,
                         "loss, accuracy, precision and recall a class; no interval, no leak"),
    "timm_lite0": Tool("timm's training script, EfficientNet-Lite0", "", "timm", LITE0,
                       "accuracy; no interval, no leak"),
    "autogluon_lite0": Tool("AutoGluon MultiModal, EfficientNet-Lite0", "autogluon",
                            "autogluon.multimodal", LITE0,
                            "the metrics asked for by name; no interval, no leak"),
    "monai_densenet121": Tool("MONAI, DenseNet121", "", "monai", "none",
                              "accuracy, AUC, F1; no interval, no leak"),
    "keras_densenet121": Tool("Keras, DenseNet121 (seed A)", "keras", "keras", "none",
                              "loss and accuracy; no interval, no leak"),
}  # fmt: skip


def main() -> None:
    """Lay the pictures out, run the tools in turn, judge, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baselines", description=__doc__)
    parser.add_argument("index", type=Path, help="a split index")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(TOOLS)}; default: all")
    parser.add_argument("--environments", type=Path, help="the folder of virtual environments")
    parser.add_argument("--partial", default="", help="a label that is left out, as in train")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training")
    parser.add_argument("--quick", action="store_true", help="only prove that they run")
    options = parser.parse_intermixed_args()
    held = read_index(options.index)
    held = Index(tuple(row for row in held.rows if row.label != options.partial), held.folder)
    print(f"{len(held.rows)} images of {options.index}")
    for name in options.names or TOOLS:
        python = python_of(TOOLS[name], options.environments)
        if options.quick:
            found = trained(name, python, held, epochs=1, every=10)
        else:
            epochs = fitting(name, python, held, options.minutes)
            found = trained(name, python, held, epochs=epochs, every=1)
            write_json(RESULTS / f"{name}.json", found)
        shown = [[key, _text(value)] for key, value in found.items() if not isinstance(value, dict)]
        accuracy = {k: round(v, 3) for k, v in found["metrics"]["accuracy"].items()}
        print(aligned([*shown, ["accuracy", str(accuracy)]]), flush=True)


def fitting(name: str, python: Path, index: Index, minutes: float) -> int:
    """As many whole epochs as fit, judged by two epochs more of a tenth of the images."""
    one, three = (
        trained(name, python, index, epochs=epochs, every=10)["processor minutes"]
        for epochs in (1, 3)
    )
    return max(1, int(minutes / (10 * (three - one) / 2)))


def trained(name: str, python: Path, index: Index, *, epochs: int, every: int) -> dict[str, Any]:
    """One tool on every n-th image of each side, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        files = lay(index, Path(folder) / "data", every)
        return run(name, python, Path(folder), files, epochs)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def lay(index: Index, folder: Path, every: int) -> dict[str, Row]:
    """Class folders of links to every n-th image of a side, and their index; each name's row."""
    held = {}
    for split in SPLITS:
        for number, row in enumerate(index.of(split)[::every]):
            name = f"{split}-{number:05d}{Path(row.path).suffix.lower()}"
            place = folder / split / row.label / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(index.file(row).resolve())
            held[name] = dataclasses.replace(row, path=place.relative_to(folder).as_posix())
    write_index(list(held.values()), folder, folder / "index.csv")
    return held


def python_of(tool: Tool, environments: Path | None) -> Path:
    """The interpreter of a tool's environment."""
    if not tool.environment:
        return Path(sys.executable)
    assert environments is not None, f"{tool.title} needs --environments"
    return environments / tool.environment / "bin" / "python"


def run(name: str, python: Path, place: Path, files: dict[str, Row], epochs: int) -> dict[str, Any]:
    """One tool: what it cost, and how good its answers are."""
    tool, weights = TOOLS[name], weights_folder()
    (script,) = HERE.glob(f"{name}.*")
    answers = place / "predictions.csv"
    command = [
        str(python) if script.suffix == ".py" else "bash", str(script),
        str(place / "data"), str(epochs),
        str(weights / f"{LITE0}.safetensors") if weights else "none", str(answers),
    ]  # fmt: skip
    environment = os.environ | {
        "BRAINLENS_CACHE": str(place / "cache"),
        "HF_HUB_OFFLINE": "1",
        "PATH": f"{python.parent}:{os.environ['PATH']}",
    }
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=place, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    minutes = (time.perf_counter() - start) / 60
    if status:
        sys.exit(f"{name}: ended with {os.waitstatus_to_exitcode(status)}; what it said is above")
    return {
        "tool": tool.title,
        "version": version_of(python, tool.package),
        "weights": tool.weights,
        "epochs": epochs,
        "minutes": minutes,
        "processor minutes": (usage.ru_utime + usage.ru_stime) / 60,
        "peak GB": usage.ru_maxrss / 2**20,
        "lines": lines_of(script),
        "reports": tool.reports,
        **judged(answers, files),
        "machine": machine(),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "measured": now(),
    }


def version_of(python: Path, package: str) -> str:
    """The version of a package in an environment."""
    if python == Path(sys.executable):
        return version(package)
    code = f"from importlib.metadata import version; print(version({package!r}))"
    told = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    return told.stdout.strip()


def lines_of(script: Path) -> int:
    """How many lines of a script carry code: no comment, no docstring, nothing blank."""
    text = script.read_text("utf-8")
    if script.suffix != ".py":
        return sum(bool(line.partition("#")[0].strip()) for line in text.splitlines())
    tree = ast.parse(text)
    said = [
        node.body[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node)
    ]
    prose = {n for node in said for n in range(node.lineno, (node.end_lineno or 0) + 1)}
    with script.open("rb") as stream:
        tokens = [t for t in tokenize.tokenize(stream.readline) if t.string.strip()]
    code = {
        n for t in tokens if t.type not in (tokenize.COMMENT, tokenize.ENCODING)
        for n in range(t.start[0], t.end[0] + 1)
    }  # fmt: skip
    return len(code - prose)


def judged(answers: Path, files: dict[str, Row]) -> dict[str, Any]:
    """The figures of a table of answers, every test image once, with intervals over groups."""
    asked = {name: row for name, row in files.items() if row.split == "test"}
    labels = sorted({row.label for row in asked.values()})
    with answers.open(newline="") as stream:
        reader = csv.DictReader(stream)
        columns = {name.removeprefix("p_"): name for name in reader.fieldnames or ()}
        held = {
            Path(row.get("file") or row["path"]).name: [float(row[columns[k]]) for k in labels]
            for row in reader
        }
    assert held.keys() == asked.keys(), "not every test image was answered once"
    true = np.array([labels.index(row.label) for row in asked.values()])
    group = np.unique([row.group for row in asked.values()], return_inverse=True)[1]
    figures = judge(true, np.array([held[name] for name in asked]), group, labels)
    return {
        "images": len(true),
        "groups": int(group.max()) + 1,
        "metrics": figures["metrics"],
        "sensitivity": {k: own["sensitivity"] for k, own in figures["per_class"].items()},
    }


if __name__ == "__main__":
    main()
