"""Twins are found through what re-uploads do to a picture; strangers and neighbours are not."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from brainlens.core.images import read_grey
from brainlens.data import candidates, laying, symmetry, twins
from brainlens.data.compact import from_compact, to_compact
from brainlens.data.descriptor import Array, describe, frame_of
from brainlens.data.laying import TWIN
from brainlens.data.twins import Twin, find_twins, twin_groups

SIZE = 300


def head(seed: int, size: int = SIZE) -> Array:
    """A skull, tissue and some lesions, (size, size) uint8: no two seeds alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    rough = Image.fromarray(rng.normal(0, 1, (14, 14)).astype(np.float32))
    texture = np.asarray(rough.resize((size, size), Image.Resampling.BICUBIC))
    wide, high = rng.uniform(0.65, 0.9, 2)
    radius = np.hypot(x / wide, y / high)
    picture = (radius < 1) * (95 + 35 * texture) + (np.abs(radius - 0.95) < 0.04) * 90
    for _ in range(3):
        cx, cy, r = *rng.uniform(-0.4, 0.4, 2), rng.uniform(0.08, 0.2)
        picture += (np.hypot(x - cx, y - cy) < r) * rng.uniform(-60, 80)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def jpeg(grey: Array, quality: int) -> Array:
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def scaled(grey: Array, across: float, down: float) -> Array:
    size = round(grey.shape[1] * across), round(grey.shape[0] * down)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))


def noisy(grey: Array) -> Array:
    noise = np.random.default_rng(0).normal(0, 8, grey.shape)
    return np.asarray(np.clip(grey + noise, 0, 255), np.uint8)


CHANGES = {
    "nothing": lambda g: g,
    "flip": lambda g: g[:, ::-1],
    "quarter turn": lambda g: np.rot90(g),
    "crop": lambda g: g[15:-15, 15:-15],
    "crop at a corner": lambda g: g[15:, :-15],
    "border": lambda g: np.pad(g, 30),
    "smaller": lambda g: scaled(g, 0.6, 0.6),
    "larger": lambda g: scaled(g, 1.4, 1.4),
    "stretched": lambda g: scaled(g, 0.8, 1.1),
    "JPEG": lambda g: jpeg(g, 40),
    "gamma 0.7": lambda g: np.rint(255 * (g / 255) ** 0.7).astype(np.uint8),
    "gamma 1.4": lambda g: np.rint(255 * (g / 255) ** 1.4).astype(np.uint8),
    "brighter": lambda g: np.clip(g * 1.2 + 10, 0, 255).astype(np.uint8),
    "noise": noisy,
}
HEADS = [head(seed) for seed in range(12)]
DESCRIBED = describe([frame_of(picture) for picture in HEADS])


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_finds_its_twin_and_no_other(change: str) -> None:
    changed = [CHANGES[change](picture) for picture in HEADS]
    other = describe([frame_of(np.ascontiguousarray(picture)) for picture in changed])
    found = find_twins(DESCRIBED, other)
    assert [(twin.i, twin.j) for twin in found] == [(i, i) for i in range(len(HEADS))]
    assert all(TWIN <= twin.r <= 1 for twin in found)


@pytest.mark.parametrize("change", ["nothing", "flip", "smaller", "JPEG", "gamma 0.7", "border"])
def test_compact_descriptors_find_twins_too(change: str) -> None:
    compact = from_compact(**to_compact(DESCRIBED))
    changed = [CHANGES[change](picture) for picture in HEADS]
    other = describe([frame_of(np.ascontiguousarray(picture)) for picture in changed])
    pairs = [(twin.i, twin.j) for twin in find_twins(other, compact)]
    assert all(i == j for i, j in pairs)
    assert len(pairs) >= len(HEADS) - 1


@given(seed=st.integers(0, 10_000), turned=st.integers(0, symmetry.COUNT - 1))
@settings(deadline=None, max_examples=20)
def test_the_symmetry_named_turns_the_second_into_the_first(seed: int, turned: int) -> None:
    one = frame_of(head(seed))
    (twin,) = find_twins(describe([symmetry.turn(one, turned)]), describe([one]))
    assert twin.symmetry == turned
    assert twin.transform == symmetry.NAMES[turned]


