"""Owns the spreading of a study over processes and machines with Ray (the extra `ray`).

Enters: units of work. Leaves: each with its outcomes, in the order they finish. A worker that dies
is replaced and its unit done again; heads' features travel once a machine.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from brainlens.classify.jobs import Material
from brainlens.core.errors import ConfigError
from brainlens.study.bench import Outcome, Unit, run_unit

RETRIES = 3
# Of a cluster begun here. Ray's own: workers step back behind everything else on the machine (nice
# 15), and the node dies where its agents need more than half a minute to start. On a busy machine
# the first starves a study and the second ends it.
LOCAL = {
    "worker_niceness": 0, "agent_register_timeout_ms": 300_000,
    "worker_register_timeout_seconds": 300,
}  # fmt: skip
Done = tuple[Unit, list[Outcome] | Exception]


def spread(
    units: Sequence[Unit], materials: Mapping[str, Material], classes: int, address: str
) -> Iterator[Done]:
    """Do the units on a cluster: `local` starts one here, `auto` finds one, else its address."""
    ray, ours = connect(address)
    try:
        shared = ray.put(dict(materials))
        remote = ray.remote(_work)
        gpu = bool(units) and not units[0].jobs and units[0].trials[0].config.device != "cpu"
        options = {
            "num_cpus": 1,
            "num_gpus": int(gpu and ray.cluster_resources().get("GPU", 0) > 0),
        }
        options |= {"max_retries": RETRIES}
        waiting = {remote.options(**options).remote(unit, shared, classes): unit for unit in units}
        while waiting:
            (first, *_), _ = ray.wait(list(waiting))
            unit = waiting.pop(first)
            try:
                yield unit, ray.get(first)
            except Exception as error:  # Ray wraps whatever a task raises
                yield unit, getattr(error, "cause", None) or error
    finally:
        if ours:
            ray.shutdown()


def _work(unit: Unit, materials: Mapping[str, Material], classes: int) -> list[Outcome]:
    """A unit, on the worker."""
    import torch

    torch.set_num_threads(1)
    return run_unit(unit, materials, classes)


def connect(address: str, *, workers: int | None = None) -> tuple[Any, bool]:
    """Ray, and whether the connection is ours; raises ConfigError where no cluster answers.

    `workers` is how many a `local` cluster has: as many as processors where it is not told.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "--ray: Ray is not installed. Leave --ray out, or: pip install 'brainlens[ray]'"
        ) from None
    if ray.is_initialized():
        return ray, False
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        options |= {"address": "local", "num_cpus": workers or os.cpu_count()}
        options |= {"include_dashboard": False, "_system_config": LOCAL}
    else:
        options["address"] = address
    try:
        _knock(address)
        ray.init(**options)
    except Exception as error:  # a plain Exception where its node is not up within half a minute
        ray.shutdown()
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if address == "local":
            raise ConfigError(
                f"--ray local: Ray did not start here ({reason}). Try again when the machine is "
                "less busy, or leave --ray out"
            ) from None
        raise ConfigError(
            f"--ray {address}: no cluster answers ({reason}). Start one with ray start --head, or "
            "give --ray local"
        ) from None
    return ray, True


def _knock(address: str) -> None:
    """Raise OSError where nothing listens at HOST:PORT; Ray alone would ask for twenty minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
