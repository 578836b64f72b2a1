"""Owns the tables of the history and of the audit log, as SQLAlchemy sees them.

`migrations/` makes them; a change here needs a migration there, and a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text

METADATA = MetaData()
GENESIS = "0" * 64  # what the first entry has before it

READINGS = Table(
    "readings",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("entry", Integer, nullable=False, unique=True),  # its own in the audit log
    Column("at", String(32), nullable=False),
    Column("reader", String(120), nullable=False),
    Column("name", String(400), nullable=False),
    Column("slices", Integer, nullable=False),
    Column("studies", Integer, nullable=False),
    Column("predicted", String(120), nullable=False),
    Column("confidence", Float),
    Column("suspicion", Float),
    Column("model", String(64), nullable=False),
    Column("input", String(64), nullable=False),
    Column("document", Text, nullable=False),  # JSON, as it was sent
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("reading", String(32), nullable=False, index=True),
    Column("slice", Integer),  # None: the whole reading
    Column("verdict", String(20), nullable=False),  # agree, other, note
    Column("label", String(120), nullable=False),
    Column("note", Text, nullable=False),
    Column("reader", String(120), nullable=False),
    Column("at", String(32), nullable=False),
)

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3 ... without a gap
    Column("at", String(32), nullable=False),
    Column("who", String(200), nullable=False),
    Column("action", String(20), nullable=False),  # reading, feedback
    Column("subject", String(32), nullable=False),  # the reading
    Column("input", String(64), nullable=False),
    Column("model", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("content", String(64), nullable=False),  # digest of the row it tells of
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)

AUDIT_HEAD = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("seq", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
)
