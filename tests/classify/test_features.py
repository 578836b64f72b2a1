"""Cached features: the same weights as without them, kept once, and never used when stale."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from brainlens.classify import features as module
from brainlens.classify.augment import POLICIES
from brainlens.classify.backbones import BACKBONES
from brainlens.classify.boundary import boundary, steps
from brainlens.classify.config import TrainConfig
from brainlens.classify.features import Extractor, Features, extractor, features, views_of
from brainlens.classify.network import Architecture, Classifier, load
from brainlens.classify.optimisation import frozen_layers
from brainlens.classify.parts import growing
from brainlens.classify.plan import plan
from brainlens.classify.stages import advance
from brainlens.classify.training import train
from brainlens.core.errors import OutputError
from brainlens.core.places import cache_folder
from brainlens.data.index import Index, read_index
from brainlens.data.indexing import index_folders
from tests.classify.conftest import TINY

HEAD = dataclasses.replace(TINY, tune="head", augment="none", precision="32-true")


def classifier(config: TrainConfig, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    return Classifier(plan(config)[0], 2)


def cut_of(config: TrainConfig) -> int:
    network = classifier(config)
    return boundary(network, config, frozen_layers(network, config))


# --- the network as steps -----------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_steps_are_the_network(name: str) -> None:
    """So a cut between two of them changes nothing."""
    size = 96 if name == "inception_v3" else 64
    torch.manual_seed(0)
    network = Classifier(Architecture(name, size, "average", (), "relu", 0.5), 3).eval()
    x = torch.rand(2, 3, size, size)
    row = steps(network)
    assert len(row) > 3
    with torch.no_grad():
        whole = network(x)
        for cut in (0, 2, len(row) - 1, len(row)):
            halves = network.head(advance(row[cut:], advance(row[:cut], x)))
            torch.testing.assert_close(halves, whole, rtol=0, atol=0)


def test_a_resting_backbone_is_cut_behind_its_pooling() -> None:
    network = classifier(HEAD)
    assert cut_of(HEAD) == len(steps(network)) == 10  # 3 x (convolution, ReLU, pooling), pooling


def test_with_the_last_blocks_in_training_the_cut_lies_before_them() -> None:
    last = dataclasses.replace(HEAD, tune="last", tune_blocks=1)
    assert cut_of(last) == 6  # two of the three convolutions rest, with what follows each
    assert cut_of(dataclasses.replace(last, tune_blocks=3)) == 0
    # cnn_b_dropout draws random numbers behind its first block: nothing after them can be kept.
    assert cut_of(dataclasses.replace(last, backbone="cnn_b_dropout", hidden=(4,))) == 3


@pytest.mark.parametrize(
    "changes", [{"tune": "all"}, {"tune": "early"}, {"tune": "two-phase"}, {"augment": "light"}]
)
def test_nothing_is_kept_of_what_changes(changes: dict[str, str]) -> None:
    assert cut_of(dataclasses.replace(HEAD, **changes)) == 0  # type: ignore[arg-type]


def test_a_fixed_number_of_views_can_be_kept() -> None:
    config = dataclasses.replace(HEAD, augment="light", views=2)
    assert cut_of(config) == 10
    assert views_of(config) == [0, 1]
    assert views_of(dataclasses.replace(config, augment="none")) == [None]


# --- the same weights ---------------------------------------------------------------------------
SAME = {
    "head, untouched pictures": {},
    "head, two views, balanced": {"augment": "light", "views": 2, "balance": "sampling"},
    "last block, one view": {"tune": "last", "tune_blocks": 1, "augment": "flips", "views": 1},
    "last block with batch norm": {
        "tune": "last", "tune_blocks": 2, "backbone": "cnn_small", "pool": "max",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_cached_and_uncached_training_end_with_the_same_weights(
    name: str, tiny_index: Path, tmp_path: Path
) -> None:
    config = dataclasses.replace(HEAD, **SAME[name])  # type: ignore[arg-type]
    assert cut_of(config)
    train(tiny_index, tmp_path / "cached", config)
    train(tiny_index, tmp_path / "plain", config, cached=False)
    cached = load(tmp_path / "cached" / "model.safetensors").network.state_dict()
    plain = load(tmp_path / "plain" / "model.safetensors").network.state_dict()
    torch.manual_seed(1)
    fresh = Classifier(plan(config)[0], 2).state_dict()
    for key, value in plain.items():
        torch.testing.assert_close(cached[key], value, rtol=1e-5, atol=1e-6, msg=key)
    assert not torch.allclose(fresh["head.0.weight"], plain["head.0.weight"], atol=1e-3)
    assert list((cache_folder() / "features").glob("*.npy"))


def test_cached_training_never_runs_the_backbone_again(
    tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny_index, tmp_path / "one", HEAD)

    def refuse(*_: object) -> None:
        raise AssertionError("the backbone ran")

    monkeypatch.setattr(module, "forward", refuse)
    monkeypatch.setattr("brainlens.classify.loop.Classifier.forward", refuse)
    train(tiny_index, tmp_path / "two", dataclasses.replace(HEAD, learning_rate=0.01))


# --- the cache ----------------------------------------------------------------------------------
@pytest.fixture
def index(tiny_index: Path) -> Index:
    return read_index(tiny_index)


def values(index: Index, seed: int = 0, **request: object) -> np.ndarray:
    config = dataclasses.replace(HEAD, weights="imagenet")  # not named after its seed
    source = extractor(classifier(config, seed), 9, plan(config)[1], config, device="cpu")
    source = dataclasses.replace(source, name="cnn_c")
    return features(source, index, index.of("train"), **request)  # type: ignore[arg-type]


def test_a_feature_is_what_the_network_says_of_the_picture(index: Index) -> None:
    config = HEAD
    network, preprocessing = classifier(config).eval(), plan(config)[1]
    kept = values(index)
    assert kept.dtype == np.float32
    row = index.of("train")[5]
    grey = np.asarray(Image.open(index.file(row)))
    with torch.no_grad():
        alone = network.backbone(torch.from_numpy(preprocessing.tensor(grey[None])))[0]
    np.testing.assert_allclose(kept[5], alone.numpy(), rtol=1e-5, atol=1e-6)


def test_views_differ_from_each_other_and_are_the_same_again(index: Index) -> None:
    first, second = (values(index, policy="light", view=v) for v in (0, 1))
    assert np.abs(first - second).max() > 0.01
    assert np.abs(first - values(index)).max() > 0.01
    for file in (cache_folder() / "features").glob("*.npy"):
        file.unlink()
    np.testing.assert_array_equal(first, values(index, policy="light", view=0))


def test_a_picture_that_another_index_brought_is_not_computed_again(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two indexes share pictures; those of the first come from its file, in the second's order."""
    old = np.array(values(index))
    rows = [dataclasses.replace(r, split="train") for r in index.of("val")]
    rows += [dataclasses.replace(r, group="x") for r in reversed(index.of("train"))]
    computed, forward = [], module.forward

    def counted(source: Extractor, kept: np.ndarray, *rest: Any) -> Iterator[np.ndarray]:
        computed.append(len(kept))
        yield from forward(source, kept, *rest)

    monkeypatch.setattr(module, "forward", counted)
    both = values(Index(tuple(rows), index.folder))
    assert computed == [len(index.of("val"))]
    np.testing.assert_array_equal(both[computed[0] :], old[::-1])
    for file in (cache_folder() / "features").iterdir():
        file.unlink()
    np.testing.assert_allclose(values(Index(tuple(rows), index.folder)), both, atol=1e-6)
    values(index, policy="light", view=0)  # another picture in every place: nothing to take
    assert computed[1:] == [len(rows), len(index.of("train"))]


