"""Owns the check-up: every finding in order, as a table that lines up or as JSON.

A look that fails becomes a finding itself: the doctor answers on broken machines, that is its use.
To look at more, add a row to LOOKS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from brainlens import __version__
from brainlens.doctor.findings import Finding
from brainlens.doctor.machine import machine_findings
from brainlens.doctor.packages import package_findings
from brainlens.doctor.stores import box_findings, place_findings, weights_findings

LOOKS: dict[str, Callable[[], list[Finding]]] = {
    "packages": package_findings,
    "machine": machine_findings,
    "weights": weights_findings,
    "models in the box": box_findings,
    "places": place_findings,
}


def look() -> list[Finding]:
    """Every finding; a look that fails is one too."""
    found: list[Finding] = []
    for part, see in LOOKS.items():
        try:
            found += see()
        except Exception as error:  # the machine may be broken anywhere
            got = f"could not be looked at: {type(error).__name__}: {error}"
            found.append(Finding(part, part, "wrong", " ".join(got.split())))
    return found


def table(found: Sequence[Finding]) -> str:
    """The findings under their headings, and below them what mends what."""
    widest = max(len(one.name) for one in found)
    lines: list[str] = []
    for part in dict.fromkeys(one.part for one in found):
        lines += ["", part] if lines else [part]
        own = [one for one in found if one.part == part]
        lines += [f"  {one.state:<7}  {one.name:<{widest}}  {one.got}" for one in own]
    mends = [one for one in found if one.mend]
    if mends:
        lines += ["", "what mends it"]
        lines += [f"  {one.state:<7}  {one.name:<{widest}}  {one.mend}" for one in mends]
    return "\n".join([*lines, "", verdict(found)])


def verdict(found: Sequence[Finding]) -> str:
    """The one sentence."""
    wrong = [one.name for one in found if one.state == "wrong"]
    absent = [one for one in found if one.state == "missing"]
    if wrong:
        return f"{len(wrong)} to be mended: {', '.join(wrong)}"
    without = f"; {len(absent)} things that only some commands need are missing" if absent else ""
    return f"nothing is wrong{without}"


def document(found: Sequence[Finding]) -> dict[str, Any]:
    """The findings for a program."""
    return {
        "kind": "doctor",
        "brainlens": __version__,
        "verdict": verdict(found),
        "findings": [asdict(one) for one in found],
    }
