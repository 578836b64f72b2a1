"""The audit log shows every edit, removal and other order; the history may not differ from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brainlens.cli.serve import audit_log
from brainlens.core.errors import UserError
from brainlens.deploy.service.auditlog import faults
from brainlens.deploy.service.database import REVISION, open_database
from brainlens.deploy.service.history import History
from brainlens.deploy.service.tables import METADATA

DIGEST = "ab" * 32


def document(name: str, **more: Any) -> dict[str, Any]:
    """A reading without slices."""
    pooled = {"predicted": "none", "confidence": 0.75, "suspicion": 0.25}
    return {
        "id": name, "at": "2026-11-21T10:00:00Z", "reader": "A", "name": "scan", "labels": ["none"],
        "slices": [{"name": "scan", "digest": DIGEST, "predicted": "none"}],
        "studies": [{"title": "scan", "pooled": pooled}], "digest": DIGEST,
        "model": {"name": "m.onnx", "digest": DIGEST}, **more,
    }  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """Four readings and one feedback: five entries."""
    one = History(open_database("", tmp_path))
    for name in ("a", "b", "c", "d"):
        one.keep(document(name), "A @ here").result(20)
    said = {"slice": 0, "verdict": "agree", "label": "", "note": "", "reader": "B"}
    assert one.comment(document("b"), said, "B @ here").result(20) == 5
    yield one
    one.close()


def found(history: History, key: bytes = b"", expected: str = "") -> list[str]:
    """The faults of a log."""
    with history.engine.connect() as connection:
        return list(faults(connection, key, expected))


def tamper(history: History, *statements: str) -> None:
    """Change the file behind the server's back, its triggers taken away."""
    with history.engine.begin() as connection:
        for what in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS audit_log_{what}")
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_an_untouched_log_holds(history: History) -> None:
    assert found(history) == []
    number, digest = history.head()
    assert number == 5
    assert found(history, expected=digest) == []
    assert found(history, expected="0" * 63 + "1") == ["no entry has the digest " + "0" * 63 + "1"]


TABLE_EDITS = {
    "an answer": ("UPDATE audit_log SET answer='{}' WHERE seq=2", "entry 2 was changed"),
    "a time": ("UPDATE audit_log SET at='2026-11-22T10:00:00Z' WHERE seq=1", "entry 1 was changed"),
    "the first": ("DELETE FROM audit_log WHERE seq=1", "entry 1 is missing"),
    "the middle": ("DELETE FROM audit_log WHERE seq=3", "entry 3 is missing"),
    "the tail": ("DELETE FROM audit_log WHERE seq=5", "the end is cut"),
    "all": ("DELETE FROM audit_log", "the end is cut"),
    "the head": ("UPDATE audit_head SET seq=4", "the end is cut"),
    "no head": ("DELETE FROM audit_head", "the end is cut"),
    "a document": ("UPDATE readings SET document='{}' WHERE id='c'", "reading c is not what"),
    "a line": ("UPDATE readings SET predicted='glioma' WHERE id='c'", "its line in the history"),
    "a reading": ("DELETE FROM readings WHERE id='d'", "entry 4 tells of something that is gone"),
    "feedback": ("UPDATE feedback SET verdict='other'", "feedback on reading b is not what"),
}


@pytest.mark.parametrize("name", TABLE_EDITS)
def test_an_edit_is_found(history: History, name: str) -> None:
    statement, words = TABLE_EDITS[name]
    tamper(history, statement)
    assert any(words in fault for fault in found(history)), found(history)


def test_two_entries_in_another_order_are_found(history: History) -> None:
    tamper(
        history,
        "UPDATE audit_log SET seq=99 WHERE seq=2", "UPDATE audit_log SET seq=2 WHERE seq=3",
        "UPDATE audit_log SET seq=3 WHERE seq=99",
    )  # fmt: skip
    assert any("entry 2" in fault for fault in found(history))


