"""The engine's database as a watcher reads it: with the bare drivers, and read-only.

SQLAlchemy and the tables' classes would make the watcher twice as large. A test reads what the real
store wrote, so that the columns named here stay right.
"""

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.domain.alerts import Channel
from engine.domain.watch_outbox import Glimpse
from engine.domain.watching import LastWord
from engine.errors import StoreError

log = logging.getLogger("quarterdeck.watcher")

BUSY_TIMEOUT_S = 2
LOST_AFTER = {
    "keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}  # fmt: skip
"""So soon a server is given up whose machine or network went away while it was read: a round that
waits for it tells nobody anything. Seconds; the last in milliseconds."""

SETTING = "setting."
JSON_COLUMNS = ("settings", "sealed", "kinds", "bots", "quiet")

LEASE = "SELECT term, owner FROM leases WHERE name = 'engine'"
# Only asked where the lease was given back: then it is among the newest rows.
ENDING = (
    "SELECT kind, data FROM events WHERE kind IN ('engine.started', 'engine.stopped')"
    " ORDER BY seq DESC LIMIT 1"
)
CHANNELS = "SELECT * FROM channels ORDER BY created_at, id"
SETTINGS = "SELECT key, value FROM settings WHERE key LIKE 'setting.%'"

Row = Mapping[str, Any]


class SqliteRecords:
    """``ports.Records`` of a file. Nothing is made where there is none."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> Glimpse:
        """See Records."""
        address = f"{self._file.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
                connection.execute("BEGIN")  # one snapshot
                return _glimpse(connection)
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(f"The database {self._file} cannot be read: {error}.") from error


class PostgresRecords:
    """``ports.Records`` of a server. ``url`` as ``database_url`` has it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def read(self) -> Glimpse:
        """See Records."""
        import psycopg

        from engine.adapters.store.database import parse_url

        address = parse_url(self._url)
        # Not as a URL: what SQLAlchemy reads of one, as a space in a password, libpq may not.
        given = address.translate_connect_args(database="dbname", username="user")
        limits = {"connect_timeout": BUSY_TIMEOUT_S, **LOST_AFTER}
        try:
            with psycopg.connect(**(given | dict(address.query) | limits)) as connection:
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.execute(f"SET LOCAL statement_timeout = '{BUSY_TIMEOUT_S}s'")
                return _glimpse(connection)
        except (psycopg.Error, ValueError) as error:
            said = str(error).strip().partition("\n")[0].rstrip(".")
            raise StoreError(
                f"The database {address.render_as_string(hide_password=True)} cannot be read:"
                f" {said}. See that it runs, and that QUARTERDECK_DATABASE_URL opens it."
            ) from error


def _glimpse(connection: Any) -> Glimpse:
    leases = _rows(connection, LEASE)
    term, is_held = (leases[0]["term"], bool(leases[0]["owner"])) if leases else (0, False)
    endings = [] if is_held else _rows(connection, ENDING)
    return Glimpse(
        last=LastWord(
            term=term, is_held=is_held,
            has_given_up=any(_has_given_up(one) for one in endings),
        ),
        channels=[one for row in _rows(connection, CHANNELS) for one in _channel(row)],
        settings={
            row["key"].removeprefix(SETTING): row["value"] for row in _rows(connection, SETTINGS)
        },
    )  # fmt: skip


def _rows(connection: Any, query: str) -> Sequence[Row]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def _has_given_up(row: Row) -> bool:
    return row["kind"] == "engine.stopped" and bool(json.loads(row["data"]).get("exit_code"))


def _channel(row: Row) -> Sequence[Channel]:
    """None of a row that this version does not understand: the others are told nevertheless."""
    read = {
        name: json.loads(value) if name in JSON_COLUMNS and value is not None else value
        for name, value in row.items()
    }
    try:
        return [Channel.model_validate(read)]
    except ValidationError:
        log.warning("the channel '%s' cannot be read and tells nothing", row["name"])
        return []
