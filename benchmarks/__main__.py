"""Runs every benchmark and prints one table: `python -m benchmarks [--quick] [NAME...]`.

Each answers rows of (what, ours, baseline, ratio); the JSON is kept in docs/results/bench. Quick
runs prove only that they run: their figures are not written.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from brainlens.core.errors import UserError, nearest
from brainlens.core.places import shared_folder
from brainlens.core.provenance import now, versions
from brainlens.report.columns import aligned

# Each is a function of a module here: whether to be quick in, rows out.
BENCHMARKS = {
    "startup": "startup.measure",
    "training": "training.measure",
    "seed-a": "seed_a.measure",
    "audit-recall": "audit_recall.measure",
    "audit-quality": "audit_quality.measure_rows",
    "audit-speed": "audit_speed.measure",
    "audit-scale": "audit_scale.measure",
    "study": "study.measure",
    "upscale-speed": "upscale.measure_speed",
    "upscale-tiles": "upscale.measure_tiles",
    "upscale-memory": "upscale.measure_memory",
    "upscale-whole": "upscale.measure_whole",
    "style": "style.measure",
    "synth": "synth.measure",
    "backbones": "backbones.measure",
    "predicting": "predicting.measure",
    "serve": "serve.measure",
    "serve-soak": "serve.measure_soak",
}
WHOLE = 30  # minutes that all of them may take
RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "bench"


def main() -> None:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="only prove that they run")
    options = parser.parse_args()
    if strange := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {strange[0]!r}: {nearest(strange[0], BENCHMARKS)}")
    try:
        shared_folder()  # each asks for itself; what is named wrongly is said before all
    except UserError as error:
        sys.exit(str(error))
    if len(options.names) == 1:
        run(options.names[0], options.quick)
    else:
        run_each(options.names, options.quick)


def run_each(names: list[str], quick: bool) -> None:
    """Each in a process of its own: memory is its own, and one that breaks down stops no other."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks", *(["--quick"] if quick else [])]
    broken = [name for name in names or BENCHMARKS if subprocess.run([*command, name]).returncode]
    whole = time.perf_counter() - start
    print(f"\n{whole / 60:.1f} minutes in all")
    if broken:
        sys.exit(f"broke down: {', '.join(broken)}")
    if not names and not quick:
        what = "every benchmark, one after the other"
        row = {"what": what, "ours": whole / 60, "unit": "min", "wanted": f"< {WHOLE}"}
        keep("whole", [row], whole, "make bench")


def run(name: str, quick: bool) -> None:
    """Run one in this process, print its table, keep it."""
    module, _, function = BENCHMARKS[name].partition(".")
    measure = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    start = time.perf_counter()
    # The commands that are timed have bytecode at hand, as where pip installed the package.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["BRAINLENS_CACHE"] = cache
        rows = measure(quick)
    seconds = time.perf_counter() - start
    print(f"\n{name}, {seconds:.0f} s")
    head = ["what", "ours", "baseline", "unit", "ratio", "wanted"]
    print(aligned([head, *([_text(row.get(key)) for key in head] for row in rows)]), flush=True)
    if not quick:
        keep(name, rows, seconds)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value or "")


def keep(name: str, rows: list[dict[str, Any]], seconds: float, command: str = "") -> None:
    """Write the rows with the machine they were measured on and the seconds the benchmark took."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    facts = {
        "command": command or f"python -m benchmarks {name}",
        "machine": machine(),
        "versions": versions(),
        "measured": now(),
        "seconds": round(seconds, 1),
        "rows": rows,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
