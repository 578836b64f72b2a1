"""Owns the stage `synth verdict`: do synthetic images help a classifier? An index and runs in.

    VERDICT/ verdict.json  synthetic/ARM/ (the pictures that were drawn)

Every arm and ratio trains the same classifier on cached features with the same budget, several
seeds each. The test is grouped: differences are resampled over groups, paired by image; McNemar's
test takes the mean of the seeds' answers. All comparisons are one family (Holm). The ratio that
the answer speaks of is chosen on validation. Last comes the leaking protocol of seed A.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.classify import machine
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import Extractor, features
from brainlens.classify.training import check_rows, class_numbers
from brainlens.core.errors import ConfigError, IndexFileError, LeakError, SplitError, nearest
from brainlens.core.files import fresh_folder, write_json
from brainlens.core.progress import say
from brainlens.core.provenance import now, provenance
from brainlens.data.index import Index, Row, read_index
from brainlens.data.leakage import leaks_between
from brainlens.data.preprocess import Array
from brainlens.data.split import read_record
from brainlens.generative.synthrun import open_generator
from brainlens.metrics.comparison import compare, holm, mcnemar
from brainlens.synthesis.answer import sentence
from brainlens.synthesis.arms import Arms, check_arms, flat, network_source, rows_by_split
from brainlens.synthesis.leaking import leaking_protocol
from brainlens.synthesis.trial import Answers, Ground, answers

Document = dict[str, Any]
BASELINES = ("none", "oversample")


def verdict(
    index_path: Path, out: Path, config: TrainConfig, *, arms: Sequence[str],
    ratios: Sequence[float], seeds: int, runs: Mapping[str, Path], label: str = "",
    leaking_run: Path | None = None, overwrite: bool = False,
) -> Document:  # fmt: skip
    """Try every arm at every ratio; answers what verdict.json holds."""
    started, clock = now(), time.monotonic()
    check_arms(arms, runs, ratios)
    index = read_index(index_path)
    label = _checked(index, index_path, label)
    sources = {arm: _checked_run(arm, run, index, index_path, label) for arm, run in runs.items()}
    rows = rows_by_split(index)
    learned = "the train rows alone" if leaking_run is None else _seen(leaking_run, rows, label)
    ground, source, weights = _ground(index, config)
    real = sum(row.label == label for row in rows["train"])
    counts = {ratio: max(1, round(ratio * real)) for ratio in ratios}
    fresh_folder(out, overwrite=overwrite, kind="verdict on synthetic images")
    own = ground.features["train"][ground.classes["train"] == ground.labels.index(label)]
    more = Arms(source, index, label, runs, max(counts.values()), out / "synthetic", own)
    budget = config.epochs * len(rows["train"])
    numbers = range(config.seed, config.seed + seeds)
    nothing = np.zeros((0, ground.features["train"].shape[1]), np.float32)
    tried = {("none", 0.0): answers(ground, nothing, label, config, numbers, budget)}
    for arm in arms:
        for ratio in ratios if arm != "none" else ():
            say(f"arm {arm}, ratio {ratio:g}: {counts[ratio]} more of {label}")
            added = more.added(arm, counts[ratio])
            tried[arm, ratio] = answers(ground, added, label, config, numbers, budget)
    group = np.unique([row.group for row in rows["test"]], return_inverse=True)[1]
    document: Document = {
        "class": label, "arms": list(arms), "ratios": list(ratios), "seeds": list(numbers),
        "budget": budget, "real": real, "labels": ground.labels,
        "test": {"images": len(rows["test"]), "groups": int(group.max()) + 1},
        "generators": sources,
        "rows": [_row(key, one, ground, label) for key, one in tried.items()],
        "comparisons": comparisons(tried, ground, group, label),
    }  # fmt: skip
    seen = {arm: more.added(arm, real) for arm in arms if arm in runs}
    if leaking_run is not None:
        seen = {"leaking": _of_leaking(leaking_run, label, real, source, out)}
    name = next(iter(seen), "")
    if name:
        document["leaking"] = leaking_protocol(ground, seen[name], label, config, numbers) | {
            "generator": name, "trained_on": learned,
        }  # fmt: skip
    record = provenance("synth-verdict", config.seed, started, time.monotonic() - clock)
    document = record | document | {
        "answer": sentence(document), "protocol": read_record(index, index_path),
        "index": {"path": str(index_path), "digest": index.digest()},
        "machine": machine.describe(machine.choose_device(), "32-true"),
        "classifier": {"backbone": config.backbone, "weights": weights, "epochs": config.epochs,
                       "digest": source.weights},
    }  # fmt: skip
    write_json(out / "verdict.json", document)
    return document


def _checked(index: Index, path: Path, label: str) -> str:
    """The class in question: the one named, else the smallest; refuses leaks and missing splits."""
    rows = rows_by_split(index)
    labels = check_rows(rows, path)
    if not rows["test"]:
        raise SplitError(f"{path}: has no test images. Split it first: brainlens split {path}")
    if label and label not in labels:
        raise SplitError(f"--class {label}: {nearest(label, labels)}")
    leaks = leaks_between(rows["test"], rows["train"] + rows["val"], {})
    if leaks:
        raise LeakError(
            f"{len(leaks)} of {len(rows['test'])} test images are copies or of the groups of "
            f"training ones (the first: {leaks[0].path}), so a verdict would say nothing. Audit "
            "the index and split with --protocol grouped"
        )
    return label or min(labels, key=lambda name: sum(r.label == name for r in rows["train"]))


def _checked_run(arm: str, run: Path, index: Index, path: Path, label: str) -> Document:
    """A generator's facts; refuses one that learned from another index or another class."""
    source = open_generator(run)
    if source.facts["index_digest"] != index.digest():
        raise IndexFileError(
            f"{run}: learned from another state of the index than {path}, so it may have seen the "
            f"test images. Train it on this one: brainlens synth train {path}"
        )
    if label not in source.labels:
        raise SplitError(f"{run}: knows {', '.join(source.labels)}, not {label!r}")
    return {"run": str(run), "digest": source.digest, "facts": source.facts, "arm": arm}