def test_known_pictures_may_come_before_those_to_be_computed(index: Index) -> None:
    old = np.array(values(index))
    rows = [dataclasses.replace(r, group="x") for r in index.of("train")]
    rows += [dataclasses.replace(r, split="train") for r in index.of("val")]
    both = np.array(values(Index(tuple(rows), index.folder)))
    np.testing.assert_array_equal(both[: len(old)], old)
    for file in (cache_folder() / "features").iterdir():
        file.unlink()
    np.testing.assert_allclose(values(Index(tuple(rows), index.folder)), both, atol=1e-6)


def test_other_weights_make_the_cache_stale_and_it_says_so(
    index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    old = np.array(values(index))
    assert "stale" not in capsys.readouterr().err
    new = values(index, seed=1)
    assert "stale" in capsys.readouterr().err
    assert np.abs(new - old).max() > 0.01
    assert len(list((cache_folder() / "features").glob("*.npy"))) == 1
    np.testing.assert_array_equal(values(index), old)


def test_a_changed_image_makes_the_cache_stale(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = np.array(values(index))
    Image.fromarray(np.full((32, 32), 200, np.uint8)).save(index.file(index.of("train")[0]))
    again = index_folders([tmp_path / "pictures"], label_map={}).rows
    found = {str((Path("/") / row.path).resolve()): row.digest for row in again}
    rows = tuple(
        dataclasses.replace(row, digest=found[str(index.file(row).resolve())]) for row in index.rows
    )
    new = values(Index(rows, index.folder))
    assert "stale" in capsys.readouterr().err
    assert np.abs(new[0] - old[0]).max() > 0.01
    np.testing.assert_array_equal(new[1:], old[1:])


def test_another_policy_of_the_same_name_makes_the_cache_stale(
    index: Index, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values(index, policy="light", view=0)
    assert POLICIES["light"]
    milder = dataclasses.replace(POLICIES["light"], rotate=1)
    monkeypatch.setitem(POLICIES, "light", milder)
    values(index, policy="light", view=0)
    assert "stale" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY garbage"])
def test_a_damaged_cache_is_made_again(
    index: Index, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    old = np.array(values(index))
    (file,) = (cache_folder() / "features").glob("*.npy")
    file.write_bytes(damage)
    np.testing.assert_array_equal(values(index), old)
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize("request_of", [{}, {"policy": "light", "view": 1}])
def test_a_killed_pass_goes_on_with_the_batch_that_was_under_way(
    index: Index, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    request_of: dict[str, Any],
) -> None:  # fmt: skip
    """And leaves the very file of one that was never stopped."""
    monkeypatch.setattr(module, "_BATCH", 4)
    whole = np.array(values(index, **request_of))
    folder, forward = cache_folder() / "features", module.forward
    for file in folder.iterdir():
        file.unlink()

    def dying(*request: Any) -> Iterator[np.ndarray]:
        for number, batch in enumerate(forward(*request)):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(module, "forward", dying)
    with pytest.raises(KeyboardInterrupt):
        values(index, **request_of)
    (part,) = folder.iterdir()
    with part.open("ab") as stream:
        stream.write(b"half a row")
    begins: list[int] = []

    def noting(*request: Any) -> Iterator[np.ndarray]:
        begins.append(request[4])
        yield from forward(*request)

    monkeypatch.setattr(module, "forward", noting)
    again = values(index, **request_of)
    assert begins == [8]
    assert f"8 of {len(whole)} are kept" in capsys.readouterr().err
    np.testing.assert_array_equal(again, whole)
    assert not list(folder.glob("*.part"))


def test_two_processes_do_not_write_one_part(index: Index) -> None:
    """The second makes a file of its own, as if the first were not there."""
    whole = np.array(values(index))
    (file,) = (cache_folder() / "features").glob("*.npy")
    file.unlink()
    with growing(file, len(whole)) as other:
        other.write(whole[0])
        np.testing.assert_array_equal(values(index), whole)
        for row in whole[1:]:
            other.write(row)
    np.testing.assert_array_equal(np.load(file), whole)


def test_a_part_of_another_shape_is_begun_anew(tmp_path: Path) -> None:
    path, seven = tmp_path / "a.npy", io.BytesIO()
    np.save(seven, np.zeros((7, 2), "f4"))
    for junk in (b"", b"\x93NUMPY broken", seven.getvalue()):
        path.with_suffix(".part").write_bytes(junk)
        with growing(path, 3) as part:
            assert part.rows == 0
            part.cut(0)
            for row in np.ones((3, 2), "f4"):
                part.write(row)
        np.testing.assert_array_equal(np.load(path), np.ones((3, 2)))


def test_a_full_disk_is_one_clear_line(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    monkeypatch.setattr(
        module, "pictures", lambda *_: np.zeros((len(index.of("train")), 32, 32), "u1")
    )
    with pytest.raises(OutputError, match="the disk is full"):
        values(index)
    assert not list((cache_folder() / "features").iterdir())


def test_features_too_large_for_the_disk_are_not_kept(
    tiny_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT", 1000)
    train(tiny_index, tmp_path / "run", dataclasses.replace(HEAD, epochs=1))
    assert not (cache_folder() / "features").exists()


def test_a_batch_is_of_the_view_that_is_set() -> None:
    views = [np.zeros((4, 2), "f4"), np.ones((4, 2), "f4")]
    data = Features(views, np.arange(4))
    data.view = 1
    batch = data.__getitems__([2, 0])
    assert batch.pictures.tolist() == [[1, 1], [1, 1]]
    assert batch.classes.tolist() == batch.samples == [2, 0]


def test_a_network_of_an_unknown_family_is_one_step() -> None:
    network = classifier(HEAD)

    class Strange(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    network.backbone = Strange()
    assert len(steps(network)) == 2
