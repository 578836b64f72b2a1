"""Owns cached features: what the frozen part of a network makes of each picture, computed once.

Enters: a network, a cut in it (boundary.py), index rows. Leaves: read-only (N, C) or (N, C, h, w)
float32 arrays, one a view, memory-mapped from the cache folder. A file's name holds two digests:
its subject (which images, network and view it is about) and its content (weights, preprocessing,
image bytes). Same subject, other content: stale, said so, removed and computed again. Pictures
that another file of the same network holds (held.py) are copied, not computed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from brainlens.classify.augment import POLICIES, augment, sample_seeds
from brainlens.classify.backbones import backbone
from brainlens.classify.batches import Batch
from brainlens.classify.boundary import steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.held import held, note
from brainlens.classify.network import Classifier
from brainlens.classify.parts import growing
from brainlens.classify.stages import advance
from brainlens.core.allocator import keep_freed_memory
from brainlens.core.places import cache_folder
from brainlens.core.processors import Precision
from brainlens.core.progress import say, track
from brainlens.data.index import Index, Row
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Array, Preprocessing

LIMIT = 4 << 30  # bytes of one index's features: beyond it, disk costs more than the network
_BATCH = 32
_FORMAT = 1  # raise it when the computation changes
_HALF = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


class Features(Dataset[Batch]):
    """Cached features and their classes, read a batch at a time; stands in for `Pictures`."""

    def __init__(self, views: Sequence[Array], classes: Array) -> None:
        self.views, self.classes = views, classes
        self.view = 0  # which view the next batches are of

    def __len__(self) -> int:
        return len(self.classes)

    def __getitems__(self, samples: Sequence[int]) -> Batch:
        order = np.asarray(samples)
        values = torch.from_numpy(np.ascontiguousarray(self.views[self.view][order]))
        return Batch(values, torch.from_numpy(self.classes[order]), order.tolist())


@dataclass(frozen=True)
class Extractor:
    """A frozen part of a network, ready to be applied; `name` says which to people."""

    network: Classifier
    cut: int
    preprocessing: Preprocessing
    name: str  # the backbone, and the seed where its weights are random
    weights: str  # digest of the frozen part
    precision: Precision = "32-true"
    device: str = "cpu"

    @property
    def part(self) -> list[nn.Module]:
        """The frozen steps."""
        return steps(self.network)[: self.cut]


def extractor(
    network: Classifier, cut: int, preprocessing: Preprocessing, config: TrainConfig, *, device: str
) -> Extractor:
    """The frozen part of `network` up to `cut`; `config.precision` is a resolved one."""
    trained = config.weights == "imagenet" and backbone(config.backbone).weights
    random = "" if trained else f" seed {config.seed}"
    return Extractor(
        network, cut, preprocessing, config.backbone + random, _digest(steps(network)[:cut]),
        config.precision, device,
    )  # fmt: skip


def views_of(config: TrainConfig) -> list[int | None]:
    """The training views of a config, None for the untouched pictures."""
    return list(range(config.views)) if POLICIES[config.augment] else [None]


def features(
    source: Extractor, index: Index, rows: Sequence[Row], *, policy: str = "none",
    view: int | None = None,
) -> Array:  # fmt: skip
    """The rows' features, (N, ...) float32, read-only; computed at most once.

    `view` is a number for augmented pictures: sample i of view v is the same in every run.
    """
    path = cache_path(source, index, rows, policy, view)
    kept = _kept(path, len(rows))
    if kept is None:
        digests = [row.digest for row in rows]
        known = held(path.parent, _key(source), digests) if view is None else {}
        _forget_stale(path, source)
        _compute(source, index, rows, policy, view, path, known)
        kept = np.load(path, mmap_mode="r")
    return kept


def cache_path(
    source: Extractor, index: Index, rows: Sequence[Row], policy: str, view: int | None
) -> Path:
    """The file that holds these features."""
    strength = POLICIES[policy]
    shape = dataclasses.asdict(source.preprocessing)
    subject = [source.name, source.cut, source.precision, shape, policy, view]
    content = [_FORMAT, source.weights, strength and dataclasses.asdict(strength)]
    about = hashlib.sha256(json.dumps([*subject, str(index.folder.resolve())]).encode())
    held = hashlib.sha256(json.dumps(content).encode())
    for row in rows:
        about.update(row.path.encode())
        held.update(row.digest.encode())
    name = f"{about.hexdigest()[:16]}-{held.hexdigest()[:24]}.npy"
    return cache_folder() / "features" / name


def too_large(network: Classifier, cut: int, size: int, pictures_in_all: int) -> bool:
    """Whether so many pictures' features would not fit under LIMIT."""
    network.eval()
    with torch.no_grad():
        one = advance(steps(network)[:cut], torch.zeros(1, 3, size, size))
    return one.numel() * 4 * pictures_in_all > LIMIT


