"""The lease: which engine owns the database. Checked in every write, so a former owner that was
only slow cannot write beside its successor."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, select, update

from engine.adapters.store.columns import table_of
from engine.adapters.store.database import Database, Session
from engine.adapters.store.tables import LeaseRow
from engine.domain.records import Lease
from engine.errors import Conflict, LeaseLost

NAME = "engine"

_LEASES = table_of(LeaseRow)
_IS_OURS = _LEASES.c.name == NAME
_FIND = select(
    _LEASES.c.owner, _LEASES.c.term, _LEASES.c.expires_at, _LEASES.c.detail
).where(_IS_OURS)  # fmt: skip
_SAVE = update(_LEASES).where(_IS_OURS)
_EXTEND = _SAVE.where(
    _LEASES.c.owner == bindparam("held_owner"), _LEASES.c.term == bindparam("held_term")
)


class DatabaseLease:
    """This store's hold on the lease. It fences nothing before the first ``acquire``."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._held: Lease | None = None
        database.fence = self._check

    def acquire(self, owner: str, detail: str, ttl: timedelta) -> Lease:
        """Take it when it is free, run out, or our own. Raises Conflict."""
        with self._database.writing(is_fenced=False) as session:
            now, current = self._now(), _current(session)
            if current is not None:
                _refuse_while_held(current, owner, now)
            lease = Lease(
                owner=owner,
                term=1 if current is None else current.term + 1,
                expires_at=now + ttl,
                detail=detail,
            )
            if current is None:
                session.change(insert(_LEASES), {"name": NAME, **lease.model_dump()})
            else:
                session.change(_SAVE, lease.model_dump())
        self._held = lease
        return lease

    def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        """Move its end. Raises LeaseLost when it is somebody else's."""
        renewed = lease.model_copy(update={"expires_at": self._now() + ttl})
        with self._database.writing(is_fenced=False) as session:
            if not session.change(_EXTEND, _held(lease) | {"expires_at": renewed.expires_at}):
                raise _lost(_current(session))
        return renewed

    def release(self, lease: Lease) -> None:
        """Free it for others; this store writes no more until it acquires it again.

        Nothing happens when it is somebody else's already.
        """
        with self._database.writing(is_fenced=False) as session:
            session.change(_EXTEND, _held(lease) | {"owner": "", "expires_at": self._now()})

    def _check(self, session: Session) -> None:
        """Raises LeaseLost when the lease this store took is no longer its own."""
        held = self._held
        if held is None:
            return
        current = _current(session)
        if current is None or (current.owner, current.term) != (held.owner, held.term):
            raise _lost(current)


def _current(session: Session) -> Lease | None:
    rows = session.rows(_FIND)
    if not rows:
        return None
    owner, term, expires_at, detail = rows[0]
    return Lease(owner=owner, term=term, expires_at=expires_at, detail=detail)


def _held(lease: Lease) -> dict[str, str | int]:
    return {"held_owner": lease.owner, "held_term": lease.term}


def _refuse_while_held(current: Lease, owner: str, now: datetime) -> None:
    if current.owner not in ("", owner) and current.expires_at > now:
        raise Conflict(
            f"Another engine ({current.detail or current.owner}) holds this database until"
            f" {current.expires_at:%H:%M:%S} UTC. Stop it, or wait until then."
        )


def _lost(current: Lease | None) -> LeaseLost:
    if current is None or not current.owner:
        return LeaseLost("This engine has given up the database and writes no more.")
    return LeaseLost(
        f"Another engine ({current.detail or current.owner}) took the database over; this one"
        " writes no more and must stop."
    )
