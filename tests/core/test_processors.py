"""The number format follows what the processor multiplies itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from brainlens.core import processors


@pytest.mark.parametrize(("has", "chosen"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_is_bf16_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, has: bool, chosen: str
) -> None:
    monkeypatch.setattr(processors, "multiplies_bf16", lambda: has)
    assert processors.choose_precision("auto", "cpu") == chosen
    assert processors.choose_precision("32-true", "cpu") == "32-true"
    assert processors.choose_precision("bf16-mixed", "cpu") == "bf16-mixed"


@pytest.mark.parametrize(
    ("files", "many"),
    [
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "1000 100000"}, 1),
        ({"cpu.max": "max 100000"}, sys.maxsize),
        ({"cpu.max": "nonsense"}, sys.maxsize),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, sys.maxsize),
        ({}, sys.maxsize),
    ],
)
def test_a_container_s_limit_is_read_from_its_control_group(
    tmp_path: Path, files: dict[str, str], many: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n", "utf-8")
    assert processors._quota(tmp_path) == many


def test_a_limit_bounds_the_cores_and_what_counts_them_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(processors, "_quota", lambda: 2)
    assert processors.cores() == processors.threads_for(0) == 2
    assert processors.threads_for(1) == 1
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    processors.keep_within()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    processors.keep_within()
    assert os.environ["OMP_NUM_THREADS"] == "8"


def test_a_machine_of_one_s_own_is_left_to_the_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(processors, "_quota", lambda: sys.maxsize)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert processors.cores() == 4
    assert processors.threads_for(0) == 0
    processors.keep_within()
    assert "OMP_NUM_THREADS" not in os.environ
