"""Owns what is installed: each package against what brainlens asks for and against the pins.

Enters: the metadata of installed packages, and `constraints.txt` of a source checkout. Leaves:
findings. Nothing is imported, so that a broken package is told of and not stumbled over.
"""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from brainlens import __version__
from brainlens.doctor.findings import Finding, pip

CHECKOUT = Path(__file__).resolve().parents[3]
# Extras: what needs them.
EXTRAS = {
    "serve": "brainlens serve",
    "ray": "brainlens study --ray",
    "fid": "brainlens synth score, style score",
    "docs": "make docs",
}


def package_findings(pins: Path = CHECKOUT / "constraints.txt") -> list[Finding]:
    """A finding for each package asked for, for each extra, and for each mismatch among them."""
    found = [
        Finding("packages", "python", "ok", platform.python_version()),
        Finding("packages", "brainlens", "ok", f"{__version__}, {Path(__file__).parents[1]}"),
    ]
    try:
        asked = _asked("brainlens", set(EXTRAS))
    except metadata.PackageNotFoundError:
        got = "is not installed (found beside this file): its packages cannot be checked"
        return [*found, Finding("packages", "requirements", "note", got, _whole(""))]
    exact = pinned(pins)
    found += [_needed(one, exact) for one, extra in asked if not extra]
    found += [_extra(name, [one for one, of in asked if of == name]) for name in EXTRAS]
    return found + _mismatches([one.name for one, _ in asked])


def pinned(file: Path) -> dict[str, str]:
    """The versions by name that a file of `name==version` lines names; none without a file."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("==") for line in lines if line.count("==") == 1)
    return {canonicalize_name(name.strip()): version.strip() for name, version in pairs}


def _asked(name: str, extras: set[str]) -> list[tuple[Requirement, str]]:
    """What a package asks for here, each with the extra that wants it ("": always)."""
    asked = []
    for line in metadata.requires(name) or []:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            continue
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            asked.append((one, ""))
        else:
            own = [extra for extra in sorted(extras) if one.marker.evaluate({"extra": extra})]
            asked += [(one, extra) for extra in own]
    return asked


def _version(name: str) -> str:
    """The installed version; "" where there is none."""
    try:
        return metadata.version(name) or ""
    except metadata.PackageNotFoundError:
        return ""


def _needed(one: Requirement, exact: dict[str, str]) -> Finding:
    """How a package without which nothing works stands."""
    version, wanted = _version(one.name), exact.get(canonicalize_name(one.name), "")
    told = pip(f"'{one.name}=={wanted}'" if wanted else f"'{one.name}{one.specifier}'")
    values = {"version": version, "asked": str(one.specifier), "pinned": wanted}
    if not version:
        return Finding("packages", one.name, "wrong", "is not installed", told, values)
    if not one.specifier.contains(version, prereleases=True):
        got = f"{version}, asked for {one.specifier}"
        return Finding("packages", one.name, "wrong", got, told, values)
    if wanted and version != wanted:
        got = f"{version}, tested with {wanted}"
        return Finding("packages", one.name, "note", got, told, values)
    got = f"{version}, as pinned" if wanted else version
    return Finding("packages", one.name, "ok", got, values=values)


def _extra(name: str, asked: list[Requirement]) -> Finding:
    """How an extra stands: all of it, or what is missing of it."""
    absent = [
        one.name
        for one in asked
        if not (got := _version(one.name)) or not one.specifier.contains(got, prereleases=True)
    ]
    if not asked or absent:
        got = f"without {', '.join(absent)}" if absent else "unknown to this installation"
        return Finding("extras", name, "missing", f"{EXTRAS[name]}: {got}", _whole(f"[{name}]"))
    held = ", ".join(f"{one.name} {_version(one.name)}" for one in asked)
    return Finding("extras", name, "ok", f"{EXTRAS[name]}: {held}")


def _whole(extra: str) -> str:
    """How brainlens itself is installed here: from the checkout if this is one."""
    if (CHECKOUT / "constraints.txt").is_file():
        return pip(f"-c {CHECKOUT / 'constraints.txt'} -e '{CHECKOUT}{extra}'")
    return pip(f"'brainlens{extra}'")


def _mismatches(names: list[str]) -> list[Finding]:
    """Installed packages, however deep, that ask for other versions than are here."""
    found, waiting, seen = [], list(names), set[str]()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen or not _version(name):
            continue
        seen.add(name)
        for one, _ in _asked(name, set()):
            version = _version(one.name)
            waiting.append(one.name)
            if version and not one.specifier.contains(version, prereleases=True):
                got = f"wants {one.name}{one.specifier}, got {version}"
                told = pip(f"'{one.name}{one.specifier}' {name}")
                found.append(Finding("packages", name, "wrong", got, told))
    return found
