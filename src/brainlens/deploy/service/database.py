"""Owns the way to a database: SQLite in the server's folder, or PostgreSQL by its URL.

Leaves: an engine whose tables are up to date, whose commits are on the disk when they return.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from brainlens.core.errors import UserError

MIGRATIONS = Path(__file__).parent / "migrations"
REVISION = "first"  # the last of the migrations; a test compares
_DRIVERS = {"postgres": "postgresql+pg8000", "postgresql": "postgresql+pg8000"}


def open_database(url: str, folder: Path) -> sa.Engine:
    """The engine of a URL, or of `folder/readings.sqlite`; raises UserError out of reach."""
    if not url:
        folder.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{folder / 'readings.sqlite'}"
    engine = _engine(url)
    try:
        if not _is_current(engine):
            _upgrade(engine)
    except sa.exc.SQLAlchemyError as error:
        where = engine.url.render_as_string(hide_password=True)
        line = " ".join(str(getattr(error, "orig", None) or error).split())[:160]
        raise UserError(
            f"{where}: cannot be used as a database ({line}). Check --database, and that the "
            "server runs"
        ) from None
    return engine


def _engine(url: str) -> sa.Engine:
    scheme, colon, rest = url.partition(":")
    try:
        parsed = sa.make_url(_DRIVERS.get(scheme, scheme) + colon + rest)
        if parsed.get_backend_name() == "sqlite":
            engine = sa.create_engine(parsed, connect_args={"timeout": 30})
            event.listen(engine, "connect", _durable)
            event.listen(engine, "begin", _begin)
            return engine
        if parsed.get_backend_name() != "postgresql":
            raise ValueError(parsed.get_backend_name())
        return sa.create_engine(parsed, pool_pre_ping=True)
    except (sa.exc.ArgumentError, ValueError, ImportError) as error:
        raise UserError(
            f"--database {scheme}:...: is no database that is known here ({error}); expected "
            "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        ) from None


def _durable(connection: Any, _: object) -> None:
    """A commit is acknowledged when it is on the disk; readers do not wait for a writer."""
    connection.isolation_level = None  # begin is ours
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    """Writers take the lock at once, so that no two read the same head of the log."""
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _is_current(engine: sa.Engine) -> bool:
    """Whether the tables are those of the last migration: then Alembic need not be loaded."""
    if not sa.inspect(engine).has_table("alembic_version"):
        return False
    with engine.connect().execution_options(reading=True) as connection:
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
        return found.scalars().all() == [REVISION]


def _upgrade(engine: sa.Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
