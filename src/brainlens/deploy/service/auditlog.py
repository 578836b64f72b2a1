"""Owns the audit log: who asked what of which model, when, and what it answered, in a chain.

Each entry's digest covers the entry, the digest before it and the digest of the row it tells of;
the head records how many there are. So an edit, a removal (of the tail too) or another order shows.
With a key, kept where the database's keeper has no access, nobody without it can make the chain
anew. Haber and Stornetta, "How to Time-Stamp a Digital Document", 1991.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from brainlens.deploy.service.readings import headline
from brainlens.deploy.service.tables import AUDIT_HEAD, AUDIT_LOG, FEEDBACK, GENESIS, READINGS

Entry = Mapping[str, Any]
_COVERED = (
    "seq", "at", "who", "action", "subject", "input", "model", "answer", "content", "previous",
)  # fmt: skip


def canonical(value: Any) -> str:
    """One text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_digest(value: Any) -> str:
    """The digest of a row, or of a document."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def entry_digest(entry: Entry, key: bytes) -> str:
    """The digest of an entry: an HMAC where there is a key."""
    message = canonical([entry[name] for name in _COVERED]).encode("utf-8", "surrogatepass")
    if key:
        return hmac.new(key, message, hashlib.sha256).hexdigest()
    return hashlib.sha256(message).hexdigest()


def append(connection: sa.Connection, key: bytes, told: Sequence[Entry]) -> list[int]:
    """Add entries within a transaction; answers their numbers. The head is locked until its end."""
    head = connection.execute(
        sa.select(AUDIT_HEAD.c.seq, AUDIT_HEAD.c.digest).with_for_update()
    ).one()
    seq, digest, entries = int(head.seq), head.digest, []
    for fields in told:
        seq += 1
        entry: dict[str, Any] = {**fields, "seq": seq, "previous": digest}
        entry["digest"] = digest = entry_digest(entry, key)
        entries.append(entry)
    connection.execute(sa.insert(AUDIT_LOG), entries)
    connection.execute(sa.update(AUDIT_HEAD).values(seq=seq, digest=digest))
    return [entry["seq"] for entry in entries]


def head_of(connection: sa.Connection) -> tuple[int, str]:
    """The number and the digest of the last entry."""
    head = connection.execute(sa.select(AUDIT_HEAD.c.seq, AUDIT_HEAD.c.digest)).one_or_none()
    return (head.seq, head.digest) if head else (0, GENESIS)


def faults(connection: sa.Connection, key: bytes, expected: str = "") -> Iterator[str]:
    """Everything that does not hold, in sentences; nothing where the log is whole.

    `expected` is the digest of an entry that somebody wrote down: it must still be there.
    """
    told: dict[int, str] = {}
    previous, number, met = GENESIS, 0, not expected
    for row in connection.execute(sa.select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq)).mappings():
        number += 1
        if row["seq"] != number:
            yield f"entry {number} is missing: the next one is {row['seq']}"
            number = row["seq"]
        elif row["previous"] != previous:
            yield f"entry {number} does not follow the one before it"
        if not hmac.compare_digest(entry_digest(dict(row), key), row["digest"]):
            yield f"entry {number} was changed, or the key is another one"
        told[number], previous = row["content"], row["digest"]
        met = met or previous == expected
    seq, digest = head_of(connection)
    if (seq, digest) != (number, previous):
        yield f"the head records {seq} entries, and the last one found is {number}: the end is cut"
    if not met:
        yield f"no entry has the digest {expected}"
    yield from _rows(connection, told)


def _rows(connection: sa.Connection, told: Mapping[int, str]) -> Iterator[str]:
    """Readings and feedback against what the log says of them."""
    left = dict(told)
    for row in connection.execute(sa.select(READINGS).order_by(READINGS.c.entry)).mappings():
        what, document = f"reading {row['id']}", _parsed(row["document"])
        if left.pop(row["entry"], "") != content_digest(document):
            yield f"{what} is not what entry {row['entry']} tells of"
        elif any(row[name] != value for name, value in headline(document).items()):
            yield f"{what}: its line in the history is not that of its document"
    for row in connection.execute(sa.select(FEEDBACK).order_by(FEEDBACK.c.entry)).mappings():
        held = {name: row[name] for name in row if name != "entry"}
        if left.pop(row["entry"], "") != content_digest(held):
            yield f"feedback on reading {row['reading']} is not what entry {row['entry']} tells of"
    for number in left:
        yield f"entry {number} tells of something that is gone"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
