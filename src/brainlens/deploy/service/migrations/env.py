"""Owns how Alembic runs here: over the connection that `history.py` hands it."""

from __future__ import annotations

from alembic import context

from brainlens.deploy.service.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
