"""Alembic's entry: runs the migrations on the connection that ``migrate`` hands over."""

from alembic import context

import engine.adapters.store.account_tables
import engine.adapters.store.tables  # noqa: F401 - registers the tables
from engine.adapters.store.columns import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
)
context.run_migrations()
