"""What a database holds, asked in one transaction; of any version, so by names alone."""

from collections.abc import Iterator

from sqlalchemy import inspect, select, text

from engine.adapters.store.columns import table_of
from engine.adapters.store.database import Session
from engine.adapters.store.tables import AuditRow
from engine.domain.backups import DatabaseFacts
from engine.domain.records import AuditEntry, entry_digest

VERSIONS = "alembic_version"
SEALED = "sealed"
"""How the names of columns begin whose values only the engine's key opens."""

BATCH = 2_000

_AUDIT = table_of(AuditRow)
_FIELDS = list(AuditEntry.model_fields)


def read_facts(session: Session) -> DatabaseFacts:
    """Rows by table, the revision, the audit's chain. Raises StoreError."""
    names = sorted(inspect(session.connection).get_table_names())
    counts = {name: _count(session, name) for name in names if name != VERSIONS}
    digest, problem = _follow(session) if _AUDIT.name in counts else ("", "")
    return DatabaseFacts(
        revision=_revision(session) if VERSIONS in names else "",
        counts=counts,
        audit_digest=digest,
        audit_problem=problem,
        sealed=sum(_sealed(session, name) for name in counts),
    )


def _revision(session: Session) -> str:
    rows = session.rows(text(f"SELECT version_num FROM {VERSIONS}"))  # noqa: S608 - a constant
    return str(rows[0][0]) if rows else ""


def _count(session: Session, table: str) -> int:
    # The name comes from the database's own catalogue.
    return int(session.rows(text(f'SELECT count(*) FROM "{table}"'))[0][0])  # noqa: S608


def _sealed(session: Session, table: str) -> int:
    """How many sealed values a table has."""
    columns = [str(one["name"]) for one in inspect(session.connection).get_columns(table)]
    asked = [
        f'SELECT count(*) FROM "{table}" WHERE "{one}" <> \'\''  # noqa: S608 - from the catalogue
        for one in columns
        if one.startswith(SEALED)
    ]
    return sum(int(session.rows(text(one))[0][0]) for one in asked)


def _follow(session: Session) -> tuple[str, str]:
    """The digest at the end of the chain, and what is wrong with it; empty when it is whole."""
    previous = ""
    for entry in _entries(session):
        if entry.previous_digest != previous or entry_digest(entry) != entry.digest:
            return previous, (
                f"The audit trail is broken at the entry '{entry.action}' of"
                f" {entry.time:%Y-%m-%d %H:%M:%S} UTC: it, or one before it, was changed or taken"
                " out."
            )
        previous = entry.digest
    return previous, ""


def _entries(session: Session) -> Iterator[AuditEntry]:
    last = 0
    statement = select(_AUDIT.c.seq, *(_AUDIT.c[name] for name in _FIELDS)).order_by(_AUDIT.c.seq)
    while rows := session.rows(statement.where(_AUDIT.c.seq > last).limit(BATCH)):
        for seq, *values in rows:
            last = seq
            yield AuditEntry.model_validate(dict(zip(_FIELDS, values, strict=True)))