def test_a_cut_tail_with_a_forged_head_is_found_by_the_digest_written_down(
    history: History,
) -> None:
    _, digest = history.head()
    tamper(
        history, "DELETE FROM audit_log WHERE seq=5", "DELETE FROM feedback",
        "UPDATE audit_head SET seq=4, digest=(SELECT digest FROM audit_log WHERE seq=4)",
    )  # fmt: skip
    assert found(history) == []  # whoever holds the whole database can cut it cleanly
    assert found(history, expected=digest) == [f"no entry has the digest {digest}"]


def test_without_the_key_nobody_makes_the_chain_anew(tmp_path: Path) -> None:
    sealed = History(open_database("", tmp_path), b"a key of sixteen")
    sealed.keep(document("a"), "A").result(20)
    assert found(sealed, b"a key of sixteen") == []
    assert found(sealed) == ["entry 1 was changed, or the key is another one"]
    sealed.close()


def test_the_database_itself_refuses_to_change_the_log(history: History) -> None:
    for statement in ("UPDATE audit_log SET who='x'", "DELETE FROM audit_log"):
        with (
            pytest.raises(sa.exc.DatabaseError, match="append-only"),
            history.engine.begin() as one,
        ):
            one.exec_driver_sql(statement)


TEXT_COLUMNS = ("at", "who", "action", "subject", "input", "model", "answer", "content", "previous",
                "digest")  # fmt: skip


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(column=st.sampled_from(TEXT_COLUMNS), seq=st.integers(1, 5), place=st.integers(0, 400))
def test_any_single_letter_changed_is_found(
    history: History, column: str, seq: int, place: int
) -> None:
    with history.engine.connect() as connection:
        entry = sa.text(f"SELECT {column} FROM audit_log WHERE seq=:seq")
        text = connection.execute(entry, {"seq": seq}).scalar_one()
    at = place % len(text)
    other = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
    update = sa.text(f"UPDATE audit_log SET {column}=:text WHERE seq=:seq")
    tamper(history)
    for value in (other, text):
        with history.engine.begin() as connection:
            connection.execute(update, {"text": value, "seq": seq})
        assert bool(found(history)) == (value != text)


def test_one_faulty_writing_does_not_take_its_neighbours_along(history: History) -> None:
    good, bad = history.keep(document("e"), "A"), history.keep(document("a"), "A")
    after = history.keep(document("f"), "A")
    assert (good.result(20), after.result(20)) == (6, 7)
    with pytest.raises(sa.exc.IntegrityError):
        bad.result(20)
    assert found(history) == []


def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_database("", tmp_path)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert MigrationContext.configure(connection).get_current_revision() == REVISION
    engine.dispose()


def test_a_database_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "readings.sqlite").write_text("no database, " * 100)
    with pytest.raises(UserError, match="cannot be used as a database"):
        open_database("", tmp_path)
    with pytest.raises(UserError, match="no database that is known"):
        open_database("mysql://x", tmp_path)
    with pytest.raises(UserError, match="cannot be used") as caught:
        open_database("postgresql://me:secret@127.0.0.1:1/x", tmp_path)
    assert "secret" not in str(caught.value)


def test_the_command_says_whether_the_log_holds(history: History, tmp_path: Path) -> None:
    asked, runner = ["verify", "--folder", str(tmp_path)], CliRunner()
    done = runner.invoke(audit_log, asked)
    assert done.exit_code == 0, done.output
    assert f"5 entries, not sealed with a key; head {history.head()[1]}" in done.output
    with sqlite3.connect(tmp_path / "readings.sqlite") as connection:
        connection.execute("DROP TRIGGER audit_log_DELETE")
        connection.execute("DELETE FROM audit_log WHERE seq=5")
    connection.close()
    done = runner.invoke(audit_log, asked)
    assert "the end is cut" in done.output
    assert isinstance(done.exception, UserError)
    assert "does not hold" in str(done.exception)
