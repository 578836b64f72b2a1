"""What a release is made of is listed, and its wheel works away from the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from brainlens.doctor.packages import pinned
from tools import release_lists

ROOT = Path(__file__).resolve().parents[1]
RELEASE = ROOT / "docs" / "release"
PINS = pinned(ROOT / "constraints.txt")
LISTED = dict(re.findall(r"^\| (\S+) \| (\S+) \| ", (RELEASE / "licences.md").read_text(), re.M))
del LISTED["package"]  # the head of the table
SBOM = json.loads((RELEASE / "sbom.json").read_text("utf-8"))
AGAIN = "run python -m tools.release_lists"


def test_every_package_asked_for_stands_in_the_lists_at_its_pin() -> None:
    soup = (RELEASE / "soup.md").read_text("utf-8")
    names = [canonicalize_name(name) for name in release_lists.asked()]
    assert set(release_lists.PURPOSES) == set(names)
    for name in names:
        assert LISTED[name] == PINS[name], AGAIN
        assert re.search(rf"^\| {name} \| {re.escape(PINS[name])} \| ", soup, re.M | re.I), AGAIN


def test_what_they_bring_along_is_listed_at_its_pin() -> None:
    assert {name: version for name, version in LISTED.items() if PINS.get(name) != version} == {}
    held = {one["name"]: one["version"] for one in SBOM["components"]}
    assert held == LISTED, AGAIN


def test_no_licence_forbids_passing_brainlens_on_under_mit() -> None:
    text = (RELEASE / "licences.md").read_text("utf-8")
    stated = re.findall(r"^\| \S+ \| [\d.]\S* \| (.*) \|$", text, re.M)
    assert len(stated) == len(SBOM["components"])
    assert not [line for line in stated if re.search(r"(?<!L)GPL|non-?commercial", line, re.I)]


def test_the_bill_of_materials_is_whole_and_names_no_address() -> None:
    text = json.dumps(SBOM)
    assert "://" not in text
    refs = {one["bom-ref"] for one in SBOM["components"]}
    root = SBOM["metadata"]["component"]["bom-ref"]
    for one in SBOM["dependencies"]:
        assert one["ref"] in refs | {root}
        assert set(one["dependsOn"]) <= refs
    reached, waiting = set(), [root]
    needs = {one["ref"]: one["dependsOn"] for one in SBOM["dependencies"]}
    while waiting:
        ref = waiting.pop()
        waiting += [one for one in needs[ref] if one not in reached]
        reached.update(needs[ref])
    assert reached == refs


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network from a copy of the sources."""
    pytest.importorskip("setuptools.build_meta", reason="needs setuptools to build without a net")
    place = tmp_path_factory.mktemp("wheel")
    build = (
        "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1], "
        "{'--build-option': []})"
    )
    code = f"import os, shutil; shutil.copytree({str(ROOT / 'src')!r}, 'src'); {build}"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (place / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(place)],
        cwd=place, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (made,) = place.glob("*.whl")
    return made


@pytest.mark.slow
def test_the_wheel_holds_what_it_needs_and_no_more(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    source = ROOT / "src" / "brainlens"
    asked = {
        f"brainlens/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == asked
    size = wheel.stat().st_size / 1e6
    assert size < 25
    stated = re.search(r"wheel is ([\d.]+) MB", (RELEASE / "README.md").read_text("utf-8"))
    assert stated is not None
    assert float(stated[1]) == pytest.approx(size, abs=0.6)


@pytest.mark.slow
def test_the_wheel_demonstrates_itself_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {key: value for key, value in os.environ.items() if key != "BRAINLENS_SHARED"}
    environment |= {"PYTHONPATH": str(site), "BRAINLENS_CACHE": str(tmp_path / "cache")}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "brainlens.cli", *words],
            cwd=tmp_path, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = {one["name"]: one for one in json.loads(run("doctor", "--json"))["findings"]}
    assert str(site) in told["brainlens"]["got"]
    assert told["default.onnx"]["state"] == "ok"
    assert "Open the report" in run("demo", "-o", "out", "--epochs", "2")
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
