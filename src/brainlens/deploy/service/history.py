"""Owns the history of a server: readings and what readers said of them.

Everything is written by one thread, which commits all that waits at once, together with its entries
of the audit log. A reading is acknowledged after its commit: a crash loses none.
"""

from __future__ import annotations

import json
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from brainlens.core.provenance import now
from brainlens.deploy.service.auditlog import append, canonical, content_digest, head_of
from brainlens.deploy.service.readings import headline
from brainlens.deploy.service.tables import FEEDBACK, READINGS

Row = dict[str, Any]
_GROUP = 64  # writings of one commit at most


@dataclass(frozen=True)
class _Writing:
    """A row to write, the entry of the audit log that tells of it, and who waits for its number."""

    table: sa.Table
    row: Row
    entry: Row
    number: Future[int] = field(default_factory=Future)


class History:
    """Readings, feedback and the audit log of one server."""

    def __init__(self, engine: sa.Engine, key: bytes = b"") -> None:
        self.engine, self._key = engine, key
        self._work: queue.Queue[_Writing | None] = queue.Queue()
        self._writer = threading.Thread(target=self._write, name="history", daemon=True)
        self._writer.start()

    def keep(self, document: Row, who: str) -> Future[int]:
        """Write a reading; the future holds its entry's number once it is on the disk."""
        line = headline(document)
        answer = {key: line[key] for key in ("predicted", "confidence", "suspicion", "slices")}
        entry = {
            "at": document["at"], "who": who, "action": "reading", "subject": line["id"],
            "input": line["input"], "model": line["model"], "answer": canonical(answer),
            "content": content_digest(document),
        }  # fmt: skip
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        return self._later(_Writing(READINGS, line | {"document": text}, entry))

    def comment(self, reading: Row, said: Row, who: str) -> Future[int]:
        """Write what a reader says of a reading; `said` has slice, verdict, label, note, reader."""
        row = {"reading": reading["id"], "at": now(), **said}
        answer = {key: said[key] for key in ("slice", "verdict", "label")}
        entry = {
            "at": row["at"], "who": who, "action": "feedback", "subject": row["reading"],
            "input": reading["digest"], "model": reading["model"]["digest"],
            "answer": canonical(answer), "content": content_digest(row),
        }  # fmt: skip
        return self._later(_Writing(FEEDBACK, row, entry))

    def reading(self, name: str) -> Row | None:
        """The document of a reading, with its entry's number and the feedback on it."""
        with self._reading() as connection:
            found = connection.execute(
                sa.select(READINGS.c.document, READINGS.c.entry).where(READINGS.c.id == name)
            ).one_or_none()
            if found is None:
                return None
            said = connection.execute(
                sa.select(FEEDBACK).where(FEEDBACK.c.reading == name).order_by(FEEDBACK.c.entry)
            ).mappings()
            document: Row = json.loads(found.document)
            return document | {"entry": found.entry, "feedback": [dict(row) for row in said]}

    def listed(self, search: str, before: int, most: int) -> list[Row]:
        """Readings in one line each, the latest first, before an entry where one is given."""
        columns = [column for column in READINGS.c if column.name != "document"]
        query = sa.select(*columns).order_by(READINGS.c.entry.desc()).limit(most)
        if before:
            query = query.where(READINGS.c.entry < before)
        if search:
            fields = (READINGS.c.name, READINGS.c.reader, READINGS.c.predicted, READINGS.c.id)
            query = query.where(sa.or_(*(one.icontains(search, autoescape=True) for one in fields)))
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def feedback(self) -> list[Row]:
        """All that readers said, with the slices they said it of, for later training."""
        query = (
            sa.select(FEEDBACK, READINGS.c.document)
            .join(READINGS, READINGS.c.id == FEEDBACK.c.reading)
            .order_by(FEEDBACK.c.entry)
        )
        with self._reading() as connection:
            return [_with_slice(dict(row)) for row in connection.execute(query).mappings()]

    def head(self) -> tuple[int, str]:
        """The audit log's last number and digest; raises where the database is out of reach."""
        with self._reading() as connection:
            return head_of(connection)

    def close(self) -> None:
        """Write what waits, then let the database go."""
        self._work.put(None)
        self._writer.join()
        self.engine.dispose()

    def _reading(self) -> sa.Connection:
        return self.engine.connect().execution_options(reading=True)

    def _later(self, writing: _Writing) -> Future[int]:
        self._work.put(writing)
        return writing.number

    def _write(self) -> None:
        """Commit what waits, until told to stop."""
        stop = False
        while not stop:
            group = [self._work.get()]
            while len(group) < _GROUP and not self._work.empty():
                group.append(self._work.get())
            stop = None in group
            self._commit([one for one in group if one is not None])

    def _commit(self, group: list[_Writing]) -> None:
        """One transaction; where it fails, one for each, so that only the faulty one is refused."""
        if not group:
            return
        try:
            with self.engine.begin() as connection:
                numbers = append(connection, self._key, [one.entry for one in group])
                for table in {one.table for one in group}:
                    rows = [
                        one.row | {"entry": number}
                        for one, number in zip(group, numbers, strict=True)
                        if one.table is table
                    ]
                    connection.execute(sa.insert(table), rows)
        except Exception as error:  # handed on to those who asked
            if len(group) == 1:
                group[0].number.set_exception(error)
            else:
                for one in group:
                    self._commit([one])
            return
        for one, number in zip(group, numbers, strict=True):
            one.number.set_result(number)


def _with_slice(row: Row) -> Row:
    """A feedback row with the digest, the name and the answer of what it is about."""
    document = json.loads(row.pop("document"))
    number = row["slice"]
    one = document["slices"][number] if number is not None else {}
    predicted = one.get("predicted") or headline(document)["predicted"]
    label = predicted if row["verdict"] == "agree" else row["label"]
    digest = one.get("digest") or document["digest"]
    return row | {
        "name": one.get("name") or document["name"], "digest": digest, "predicted": predicted,
        "label": label,
    }  # fmt: skip
