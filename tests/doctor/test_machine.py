"""What the doctor says of processors and GPUs, from descriptions of other machines than this."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from brainlens.doctor import machine

CPUINFO = "processor : 0\nmodel name : A Processor 9000\nflags : fpu avx2 avx512f {more}\n"


class Library:
    """NVIDIA's management library as it answers on a machine with two GPUs."""

    gpus = ((b"NVIDIA H200", 150_000_000_000, 9, 0), (b"NVIDIA T4", 16_000_000_000, 7, 5))

    def __init__(self, driver: int = 13020) -> None:
        self.driver = driver

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self.gpus)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number: ctypes.c_uint, handle: Any) -> int:  # noqa: N802
        handle._obj.value = number.value + 1
        return 0

    def nvmlDeviceGetName(self, handle: ctypes.c_void_p, name: Any, _: Any) -> int:  # noqa: N802
        name.value = self.gpus[(handle.value or 0) - 1][0]
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle: ctypes.c_void_p, memory: Any) -> int:  # noqa: N802
        memory._obj[0] = self.gpus[(handle.value or 0) - 1][1]
        return 0

    def nvmlDeviceGetCudaComputeCapability(self, handle: Any, major: Any, minor: Any) -> int:  # noqa: N802
        major._obj.value, minor._obj.value = self.gpus[handle.value - 1][2:]
        return 0

    def nvmlSystemGetCudaDriverVersion_v2(self, version: Any) -> int:  # noqa: N802
        version._obj.value = self.driver
        return 0


@pytest.fixture(autouse=True)
def every_gpu_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_instruction_sets_are_read_off_the_processor(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(CPUINFO.format(more="avx512_bf16"))
    found = {one.name: one for one in machine.machine_findings(file)}
    assert found["processor"].got.startswith("A Processor 9000, ")
    held = found["instruction sets"].values
    assert held == {"AVX2": True, "AVX-512": True, "VNNI": False, "bf16": True}


def test_a_system_that_shows_no_flags_is_no_fault(tmp_path: Path) -> None:
    found = {one.name: one for one in machine.machine_findings(tmp_path / "none")}
    assert found["instruction sets"].state == "note"


def test_each_gpu_is_named_with_its_memory_and_number_format() -> None:
    found = machine.gpu_findings(Library(), "13.2")
    assert [one.name for one in found] == ["GPU 0", "GPU 1", "CUDA"]
    assert found[0].got == "NVIDIA H200, 150.0 GB, bf16: yes"
    assert found[1].got == "NVIDIA T4, 16.0 GB, bf16: no"
    assert (found[2].state, found[2].got) == ("ok", "13.2 of torch, 13.2 of the driver")


@pytest.mark.parametrize(
    ("driver", "built", "hidden", "state", "says"),
    [
        (12040, "13.2", None, "wrong", "knows CUDA 12.4, torch was built for 13.2"),
        (13000, "", None, "wrong", "built without CUDA"),
        (13000, "13.2", "-1", "note", "hides every GPU"),
    ],
)
def test_what_keeps_torch_from_the_gpus_is_said(
    driver: int, built: str, hidden: str | None, state: str, says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    last = machine.gpu_findings(Library(driver), built)[-1]
    assert last.state == state
    assert says in last.got
    assert last.mend


def test_without_a_gpu_everything_runs_on_the_processor() -> None:
    (only,) = machine.gpu_findings(None, "13.2")
    assert (only.state, only.values) == ("ok", {"gpus": 0})


def test_what_torch_was_built_for_is_known_without_loading_it() -> None:
    import torch

    assert machine.torch_cuda() == (torch.version.cuda or "")