def _digest(part: Sequence[nn.Module]) -> str:
    """SHA-256 of the weights and statistics of a row of steps."""
    key = hashlib.sha256()
    for number, step in enumerate(part):
        for name, value in step.state_dict().items():
            array = value.detach().cpu().contiguous().numpy()
            key.update(f"{number} {name} {array.dtype} {array.shape}".encode())
            key.update(array.tobytes())
    return key.hexdigest()


def _kept(path: Path, images: int) -> Array | None:
    """What an earlier command kept; None where there is nothing, or something damaged."""
    if not path.is_file():
        return None
    try:
        kept: Array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        kept = np.empty(0)
    if kept.ndim > 1 and kept.dtype == np.float32 and len(kept) == images:
        return kept
    say(f"{path}: the cached features are damaged; computing them again")
    return None


def _forget_stale(path: Path, source: Extractor) -> None:
    """Remove features of the same subject but other weights or images, and say so."""
    for old in path.parent.glob(f"{path.name.partition('-')[0]}-*.npy"):
        if old != path:
            say(f"the cached features of {source.name} are stale: its weights, the images or the "
                "augmentation have changed; computing them again")  # fmt: skip
            old.unlink(missing_ok=True)
    for old in path.parent.glob(f"{path.name.partition('-')[0]}-*.part"):
        if old != path.with_suffix(".part"):
            old.unlink(missing_ok=True)


def _compute(
    source: Extractor, index: Index, rows: Sequence[Row], policy: str, view: int | None, path: Path,
    known: Mapping[str, Array],
) -> None:  # fmt: skip
    """Put rows' features, those not `known` computed, into a file that appears only when whole.

    After a kill it goes on with the batch that was under way.
    """
    fresh = [number for number, row in enumerate(rows) if row.digest not in known]
    what = f"features of {source.name}" + ("" if view is None else f", {policy} view {view + 1}")
    with growing(path, len(rows)) as part:
        begun = sum(number < part.rows for number in fresh) // _BATCH * _BATCH
        part.cut(min(part.rows, fresh[begun]) if begun < len(fresh) else part.rows)
        if part.rows:
            say(f"{what}: {part.rows} of {len(rows)} are kept from an earlier try")
        computed: Iterator[Array] = iter(())
        if begun < len(fresh):
            kept = pictures(index, [rows[number] for number in fresh], source.preprocessing)
            batches = track(forward(source, kept, policy, view, begun), what,
                            -(-(len(fresh) - begun) // _BATCH))  # fmt: skip
            computed = (one for batch in batches for one in batch)
        for row in rows[part.rows :]:
            part.write(known[row.digest] if row.digest in known else next(computed))
    if view is None:
        note(path, _key(source), [row.digest for row in rows])


def _key(source: Extractor) -> str:
    """A name for what turns an untouched picture into features."""
    shape = dataclasses.asdict(source.preprocessing)
    own = [_FORMAT, source.weights, source.cut, source.precision, shape]
    return hashlib.sha256(json.dumps(own).encode()).hexdigest()[:16]


@torch.no_grad()
def forward(
    source: Extractor, kept: Array, policy: str, view: int | None, begin: int = 0
) -> Iterator[Array]:
    """Batches of features, in the order of the pictures, from picture `begin` on."""
    keep_freed_memory()
    source.network.to(source.device).eval()
    mean = torch.tensor(source.preprocessing.mean, device=source.device)[:, None, None]
    std = torch.tensor(source.preprocessing.std, device=source.device)[:, None, None]
    half = _HALF.get(source.precision)
    part = source.part
    for start in range(begin, len(kept), _BATCH):
        samples = range(start, min(start + _BATCH, len(kept)))
        x = torch.from_numpy(np.array(kept[samples.start : samples.stop]))[:, None]
        x = x.to(source.device).float() / 255
        if view is not None:
            x = augment(x, sample_seeds(0, view, samples), POLICIES[policy])
        x = ((x - mean) / std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(source.device, half, enabled=half is not None):
            out: Tensor = advance(part, x)
        yield out.float().cpu().numpy()
