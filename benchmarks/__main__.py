"""Runs every benchmark and prints one table: `python -m benchmarks [--quick] [NAME...]`.

Each answers rows of (what, ours, baseline, ratio); the JSON is kept in docs/results/bench. Quick
runs prove only that they run: their figures are not written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    audit_quality,
    audit_recall,
    audit_scale,
    audit_speed,
    backbones,
    predicting,
    seed_a,
    serve,
    startup,
    study,
    style,
    synth,
    training,
    upscale,
)
from benchmarks.machine import machine
from brainlens.core.provenance import now, versions
from brainlens.report.tables import aligned

BENCHMARKS: dict[str, Callable[[bool], list[dict[str, Any]]]] = {
    "startup": startup.measure,
    "training": training.measure,
    "seed-a": seed_a.measure,
    "audit-recall": audit_recall.measure,
    "audit-quality": audit_quality.measure_rows,
    "audit-speed": audit_speed.measure,
    "audit-scale": audit_scale.measure,
    "study": study.measure,
    "upscale-speed": upscale.measure_speed,
    "upscale-tiles": upscale.measure_tiles,
    "upscale-memory": upscale.measure_memory,
    "upscale-whole": upscale.measure_whole,
    "style": style.measure,
    "synth": synth.measure,
    "backbones": backbones.measure,
    "predicting": predicting.measure,
    "serve": serve.measure,
    "serve-soak": serve.measure_soak,
}
WHOLE = 30  # minutes that all of them may take
RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "bench"


def main() -> None:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="only prove that they run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["BRAINLENS_CACHE"] = cache
        begin = time.perf_counter()
        broken = [name for name in options.names or BENCHMARKS if not run(name, options.quick)]
        whole = time.perf_counter() - begin
    print(f"\n{whole / 60:.1f} minutes in all")
    if broken:
        sys.exit(f"broke down: {', '.join(broken)}")
    if not options.names and not options.quick:
        what = "every benchmark, one after the other"
        row = {"what": what, "ours": whole / 60, "unit": "min", "wanted": f"< {WHOLE}"}
        keep("whole", [row], whole, "make bench")


def run(name: str, quick: bool) -> bool:
    """Run one, print its table, keep it; False where it breaks down, which the others need not."""
    start = time.perf_counter()
    try:
        rows = BENCHMARKS[name](quick)
    except Exception:
        traceback.print_exc()
        return False
    seconds = time.perf_counter() - start
    print(f"\n{name}, {seconds:.0f} s")
    head = ["what", "ours", "baseline", "unit", "ratio", "wanted"]
    print(aligned([head, *([_text(row.get(key)) for key in head] for row in rows)]), flush=True)
    if not quick:
        keep(name, rows, seconds)
    return True


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
