"""What copies of both kinds of database are asked before they are believed or put back."""

from datetime import datetime

from sqlalchemy import text

from engine.adapters.store.database import Session
from engine.adapters.store.migrate import known_revisions
from engine.domain.backups import DatabaseFacts
from engine.errors import BackupError

FREE_LEASE = "UPDATE leases SET owner = '', detail = ''"
"""A copy is held by nobody; its term goes on counting."""


def refuse_newer(revision: str) -> None:
    """Raises BackupError for tables that this version does not know."""
    if revision not in known_revisions():
        raise BackupError(
            f"The backup is of a newer version of Quarterdeck (its tables are '{revision}', which"
            " this one does not know). Update Quarterdeck, then try again."
        )


def refuse_other(found: DatabaseFacts, promised: DatabaseFacts) -> None:
    """Raises BackupError when a copy is not what its backup says that it is."""
    if found != promised:
        wrong = sorted(
            name
            for name in found.counts.keys() | promised.counts.keys()
            if found.counts.get(name) != promised.counts.get(name)
        )
        where = f" (other rows in {', '.join(wrong)})" if wrong else ""
        raise BackupError(f"The backup's database is not what its manifest says{where}.")


def lease_holder(session: Session, now: datetime) -> str:
    """Who holds the lease at ``now``; empty when nobody does. Raises StoreError."""
    rows = session.rows(text("SELECT owner, detail, expires_at FROM leases"))
    for owner, detail, expires_at in rows:
        if owner and datetime.fromisoformat(expires_at) > now:
            return str(detail or owner)
    return ""