def test_the_order_of_images_does_not_matter() -> None:
    frames = [frame_of(picture) for picture in HEADS]
    frames += [frames[3].T, frames[3][:, ::-1], frames[7]]
    order = np.random.default_rng(0).permutation(len(frames))
    plain = {(t.i, t.j) for t in find_twins(describe(frames))}
    mixed = find_twins(describe([frames[k] for k in order]))
    named = {tuple(sorted((int(order[t.i]), int(order[t.j])))) for t in mixed}
    assert named == plain == {(3, 12), (3, 13), (12, 13), (7, 14)}


@pytest.mark.parametrize("processors", [1, 2])
def test_blocks_leave_no_pair_out(monkeypatch: pytest.MonkeyPatch, processors: int) -> None:
    frames = [frame_of(picture) for picture in HEADS]
    whole = describe(frames + [frame.T for frame in frames])
    together = find_twins(whole)
    monkeypatch.setattr(candidates, "BLOCK", 5)
    monkeypatch.setattr(twins, "cores", lambda: processors)
    assert find_twins(whole) == together
    assert len(together) == len(frames)


@pytest.mark.parametrize("name", ["START_R", "ALIGNED_R", "HALFWAY_R", "SMALL_R", "TWIN"])
def test_where_every_candidate_is_given_up_there_are_no_twins(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    cropped = describe([frame_of(picture[15:-15, 15:-15]) for picture in HEADS])
    monkeypatch.setattr(laying, name, 1.1)
    assert find_twins(DESCRIBED, cropped) == []


@pytest.mark.parametrize("change", ["crop", "crop at a corner", "quarter turn", "gamma 0.7"])
def test_either_side_may_be_searched_for(change: str) -> None:
    changed = [CHANGES[change](picture) for picture in HEADS]
    other = describe([frame_of(np.ascontiguousarray(picture)) for picture in changed])
    here, there = find_twins(DESCRIBED, other), find_twins(other, DESCRIBED)
    assert len(here) == len(HEADS)
    assert [(t.j, t.i, symmetry.inverse(t.symmetry)) for t in there] == [
        (t.i, t.j, t.symmetry) for t in here
    ]


def test_strangers_and_blanks_have_no_twins() -> None:
    blanks = [np.full((128, 128), grey, np.uint8) for grey in (0, 0, 90, 255)]
    noise = [np.random.default_rng(k).integers(0, 256, (128, 128)).astype(np.uint8) for k in (0, 1)]
    assert find_twins(describe([*blanks, *noise, *(frame_of(picture) for picture in HEADS)])) == []
    assert find_twins(describe([])) == []
    assert find_twins(DESCRIBED, describe([])) == []


def test_twins_of_twins_are_one_group() -> None:
    assert twin_groups(6, [Twin(1, 3, 0.99), Twin(3, 5, 0.98)]) == [0, 1, 2, 1, 4, 1]


def test_the_data_layer_needs_no_torch() -> None:
    code = "import sys, brainlens.data.twins, brainlens.data.hashes; "
    done = subprocess.run([sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"])
    assert done.returncode == 0


def test_distinct_slices_of_cheng_are_no_twins(shared: Path) -> None:
    root = shared / "data" / "mri"
    with (root / "manifest.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["set"].startswith("figshare")]
    rows = sorted(rows, key=lambda row: int(row["figshare_id"]))[:250]  # neighbours are adjacent
    frames = [frame_of(read_grey(root / row["file"])) for row in rows]
    assert find_twins(describe(frames)) == []


@pytest.mark.slow
def test_the_twins_of_the_manifest_are_found(shared: Path) -> None:
    root = shared / "data" / "mri"
    with (root / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = find_twins(describe([frame_of(read_grey(root / row["file"])) for row in rows]))
    pairs = {(twin.i, twin.j) for twin in found}
    group = [row["near_dup_group"] for row in rows]
    members: dict[str, list[int]] = {}
    for i, name in enumerate(group):
        members.setdefault(name, []).append(i)
    wanted = {(i, j) for m in members.values() for n, i in enumerate(m) for j in m[n + 1 :]}
    assert len(pairs & wanted) >= 0.99 * len(wanted)
    slices = [int(row["figshare_id"]) for row in rows]
    assert not [(i, j) for i, j in pairs if slices[i] and slices[j] and slices[i] != slices[j]]
