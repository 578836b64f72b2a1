"""What the doctor says of packages, on made-up ones that lie where Python looks for metadata."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from brainlens.doctor import packages
from brainlens.doctor.findings import Finding


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages: `install(folder, name, version, requirements)` adds one."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(folder: Path, name: str, version: str, *asked: str) -> None:
    held = folder / f"{name}-{version}.dist-info"
    held.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in asked]
    lines += [f"Provides-Extra: {name}" for name in packages.EXTRAS]
    (held / "METADATA").write_text("\n".join(lines) + "\n")


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in found if one.name != "brainlens" or "0.1" not in one.got}


def test_each_package_is_held_against_what_is_asked_and_what_is_pinned(installed: Path) -> None:
    asked = [
        "bl-good>=1",
        "bl-old>=2",
        "bl-absent>=1",
        "bl-other>=1",
        "bl-web>=1; extra == 'serve'",
    ]
    install(installed, "brainlens", "9", *asked)
    for name, version in (("bl_good", "1.5"), ("bl_old", "1.9"), ("bl_other", "1.5")):
        install(installed, name, version)
    pins = installed / "constraints.txt"
    pins.write_text("bl-good==1.5\nBL_Other==1.4\nbl-old==2.1\n# a remark\n")
    found = by_name(packages.package_findings(pins))
    assert (found["bl-good"].state, found["bl-good"].got) == ("ok", "1.5, as pinned")
    assert (found["bl-other"].state, found["bl-other"].got) == ("note", "1.5, tested with 1.4")
    assert (found["bl-old"].state, found["bl-old"].got) == ("wrong", "1.9, asked for >=2")
    assert found["bl-old"].mend.endswith("pip install 'bl-old==2.1'")
    assert found["bl-absent"].state == "wrong"
    assert found["bl-absent"].mend.endswith("pip install 'bl-absent>=1'")
    assert (found["serve"].state, found["serve"].got) == (
        "missing", "brainlens serve: without bl-web"
    )  # fmt: skip
    assert "[serve]" in found["serve"].mend


def test_packages_that_do_not_fit_each_other_are_found_however_deep(installed: Path) -> None:
    install(installed, "brainlens", "9", "bl-top>=1")
    install(installed, "bl_top", "1.0", "bl-vision>=1")
    install(installed, "bl_vision", "1.0", "bl-torch==2.15", "bl-top>=1")
    install(installed, "bl_torch", "2.14")
    found = by_name(packages.package_findings(installed / "none"))
    assert found["bl-top"].state == "ok"
    assert (found["bl-vision"].state, found["bl-vision"].got) == (
        "wrong", "wants bl-torch==2.15, got 2.14"
    )  # fmt: skip


def test_a_checkout_that_is_not_installed_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def absent(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    assert packages.package_findings(tmp_path / "none")[-1].state == "note"
