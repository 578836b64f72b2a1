"""`brainlens doctor` as a user meets it: a table that lines up, JSON, and no traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from brainlens.cli.doctor import doctor
from brainlens.core.errors import UserError
from brainlens.doctor import checkup
from brainlens.doctor.findings import Finding, size
from tests.loading import HEAVY, loaded


def test_the_table_lines_up() -> None:
    found = [
        Finding("packages", "a", "ok", "1"),
        Finding("packages", "a-long-name", "wrong", "2", "mend it so"),
        Finding("places", "bb", "missing", "3"),
    ]
    assert checkup.table(found).splitlines() == [
        "packages",
        "  ok       a            1",
        "  wrong    a-long-name  2",
        "",
        "places",
        "  missing  bb           3",
        "",
        "what mends it",
        "  wrong    a-long-name  mend it so",
        "",
        "1 to be mended: a-long-name",
    ]


def test_a_look_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("the machine\nis on fire")

    monkeypatch.setattr(checkup, "LOOKS", {"machine": broken})
    (only,) = checkup.look()
    assert only.state == "wrong"
    assert only.got == "could not be looked at: RuntimeError: the machine is on fire"
    done = CliRunner().invoke(doctor, ["--json"])
    assert isinstance(done.exception, UserError)
    assert json.loads(done.stdout)["findings"][0]["part"] == "machine"


def test_sizes_are_said_as_people_say_them() -> None:
    assert [size(count) for count in (0, 820, 12_400_000, 2e15)] == [
        "0 B", "820 B", "12.4 MB", "2000.0 TB",
    ]  # fmt: skip


def test_the_doctor_answers_without_loading_anything_heavy(tmp_path: Path) -> None:
    environment = os.environ | {"BRAINLENS_CACHE": str(tmp_path), "BRAINLENS_WEIGHTS": ""}
    modules, done = loaded(["doctor", "--json"], environment)
    assert not HEAVY & modules
    told = json.loads(done.stdout)
    assert set(checkup.LOOKS) <= {one["part"] for one in told["findings"]}
    assert "Traceback" not in done.stderr