def _ground(index: Index, config: TrainConfig) -> tuple[Ground, Extractor, str]:
    """The real rows' features."""
    rows = rows_by_split(index)
    labels = sorted({row.label for row in rows["train"]})
    source, weights = network_source(config, len(labels))
    ground = Ground(
        {split: flat(features(source, index, own)) for split, own in rows.items()},
        {split: class_numbers(own, labels) for split, own in rows.items()}, labels,
    )  # fmt: skip
    return ground, source, weights


def _seen(run: Path, rows: Mapping[str, Sequence[Row]], label: str) -> str:
    """What a leaking generator saw, in words; refuses one that leaks nothing."""
    open_generator(run).pictures([], label)
    seen = {row.pixel_digest for row in read_index(run / "index.csv").rows}
    held = [row for row in (*rows["val"], *rows["test"]) if row.label == label]
    known = sum(row.pixel_digest in seen for row in held)
    if not known:
        raise ConfigError(
            f"--leaking-run {run}: has seen none of the {len(held)} held-out pictures of "
            f"{label!r}, so it does not leak. Train it on every row: brainlens split INDEX "
            "--protocol random --test 0 --val 0 -o everything.csv, then brainlens synth train "
            "everything.csv"
        )
    return f"the train rows and {known} of the {len(held)} held-out pictures of {label}"


def _of_leaking(run: Path, label: str, count: int, source: Extractor, out: Path) -> Array:
    """Features of pictures whose generator saw everything."""
    from brainlens.generative.sampling import sample

    made = read_index(sample(run, out / "synthetic" / "leaking", range(count), classes=[label],
                             overwrite=True))  # fmt: skip
    return flat(features(source, made, made.rows))


def _row(key: tuple[str, float], one: Answers, ground: Ground, label: str) -> Document:
    """An arm's own figures: means over seeds, and each seed's accuracy."""
    true = ground.classes["test"]
    right = one.right(true)
    each = {name: float(right[:, true == k].mean()) for k, name in enumerate(ground.labels)}
    return {
        "arm": key[0], "ratio": key[1], "pictures": one.pictures, "epochs": one.epochs,
        "validation": float(np.mean(one.validation)), "accuracy": float(right.mean()),
        "accuracies": right.mean(1).tolist(), "balanced_accuracy": float(np.mean([*each.values()])),
        "sensitivity": each,
    }  # fmt: skip


def comparisons(
    tried: Mapping[tuple[str, float], Answers], ground: Ground, group: Array, label: str
) -> list[Document]:
    """Every arm against none and, of its own ratio, against oversample; one family of tests."""
    true = ground.classes["test"]
    found: list[Document] = []
    chosen = true == ground.labels.index(label)
    own_groups = np.unique(group[chosen], return_inverse=True)[1]
    for (arm, ratio), one in tried.items():
        for base in BASELINES:
            other = tried.get((base, ratio if base != "none" else 0.0))
            if other is None or arm in (base, "none"):
                continue
            ours, theirs = (x.right(true).mean(0) for x in (one, other))
            voted, voted_other = (x.tables.mean(0).argmax(1) == true for x in (one, other))
            gain = compare(ours, theirs, group)
            of_class = compare(ours[chosen], theirs[chosen], own_groups)
            alone = int((voted & ~voted_other).sum()), int((voted_other & ~voted).sum())
            found.append({
                "arm": arm, "ratio": ratio, "against": base,
                "difference": {"value": gain.value, "low": gain.low, "high": gain.high},
                "of_class": {"value": of_class.value, "low": of_class.low, "high": of_class.high},
                "p_bootstrap": gain.p_bootstrap, "only_this": alone[0], "only_other": alone[1],
                "p_mcnemar": mcnemar(*alone),
            })  # fmt: skip
    for name in ("bootstrap", "mcnemar"):
        corrected = holm([held[f"p_{name}"] for held in found])
        for held, p in zip(found, corrected, strict=True):
            held[f"holm_{name}"] = p
    return found
