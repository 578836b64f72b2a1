"""Writes what a release is made of: licences, SOUP list, SBOM, from what is installed.

    python -m tools.release_lists

docs/release/licences.md has every package that `pip install brainlens[serve]` brings, however deep,
docs/release/soup.md those asked for by name, with what they are for and what checks them, and
docs/release/sbom.json the same closure as CycloneDX 1.6 (names, versions, licences, dependencies;
no addresses, no time, so that the same versions give the same bytes).
"""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from brainlens import __version__
from brainlens.core.files import write_atomic

RELEASE = Path(__file__).resolve().parents[1] / "docs" / "release"
EXTRAS = ("serve",)  # what a hospital installs; ray, fid, docs and dev are left out

# What each package asked for by name is for, and what would notice if it went wrong.
PURPOSES = {
    "click": ("the command line", "tests/test_cli.py"),
    "highdicom": (
        "DICOM Structured Reports",
        "a report is read back in tests/deploy/test_answering.py",
    ),
    "imagecodecs": ("lossless and 12-bit JPEG inside DICOM", "tests/core/test_slices.py"),
    "jinja2": ("the report's templates", "tests/report"),
    "lightning": ("training loops: precision, checkpoints, resume, devices", "tests/classify"),
    "matplotlib": ("the report's drawings", "tests/report/test_plots.py"),
    "nibabel": ("NIfTI volumes", "tests/core, real volumes"),
    "numpy": ("arrays everywhere", "oracles in scikit-learn, scikit-image, statsmodels"),
    "onnx": ("writing exports", "export compares its logits with the run's before it writes"),
    "onnxruntime": ("answering: predict and serve", "parity with torch at every export"),
    "onnxscript": ("torch's exporter needs it", "parity with torch at every export"),
    "opencv-python-headless": (
        "shrinking, counting and parting pictures in the audit; decoding grey JPEGs there",
        "tests/core/test_images.py holds it against Pillow; tests/data/test_quality.py",
    ),
    "openvino": ("ESRGAN exports at work", "parity in tests/deploy/test_upscaler.py"),
    "packaging": ("the doctor compares versions", "tests/doctor"),
    "pillow": ("decoding images", "damaged and mutated files in tests/core, tests/data"),
    "pydicom": ("reading DICOM", "real files of many transfer syntaxes"),
    "pydoe": ("orthogonal arrays", "tests/study/test_arrays.py counts every pair of columns"),
    "pyjpegls": ("JPEG-LS inside DICOM", "real files where the shared scans are"),
    "safetensors": ("weights without code in them", "digests; load refuses strange shapes"),
    "scikit-learn": ("the context of a dense head", "tests/classify"),
    "scipy": ("exact tests, filters", "tests/metrics"),
    "spandrel": ("ESRGAN checkpoints of every dialect", "tests/generative; code in files refused"),
    "tensorboard": ("logs of a training", "not used for answers"),
    "threadpoolctl": ("one thread where many processes work", "not used for answers"),
    "timm": ("backbones and their weights", "tests over the table of backbones"),
    "torch": ("training, and answering from a run", "parity with ONNX Runtime at every export"),
    "torchvision": ("timm asks for it; not imported by brainlens", "not used for answers"),
    "tqdm": ("progress bars", "not used for answers"),
    "alembic": ("migrations of the database", "tests/deploy/service"),
    "fastapi": ("the web app's API", "schemathesis over its own description"),
    "pg8000": ("PostgreSQL", "a real PostgreSQL in the tests"),
    "prometheus-client": ("/metrics", "tests/deploy/service"),
    "python-multipart": ("uploads", "limits, broken uploads in tests/deploy/service"),
    "sqlalchemy": ("the database", "kill -9 and audit log tests"),
    "uvicorn": ("the web server", "a real server process in the tests"),
}


class Package(NamedTuple):
    """One installed package of the closure."""

    name: str
    version: str
    licence: str
    asks: tuple[str, ...]  # names of what it needs, sorted


def main() -> None:
    """Write the three files."""
    packages = closure()
    RELEASE.mkdir(parents=True, exist_ok=True)
    write_atomic(RELEASE / "licences.md", licences(packages))
    write_atomic(RELEASE / "soup.md", soup(packages))
    write_atomic(RELEASE / "sbom.json", json.dumps(sbom(packages), indent=1) + "\n")


def closure() -> list[Package]:
    """What brainlens with its extras needs, however deep, sorted by name."""
    found: dict[str, Package] = {}
    waiting = [(name, "") for name in asked()]
    done = set[tuple[str, str]]()
    while waiting:
        name, extra = waiting.pop()
        key = canonicalize_name(name)
        if (key, extra) in done:
            continue
        done.add((key, extra))
        try:
            needs = _needs(key, extra)
            version = metadata.version(key)
        except metadata.PackageNotFoundError:
            continue  # of another platform, or an extra of an extra
        waiting += needs
        known = found[key].asks if key in found else ()
        names = {canonicalize_name(one) for one, _ in needs} | set(known)
        found[key] = Package(key, version, _licence(key), tuple(sorted(names)))
    here = {key: one._replace(asks=tuple(n for n in one.asks if n in found)) for key, one in
            found.items()}  # fmt: skip
    return [here[key] for key in sorted(here)]


