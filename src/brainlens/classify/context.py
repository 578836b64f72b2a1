"""Owns the second opinion of a dense classifier, and how far it is believed.

A faint tumour may be too faint for its place alone, while the whole picture tells; but the whole
picture is also where shortcuts live. So the context is a linear reading of frozen features, fitted
to training pictures, or plain classifiers of their own (`second`; dense ones among them share in
the evidence instead), and one number each says how much of it enters: fitted to validation pictures
*and* their healed versions, on which the context alone is wrong. `healed` of the settings says what
those weigh beside the real healthy ones: at 0 the context decides, and every contrast scan is a
tumour; at 1 the evidence decides, and faint tumours are missed. Enters: a trained network and its
data. Leaves: the network with `context` and `trust`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from brainlens.classify.augment import POLICIES, augment, sample_seeds
from brainlens.classify.committee import Committee, Member
from brainlens.classify.config import TrainConfig
from brainlens.classify.dense import DenseClassifier, Evidence
from brainlens.classify.network import Loaded, load, save
from brainlens.classify.outlined import Checked, checked_data
from brainlens.classify.stages import stages, tie
from brainlens.core.allocator import keep_freed_memory
from brainlens.core.errors import RunError
from brainlens.core.progress import track
from brainlens.data.index import Index, Row, read_index
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Array, Preprocessing

VIEWS = (None, 0)  # of each training picture: itself and an augmented one
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)  # of the regularisation's inverse, tried
_BATCH = 32


def second_opinion(
    run: Path, index: Index, rows: Mapping[str, list[Row]], numbers: Mapping[str, Array],
    config: TrainConfig, second: Sequence[Loaded] = (),
) -> dict[str, float]:  # fmt: skip
    """Give a run's kept network its context, at the size it will answer at.

    `numbers` are the rows' classes, -1 unknown; of `second` the plain ones are asked about the
    whole picture, the dense ones as this one is. Answers how far the context is believed. A network
    sees the same things larger when it is asked than augmented training showed them (Touvron et al.
    2019, "Fixing the train-test resolution discrepancy"): a larger size may serve it better.
    """
    kept = load(run / "model.safetensors")
    network, size = kept.network, config.answer_size or kept.preprocessing.size
    assert isinstance(network, DenseClassifier)
    preprocessing = dataclasses.replace(kept.preprocessing, size=size)
    val = checked_data(
        index, rows["val"], numbers["val"], preprocessing, config.outlines,
        background=network.background, seed=config.seed,
    )  # fmt: skip
    network.cpu().eval()
    _ask(network, second, preprocessing)
    held = _read(network, val.pictures, preprocessing, None)
    chosen: dict[str, float] = {}
    if network.companion is None:
        shown = pictures(index, rows["train"], preprocessing)
        chosen = add_context(network, shown, numbers["train"], val, held, preprocessing)
    chosen |= weigh(network, held, val, healed=config.healed)
    architecture = dataclasses.replace(
        kept.architecture, size=size, second=tuple(one.architecture for one in second)
    )
    save(
        run / "model.safetensors", network, labels=kept.labels, preprocessing=preprocessing,
        architecture=architecture, facts=kept.facts | {"context": chosen},
    )  # fmt: skip
    return chosen


def _ask(network: DenseClassifier, second: Sequence[Loaded], asked: Preprocessing) -> None:
    """Have the others asked with the network, about pictures prepared as `asked`."""
    members = []
    for one in second:
        if not isinstance(one.network, DenseClassifier):
            member = Member(one.network, one.architecture.size)
            member.introduce(asked, one.preprocessing)
            members.append(member)
    network.companion = Committee(members) if members else None
    network.peers = nn.ModuleList(
        one.network for one in second if isinstance(one.network, DenseClassifier)
    )
    look = torch.rand(1, 3, asked.size, asked.size, generator=torch.Generator().manual_seed(0))
    for peer in network.peers:
        tie(stages(network.backbone), stages(cast(DenseClassifier, peer).backbone), look)


def read_second(
    run: Path, labels: Sequence[str], preprocessing: Preprocessing, held_out: Sequence[Row]
) -> Loaded:
    """The classifier that is asked too: a plain one about the whole picture, a dense one by itself.

    Raises RunError for one of other classes, of pictures cut otherwise (size and, of a plain one,
    normalisation may differ), or that learned from one of the `held_out` images, by which it is to
    be weighed.
    """
    second = load(run / "model.safetensors")
    if second.labels != list(labels):
        raise RunError(f"{run}: knows {', '.join(second.labels)}; expected {', '.join(labels)}")
    theirs = second.preprocessing
    if (theirs.fit, theirs.crop) != (preprocessing.fit, preprocessing.crop):
        raise RunError(f"{run}: prepares its pictures otherwise; expected the same fit and crop")
    learnt = {row.pixel_digest for row in read_index(run / "index.csv").of("train")}
    seen = [row for row in held_out if row.pixel_digest in learnt]
    if seen:
        raise RunError(
            f"{run}: learned from {len(seen)} of this run's validation images, so it cannot be "
            "weighed by them. Train it on the same split"
        )
    if not isinstance(second.network, DenseClassifier):
        return second
    if (theirs.mean, theirs.std) != (preprocessing.mean, preprocessing.std):
        raise RunError(f"{run}: normalises its pictures otherwise; expected the same backbone")
    second.network.companion, second.network.peers = None, nn.ModuleList()
    return dataclasses.replace(
        second, architecture=dataclasses.replace(second.architecture, second=())
    )


def add_context(
    network: DenseClassifier, shown: Array, numbers: Array, val: Checked, held: dict[str, Array],
    preprocessing: Preprocessing,
) -> dict[str, float]:  # fmt: skip
    """Set `context`; answers what was chosen, for the run's record.

    `shown` (N, S, S) uint8 are the training pictures, `numbers` (N,) their classes, -1 unknown,
    `held` what was read of the validation pictures; its `whole` is renewed.
    """
    known = numbers >= 0
    parts = [_read(network, shown[known], preprocessing, view) for view in VIEWS]
    features = np.concatenate([part["features"] for part in parts])
    classes = np.tile(numbers[known], len(VIEWS))
    real = np.arange(len(val.classes)) < val.real
    mean, spread = features.mean(0), features.std(0) + 1e-6
    best: tuple[float, float, LogisticRegression] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=300)
        model.fit((features - mean) / spread, classes)
        p = model.predict_proba((held["features"][real] - mean) / spread)
        loss = -np.log(np.maximum(p[np.arange(len(p)), val.classes[real]], 1e-9)).mean()
        if best is None or loss < best[0]:
            best = float(loss), strength, model
    assert best is not None
    weight = best[2].coef_ / spread
    with torch.no_grad():
        network.context.weight.copy_(torch.from_numpy(weight))
        network.context.bias.copy_(torch.from_numpy(best[2].intercept_ - weight @ mean))
        held["whole"] = network.context(torch.from_numpy(held["features"])).numpy()
    return {"C": best[1], "val loss of the context alone": best[0]}


def weigh(
    network: DenseClassifier, held: dict[str, Array], val: Checked, *, healed: float
) -> dict[str, float]:
    """Set `trust` by what was read of the validation pictures; answers its numbers by name."""
    real = np.arange(len(val.classes)) < val.real
    whole, which = (part.numpy() for part in network.second(torch.from_numpy(held["whole"])))
    trust = believe(
        network, held["tumour"], whole, held["kinds"], which, val.classes, real, healed=healed
    )
    with torch.no_grad():
        network.trust.copy_(torch.tensor(trust))
    names = ("evidence", "context", "constant", "kind by evidence", "kind by context")
    return dict(zip(names, trust, strict=True))


def believe(
    network: DenseClassifier, tumour: Array, whole: Array, kinds: Array, which: Array,
    classes: Array, real: Array, *, healed: float,
) -> list[float]:  # fmt: skip
    """The five numbers of `trust`, by logistic regression on N held-out pictures.

    Logits of a tumour by evidence and by context (N,), of its kind by both (N, K - 1), the classes
    (N,) and which pictures are real, not healed; these weigh `healed` times the real healthy ones.
    """
    sick = classes != network.background
    opinions = np.stack([tumour, whole], 1)
    weight = np.where(real, 1.0, healed * (real & ~sick).sum() / max(1, (~real).sum()))
    found = LogisticRegression(C=10.0).fit(opinions, sick, weight)
    some = real & sick
    numbers = classes[some] - (classes[some] > network.background)
    kind = _mixed(kinds[some], which[some], numbers)
    return [*map(float, found.coef_[0]), float(found.intercept_[0]), *kind]


def _mixed(first: Array, second: Array, kinds: Array) -> tuple[float, float]:
    """The weights of two sets of logits that give the least log loss."""
    from scipy.optimize import minimize

    def loss(w: Array) -> float:
        logits = w[0] * first + w[1] * second
        logits = logits - logits.max(1, keepdims=True)
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return float(-np.log(np.maximum(p[np.arange(len(p)), kinds], 1e-9)).mean())

    found = minimize(loss, np.array([0.5, 0.5]), method="Nelder-Mead", bounds=[(0, 5), (0, 5)])
    return float(found.x[0]), float(found.x[1])


def _read(
    network: DenseClassifier, pictures: Array, preprocessing: Preprocessing, view: int | None
) -> dict[str, Array]:
    """Evidence of (N, S, S) uint8 pictures, by the names of its parts but for the cells."""
    keep_freed_memory()
    mean, std = (torch.tensor(v)[:, None, None] for v in (preprocessing.mean, preprocessing.std))

    def batches() -> Iterator[tuple[Tensor, ...]]:
        for start in range(0, len(pictures), _BATCH):
            some = np.array(pictures[start : start + _BATCH])
            x = torch.from_numpy(some)[:, None].float() / 255
            if view is not None:
                seeds = sample_seeds(0, view, range(start, start + len(some)))
                x = augment(x, seeds, POLICIES["light"])
            x = ((x - mean) / std).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                found = network.evidence(x)
            yield found[1:]

    total = -(-len(pictures) // _BATCH)
    columns = zip(*track(batches(), "reading the whole pictures", total), strict=True)
    return {
        name: torch.cat(list(column)).numpy()
        for name, column in zip(Evidence._fields[1:], columns, strict=True)
    }
