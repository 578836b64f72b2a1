"""Gives a finished dense run a second opinion: `python -m tools.box_second RUN OUT PLAIN...`.

RUN is copied to OUT, whose context is then the classifiers PLAIN, weighed on RUN's own validation
pictures with RUN's settings: as `train --set second=PLAIN` ends, without training again.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

from brainlens.classify.config import TrainConfig
from brainlens.classify.context import read_second, second_opinion
from brainlens.classify.network import load
from brainlens.classify.run import read_provenance
from brainlens.classify.training import class_numbers
from brainlens.core.config import read_toml, resolve, to_toml
from brainlens.core.files import write_atomic, write_json
from brainlens.data.index import read_index


def main() -> None:
    """Copy, weigh, keep."""
    run, out, *plain = map(Path, sys.argv[1:])
    kept = load(run / "model.safetensors")
    index = read_index(run / "index.csv")
    rows = {
        split: [row for row in index.of(split) if row.label in kept.labels]
        for split in ("train", "val")
    }
    config = dataclasses.replace(
        resolve(TrainConfig, read_toml(run / "config.toml")), second=tuple(map(str, plain))
    )
    second = [read_second(one, kept.labels, kept.preprocessing, rows["val"]) for one in plain]
    shutil.copytree(run, out)
    write_atomic(out / "config.toml", to_toml(config))
    numbers = {split: class_numbers(part, kept.labels) for split, part in rows.items()}
    chosen = second_opinion(out, index, rows, numbers, config, second)
    command = "python -m tools.box_second " + " ".join(sys.argv[1:])
    record = read_provenance(out) | {"context": chosen, "second opinion by": command}
    write_json(out / "provenance.json", record)
    print(json.dumps(chosen, indent=1))


if __name__ == "__main__":
    main()