def asked() -> list[str]:
    """What pyproject.toml asks for by name: always, and with the extras."""
    import tomllib

    text = (RELEASE.parents[1] / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)["project"]
    lines = list(project["dependencies"])
    for extra in EXTRAS:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line).name for line in lines]


def _needs(name: str, extra: str) -> list[tuple[str, str]]:
    needs: list[tuple[str, str]] = []
    for line in metadata.requires(name) or []:
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            needs += [(one.name, part) for part in ("", *sorted(one.extras))]
    return needs


def _licence(name: str) -> str:
    """The licence as the package states it, in one line."""
    held = metadata.metadata(name)
    stated = held["License-Expression"].strip() if "License-Expression" in held else ""
    if stated:
        return stated
    classified = [
        line.rpartition(" :: ")[2]
        for line in held.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    text = held["License"].strip() if "License" in held else ""
    short = text.splitlines()[0] if text else ""
    if classified:
        return ", ".join(sorted(set(classified)))
    return short if 0 < len(short) < 60 else "not stated in its metadata"


def licences(packages: list[Package]) -> str:
    """The page of licences."""
    counts: dict[str, int] = {}
    for one in packages:
        counts[one.licence] = counts.get(one.licence, 0) + 1
    lines = [
        "# Licences of what is installed", "",
        "*Written by `python -m tools.release_lists` from the metadata of the installed packages: "
        f"the {len(packages)} that `pip install 'brainlens[{','.join(EXTRAS)}]'` brings on Linux "
        "with Python 3.11, at the versions of `constraints.txt`. brainlens itself is MIT.*", "",
        "NVIDIA's CUDA libraries are proprietary, free to use and to pass on under NVIDIA's terms; "
        "they come with torch and are not needed on a machine without a GPU. Weights, models and "
        "samples have licences of their own: [the model card](../model-card.md#data), "
        "[the painter](../style.md).", "",
        "| package | version | licence as it states it |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {one.name} | {one.version} | {one.licence} |" for one in packages]
    return "\n".join(lines) + "\n"


def soup(packages: list[Package]) -> str:
    """The SOUP list."""
    versions = {one.name: one.version for one in packages}
    lines = [
        "# SOUP: software of unknown provenance", "",
        "*Written by `python -m tools.release_lists`.* As IEC 62304 asks of a medical device's "
        "software; brainlens is none, but who builds one with it will want the list. Only what is "
        "asked for by name; what that brings along is in [licences](licences.md) and in "
        "[sbom.json](sbom.json) (CycloneDX 1.6).", "",
        "A package is replaced by pinning another version in `constraints.txt` and running every "
        "test (`make test`). Known anomalies: Lightning 2.6.2 and 2.6.3 were malicious uploads, so "
        "at least 2.6.6 is required; a CPU-only torch beside the index's torchvision does not "
        "import, so both are pinned. No list of vulnerabilities was reachable when this was "
        "written: run `pip-audit -r constraints.txt` where there is a network.", "",
        "| package | version | used for | what would notice a fault |", "|---|---|---|---|",
    ]  # fmt: skip
    for name in asked():
        purpose, check = PURPOSES[canonicalize_name(name)]
        version = versions.get(canonicalize_name(name), "not installed")
        lines.append(f"| {name} | {version} | {purpose} | {check} |")
    return "\n".join(lines) + "\n"


def sbom(packages: list[Package]) -> dict[str, Any]:
    """The closure as CycloneDX 1.6."""
    root = f"pkg:pypi/brainlens@{__version__}"
    purls = {one.name: f"pkg:pypi/{one.name}@{one.version}" for one in packages}
    direct = sorted(purls[name] for name in map(canonicalize_name, asked()) if name in purls)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _component("brainlens", __version__, "MIT", "application")},
        "components": [_component(one.name, one.version, one.licence) for one in packages],
        "dependencies": [
            {"ref": root, "dependsOn": direct},
            *({"ref": purls[one.name], "dependsOn": [purls[name] for name in one.asks]}
              for one in packages),
        ],
    }  # fmt: skip


def _component(name: str, version: str, licence: str, kind: str = "library") -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    held: dict[str, Any] = {"type": kind, "bom-ref": purl, "name": name, "version": version}
    expression = re.fullmatch(r"[\w.+-]+( (AND|OR|WITH) [\w.+-]+)*", licence)
    if licence.startswith("not stated"):
        return held | {"purl": purl}
    stated = {"expression": licence} if expression else {"license": {"name": licence}}
    return held | {"licenses": [stated], "purl": purl}


if __name__ == "__main__":
    main()
