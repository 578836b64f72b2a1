"""Owns the stage `synth sample`: a generator and seeds in, pictures and their index out.

DIR/ LABEL/seed-000012.png ...  index.csv  synthetic.json
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, PngImagePlugin

from brainlens.core.errors import ConfigError
from brainlens.core.files import fresh_folder, write_atomic, write_json
from brainlens.core.progress import track
from brainlens.core.provenance import now, provenance
from brainlens.data.index import Row, write_index
from brainlens.data.synthetic import synthetic_row
from brainlens.generative.synthrun import Source, open_generator

MARK = "synthetic: made by a generator, not a scan; for research, not for diagnosis"


def seeds_of(text: str | None, count: int | None) -> range:
    """The seeds asked for: `0-394`, or the first `count`; both must agree."""
    if text is None:
        if count is None:
            raise ConfigError("how many pictures? Give -n 395, or --seeds 0-394")
        return range(count)
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    first, last = (int(match[1]), int(match[2])) if match else (1, 0)
    if last < first:
        raise ConfigError(f"--seeds {text}: expected FIRST-LAST, for example 0-394")
    if count is not None and count != last - first + 1:
        raise ConfigError(f"-n {count} and --seeds {text}, which are {last - first + 1}: give one")
    return range(first, last + 1)


def sample(
    run: Path, out: Path, seeds: Sequence[int], *, classes: Sequence[str] = (),
    overwrite: bool = False, device: str = "cpu",
) -> Path:  # fmt: skip
    """Write a picture a seed and class; answers the index's path."""
    source = open_generator(run, device=device)
    labels = _labels(source, classes)
    started, clock = now(), time.monotonic()
    fresh_folder(out, overwrite=overwrite, kind="synthetic images")
    rows: list[Row] = []
    places = [(label, seed) for label in labels for seed in seeds]
    for label, seed in track(places, "drawing", len(places)):
        rows.append(_write(source, out, label, seed))
    write_json(out / "synthetic.json", {
        **provenance("synthetic", 0, started, time.monotonic() - clock),
        "mark": MARK, "run": str(run), "generator": source.digest, "facts": source.facts,
        "seeds": [seeds[0], seeds[-1]], "classes": labels, "images": len(rows), "device": device,
    })  # fmt: skip
    return write_index(rows, out, out / "index.csv")


def _labels(source: Source, classes: Sequence[str]) -> list[str]:
    """The classes to draw: those asked for, else all that the generator knows."""
    for label in classes:
        source.pictures([], label)
    return list(classes) or list(source.labels)


def _write(source: Source, out: Path, label: str, seed: int) -> Row:
    """One picture and its row."""
    grey = source.pictures([seed], label)[0].numpy()
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Disclaimer", MARK)
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "PNG", pnginfo=texts)
    path = f"{label}/seed-{seed:06d}.png"
    write_atomic(out / path, stream.getvalue())
    return synthetic_row(
        path, stream.getvalue(), grey, label=label, origin=source.origin,
        source=str(source.facts["index_digest"]), seed=seed, generator=source.digest,
    )  # fmt: skip
