"""The same study on a Ray cluster: same results, whoever dies in the middle."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brainlens.core.errors import ConfigError
from brainlens.study import cluster
from brainlens.study.design import Design
from brainlens.study.runner import run_study

Make = Callable[..., Design]
FACTORS = {"dropout": [0.1, 0.4], "optimizer": ["adam", "sgd"], "activation": ["relu", "tanh"]}


def responses(document: dict[str, Any]) -> list[float]:
    return [
        one["value"]
        for row in document["rows"]
        for arm in row["results"].values()
        for _, one in sorted(arm.items())
    ]


def test_without_ray_the_message_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'brainlens\[ray\]'"):
        list(cluster.spread([], {}, 2, "local"))


@pytest.fixture
def two_workers() -> Iterator[Any]:
    """A cluster of this machine, of two workers."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'brainlens[ray]'")
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    ray, ours = cluster.connect("local", workers=2)
    assert ours
    assert ray.cluster_resources()["CPU"] == 2
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_killed_worker_changes_nothing(
    make_design: Make, tiny_index: Path, tmp_path: Path, two_workers: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The process that takes the first unit dies of SIGKILL in it; the unit is done again."""
    design = make_design(factors=FACTORS)
    mark, here = tmp_path / "killed", os.getpid()
    work = cluster._work

    def die_once(unit: Any, materials: Any, classes: int) -> Any:
        assert os.getpid() != here
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return work(unit, materials, classes)
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(cluster, "_work", die_once)
    spread = run_study(design, tiny_index, tmp_path / "spread", ray="auto")
    assert mark.exists()
    assert [row["status"] for row in spread["rows"]] == ["done"] * 4
    alone = run_study(design, tiny_index, tmp_path / "alone")
    assert responses(spread) == pytest.approx(responses(alone), abs=1e-6)
    assert spread["analysis"]["plain"]["chosen"] == alone["analysis"]["plain"]["chosen"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_row_that_fails_on_a_worker_is_reported(
    make_design: Make, tiny_index: Path, tmp_path: Path, two_workers: Any
) -> None:
    design = make_design(
        factors={"dropout": [0.1, 0.4], "learning_rate": [1e30, 0.005]}, arms={},
        design={"array": "L4", "replicates": 2, "response": "val_loss"},
    )  # fmt: skip
    document = run_study(design, tiny_index, tmp_path / "study", ray="auto")
    for row in document["rows"]:
        assert (row["status"] == "failed") == (row["settings"]["learning_rate"] == 1e30)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_an_address_where_nothing_answers_is_one_line() -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'brainlens[ray]'")
    with pytest.raises(ConfigError, match="no cluster answers"):
        list(cluster.spread([], {}, 2, "127.0.0.1:1"))
