"""Small hand-made results, as `brainlens train` and `brainlens evaluate` leave them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Path]

SPLIT = {"protocol": "grouped", "seed": 3, "test": 0.1, "val": 0.1, "note": "patients kept whole"}
PROVENANCE: dict[str, Any] = {
    "kind": "run",
    "command": "brainlens train index.csv -o run --set epochs=3",
    "brainlens": "0.1.0",
    "versions": {"python": "3.11.7", "torch": "2.15.0"},
    "machine": {"cpu": "EPYC", "cores": 2, "device": "cpu", "precision": "32-true"},
    "seed": 17,
    "started": "2026-11-21T12:00:00Z",
    "finished": "2026-11-21T12:23:52Z",
    "seconds": 1432.1,
    "index": {
        "path": "data/index.csv",
        "digest": "sha256:0123abcd",
        "images": {"train": 2457, "val": 273, "test": 40},
        "labels": ["glioma", "none"],
    },
    "split": SPLIT,
    "parameters": {"total": 3400000, "trained": 3400000},
    "best_epoch": 2,
    "best_value": 0.875,
    "monitor": "val_accuracy",
    "stopped": "epochs",
}
METRICS_CSV = """\
epoch,train_loss,train_accuracy,val_loss,val_accuracy,val_balanced_accuracy,learning_rate,\
seconds,images_per_second
1,0.9,0.6,0.8,0.65,0.6,0.001,10,240
2,0.5,0.8,0.45,0.875,0.8,0.001,10,240
3,0.3,0.95,,,,0.001,10,240
"""


def _figure(value: float | None, low: float | None = None, high: float | None = None) -> Any:
    return {"value": value, "low": low, "high": high}


def _class(support: int, sensitivity: float, precision: float) -> dict[str, Any]:
    return {
        "support": support,
        "sensitivity": _figure(sensitivity, sensitivity - 0.05, min(1.0, sensitivity + 0.04)),
        "specificity": _figure(0.9, 0.8, 0.95),
        "precision": _figure(precision, precision - 0.1, precision + 0.02),
        "f1": _figure(0.913, 0.85, 0.96),
        "auroc": _figure(None),
    }


METRICS: dict[str, Any] = {
    "kind": "evaluation",
    "run": "run",
    "split": "test",
    "labels": ["glioma", "none"],
    "images": 40,
    "groups": 13,
    "metrics": {
        "accuracy": _figure(0.925, 0.8312, 0.9768),
        "balanced_accuracy": _figure(0.92, 0.82, 0.97),
        "macro_f1": _figure(0.9187, 0.81, 0.97),
        "macro_auroc": _figure(0.9712, 0.94, 0.99),
        "ece": _figure(0.0413, 0.02, 0.08),
    },
    "per_class": {"glioma": _class(30, 0.9667, 0.9355), "none": _class(10, 0.8, 0.8889)},
    "confusion": [[29, 1], [2, 8]],
    "reliability": [
        {"low": 0.0, "high": 0.5, "count": 0, "confidence": None, "accuracy": None},
        {"low": 0.5, "high": 0.9, "count": 11, "confidence": 0.81, "accuracy": 0.7273},
        {"low": 0.9, "high": 1.0, "count": 29, "confidence": 0.97, "accuracy": 1.0},
    ],
    "leakage": {
        "allowed": False,
        "copies": 0,
        "twins": 0,
        "same_group": 0,
        "clean": {"images": 40, "accuracy": _figure(0.925, 0.8312, 0.9768)},
        "leaked": None,
        "certificate": {
            "compared": "40 judged images with 300 learned",
            "thresholds": {"twin correlation": 0.98},
            "complete": True,
        },
    },
    "interval": {
        "method": "percentile bootstrap over groups",
        "resamples": 2000,
        "level": 0.95,
        "seed": 5,
    },
    "protocol": SPLIT,
    "history": [
        {"epoch": "1", "train_loss": "0.9", "train_accuracy": "0.6", "val_loss": "0.8"},
        {"epoch": 2, "train_loss": 0.5, "train_accuracy": 0.8, "val_loss": 0.45},
    ],
    "provenance": {
        **PROVENANCE,
        "kind": "evaluation",
        "command": "brainlens evaluate run index.csv -o eval",
        "train_index": {"digest": "sha256:train99"},
    },
}
PREDICTIONS = """\
path,digest,group,label,predicted,confidence,p_glioma,p_none,leak
right.png,d0,g0,glioma,glioma,0.99,0.99,0.01,
unsure.png,d1,g1,glioma,none,0.55,0.45,0.55,
sure.png,d2,g2,none,glioma,0.981,0.981,0.019,copy
"""


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    """Make a run folder; keywords replace parts of its provenance.json."""

    def make(name: str = "run", **provenance: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.toml").write_text('backbone = "lite0"\nepochs = 3\nflip = true\n')
        (folder / "metrics.csv").write_text(METRICS_CSV)
        (folder / "provenance.json").write_text(json.dumps(PROVENANCE | provenance))
        return folder

    return make


@pytest.fixture
def make_evaluation(tmp_path: Path) -> Make:
    """Make an evaluation folder; keywords replace parts of its metrics.json."""

    def make(name: str = "eval", predictions: str = PREDICTIONS, **metrics: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "predictions.csv").write_text(predictions)
        (folder / "metrics.json").write_text(json.dumps(copy.deepcopy(METRICS) | metrics))
        return folder

    return make
