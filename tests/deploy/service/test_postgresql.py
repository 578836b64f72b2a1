"""History and audit log in a real PostgreSQL, started by this test and thrown away after it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from brainlens.deploy.service.auditlog import faults
from brainlens.deploy.service.database import open_database
from brainlens.deploy.service.history import History
from tests.deploy.service.conftest import free_port
from tests.deploy.service.test_auditlog import document

pytestmark = pytest.mark.slow


def as_user(folder: Path, *command: str) -> None:
    """PostgreSQL refuses to run as root: then it runs as `postgres` or `nobody`."""
    if os.getuid() == 0:
        names = [line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()]
        user = "postgres" if "postgres" in names else "nobody"
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv, since PostgreSQL does not run as root")
        shutil.chown(folder, user)
        command = ("setpriv", f"--reuid={user}", "--clear-groups", *command)
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of its own on the loopback."""
    for tool in ("initdb", "pg_ctl"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs PostgreSQL: no {tool} on PATH (apt-get install postgresql)")
    import tempfile

    with tempfile.TemporaryDirectory(prefix="pg") as name:  # a short path, open to the other user
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir()
        as_user(data, "initdb", "-D", str(data), "-U", "brainlens", "--auth=trust", "-N")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {data} -c fsync=off"
        as_user(
            data, "pg_ctl", "-D", str(data), "-l", str(data / "log"), "-w", "-o", options, "start"
        )
        try:
            yield f"postgresql://brainlens@127.0.0.1:{port}/postgres"
        finally:
            as_user(data, "pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")


def test_two_servers_write_one_chain(url: str, tmp_path: Path) -> None:
    histories = [History(open_database(url, tmp_path)) for _ in range(2)]
    written = [
        histories[n % 2].keep(document(f"r{n}", reader="Dr. Wu"), "A @ x") for n in range(20)
    ]
    assert sorted(one.result(60) for one in written) == list(range(1, 21))
    said = {"slice": 0, "verdict": "other", "label": "none", "note": "腦", "reader": "B"}
    assert histories[0].comment(document("r3"), said, "B @ x").result(60) == 21
    first = histories[0]
    assert [row["id"] for row in first.listed("dr. w", 0, 200)][-1] == next(
        f"r{n}" for n, one in enumerate(written) if one.result() == 1
    )
    assert first.listed("%", 0, 10) == []
    found = first.reading("r3")
    assert found is not None
    assert found["feedback"][0]["note"] == "腦"
    assert first.feedback()[0]["label"] == "none"
    with first.engine.connect() as connection:
        assert list(faults(connection, b"")) == []
    for statement in ("UPDATE audit_log SET who='x'", "DELETE FROM audit_log"):
        with pytest.raises(sa.exc.DatabaseError, match="append-only"), first.engine.begin() as one:
            one.exec_driver_sql(statement)
    with first.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_log_fixed ON audit_log")
        connection.exec_driver_sql("DELETE FROM audit_log WHERE seq=21")
    with first.engine.connect() as connection:
        assert any("the end is cut" in fault for fault in faults(connection, b""))
    for history in histories:
        history.close()
