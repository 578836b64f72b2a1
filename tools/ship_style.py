"""Puts a trained run's generator into the package, with the record of its training.

    python -m tools.ship_style RUN

Writes src/brainlens/deploy/vangogh-light.onnx and the .json beside it, which a test compares.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from pathlib import Path

from brainlens.core.config import read_toml
from brainlens.core.files import write_json
from brainlens.deploy.stylist import SHIPPED, Stylist, export

FOLDER = Path(__file__).resolve().parents[1] / "src" / "brainlens" / "deploy"
LICENCE = (
    "Learnt from paintings of Van Gogh (public domain) and photos of the CycleGAN authors' set "
    "vangogh2photo; neither is in this package"
)


def ship(run: Path, folder: Path = FOLDER) -> Path:
    """Export the generator that paints, and write its record."""
    file = export(run, folder / SHIPPED)
    meaning = Stylist(file).meaning
    provenance = json.loads((run / "provenance.json").read_text("utf-8"))
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as stream:
        losses = list(csv.DictReader(stream))[-1]
    record = {
        "file": file.name,
        "digest": hashlib.sha256(file.read_bytes()).hexdigest(),
        "bytes": file.stat().st_size,
        "licence": LICENCE,
        **{key: meaning[key] for key in ("direction", "shape", "crop", "load", "steps", "seed")},
        "config": read_toml(run / "config.toml"),
        "losses": {key: float(value) for key, value in losses.items() if value},
        "data": provenance["data"],
        "seconds": provenance["seconds"] + provenance["seconds_before"],
        "cpu_seconds": provenance.get("cpu_seconds"),
        "versions": provenance["versions"],
        "started": provenance["started"],
        "finished": provenance["finished"],
    }
    return write_json(file.with_suffix(".json"), record)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    print(ship(parser.parse_args().run))
