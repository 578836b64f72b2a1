"""Owns what this machine can do: processor, instruction sets, memory, GPUs; without torch.

Enters: /proc/cpuinfo and NVIDIA's management library, where there are any. Loading torch to ask it
would take seconds; what it was built for stands in its version file.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainlens.core.processors import cores
from brainlens.doctor.findings import Finding, State, pip, size

# What a set of instructions brings; the flags that show it in /proc/cpuinfo (x86, then ARM).
SETS = {
    "AVX2": ("fast fp32", {"avx2", "asimd"}),
    "AVX-512": ("faster fp32", {"avx512f", "sve"}),
    "VNNI": ("fast int8 exports", {"avx512_vnni", "avx_vnni", "asimddp"}),
    "bf16": ("training in bf16", {"avx512_bf16", "amx_bf16", "bf16"}),
}
_NVML = {"linux": "libnvidia-ml.so.1", "win32": "nvml.dll"}


@dataclass(frozen=True)
class Gpu:
    """One GPU as NVIDIA's library describes it."""

    name: str
    memory: int  # bytes
    capability: tuple[int, int]  # 8.0 and later multiply bf16


def machine_findings(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[Finding]:
    """The processor, its instruction sets, the memory, the GPUs."""
    name, flags = processor(cpuinfo)
    many = cores()
    told = f"{name}, {many} core{'s'[: many > 1]}"
    found = [
        Finding("machine", "processor", "ok", told, values={"cores": many}),
        _instructions(flags),
    ]
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        found.append(Finding("machine", "memory", "ok", size(memory), values={"bytes": memory}))
    return [*found, *gpu_findings(management_library(), torch_cuda())]


def processor(cpuinfo: Path) -> tuple[str, set[str]]:
    """The processor's name and the flags it shows; no flags where the system shows none."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return name, flags
    for line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "model name":
            name = value
        if key in ("flags", "Features"):
            return name, set(value.split())
    return name, flags


def _instructions(flags: set[str]) -> Finding:
    if not flags:
        return Finding("machine", "instruction sets", "note", "this system does not show them")
    held = {name: bool(shown & flags) for name, (_, shown) in SETS.items()}
    told = [f"{name} ({SETS[name][0]}): {'yes' if has else 'no'}" for name, has in held.items()]
    state: State = "ok" if held["AVX2"] else "note"
    return Finding("machine", "instruction sets", state, ", ".join(told), values=held)


def management_library() -> Any:
    """NVIDIA's management library, started; None where there is no driver."""
    try:
        library = ctypes.CDLL(_NVML.get(sys.platform, "libnvidia-ml.so.1"))
        return library if library.nvmlInit_v2() == 0 else None
    except (OSError, AttributeError):
        return None


def torch_cuda() -> str:
    """The CUDA version torch was built for, as `13.2`; "" for none, or without torch."""
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        return ""
    held: dict[str, Any] = {}
    try:
        text = (Path(spec.submodule_search_locations[0]) / "version.py").read_text("utf-8")
        exec(compile(text, "version.py", "exec"), held)
    except Exception:  # a broken torch is a finding of its own among the packages
        return ""
    return held.get("cuda") or ""


def gpu_findings(library: Any, built_for: str) -> list[Finding]:
    """The GPUs, and what keeps torch from them."""
    found = gpus(library) if library is not None else []
    if not found:
        got = "none: everything runs on the processor" if library is None else "driver without GPU"
        return [Finding("machine", "CUDA", "ok", got, values={"gpus": 0})]
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    rows = [_gpu(number, gpu) for number, gpu in enumerate(found)]
    driver = _cuda_of_driver(library)
    if not built_for:
        told = pip("--force-reinstall torch torchvision")
        rows.append(Finding("machine", "CUDA", "wrong", "torch was built without CUDA", told))
    elif driver[0] < int(built_for.split(".")[0]):
        got = f"the driver knows CUDA {driver[0]}.{driver[1]}, torch was built for {built_for}"
        rows.append(Finding("machine", "CUDA", "wrong", got, "update NVIDIA's driver"))
    elif hidden is not None and hidden.strip() in ("", "-1"):
        got = f"CUDA_VISIBLE_DEVICES={hidden} hides every GPU"
        rows.append(Finding("machine", "CUDA", "note", got, "unset CUDA_VISIBLE_DEVICES"))
    else:
        got = f"{built_for} of torch, {driver[0]}.{driver[1]} of the driver"
        rows.append(Finding("machine", "CUDA", "ok", got, values={"gpus": len(found)}))
    return rows


def _gpu(number: int, gpu: Gpu) -> Finding:
    bf16 = gpu.capability >= (8, 0)
    got = f"{gpu.name}, {size(gpu.memory)}, bf16: {'yes' if bf16 else 'no'}"
    values = {"bytes": gpu.memory, "bf16": bf16, "capability": list(gpu.capability)}
    return Finding("machine", f"GPU {number}", "ok", got, values=values)


def gpus(library: Any) -> list[Gpu]:
    """Every GPU that the library lists and answers for."""
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return []
    return [gpu for number in range(count.value) if (gpu := _asked(library, number))]


def _asked(library: Any, number: int) -> Gpu | None:
    handle, name = ctypes.c_void_p(), ctypes.create_string_buffer(96)
    memory, major, minor = (ctypes.c_ulonglong * 3)(), ctypes.c_int(), ctypes.c_int()
    if library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(number), ctypes.byref(handle)):
        return None
    library.nvmlDeviceGetName(handle, name, ctypes.c_uint(96))
    library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
    library.nvmlDeviceGetCudaComputeCapability(handle, ctypes.byref(major), ctypes.byref(minor))
    return Gpu(name.value.decode("utf-8", "replace"), memory[0], (major.value, minor.value))


def _cuda_of_driver(library: Any) -> tuple[int, int]:
    version = ctypes.c_int()
    library.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(version))
    return version.value // 1000, version.value % 1000 // 10
