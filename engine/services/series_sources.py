"""Where time series come from: which rows of the books are to be delivered next.

``Delivered`` is how far delivery has come. It is kept in the database, so that nothing is missing
after a restart or an outage, and what is sent twice has the same measurement, tags and time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic import Field as ModelField

from engine.domain.advice import Advice
from engine.domain.measurements import EPOCH, SeriesPoint, time_ns
from engine.domain.signals import Signal, SignalState
from engine.ports import Repository, Transaction
from engine.services.read_series import SeriesReader

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

BATCH = 500
MOST_UNSETTLED = 2_000
ADVICE_LATE = timedelta(minutes=5)
"""Advice is kept once it is answered, with the time at which it was asked."""

ORDER_LATE = timedelta(seconds=10)
KEPT_FOR = timedelta(hours=1)


class Mark(BaseModel):
    """How far one source is delivered: by the number and id of a row, or by a time. ``unsettled``
    are the ids of rows that are delivered and will change."""

    model_config = ConfigDict(frozen=True)

    number: int = 0
    id: str = ""
    until: datetime = EPOCH
    unsettled: tuple[str, ...] = ()


class Delivered(BaseModel):
    """How far all sources are delivered, and whereto."""

    model_config = ConfigDict(frozen=True)

    target: str
    marks: dict[str, Mark] = ModelField(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Points to deliver; ``mark`` is right once they are. ``is_last``: nothing more waits."""

    points: Sequence[SeriesPoint]
    mark: Mark
    is_last: bool


class Pointer(Protocol[T_contra]):
    """Makes points of rows."""

    def __call__(self, tx: Transaction, rows: Sequence[T_contra], /) -> list[SeriesPoint]:
        """In their order."""
        ...


class Source(Protocol):
    """Rows of one table."""

    @property
    def name(self) -> str:
        """By which its mark is kept."""
        ...

    def next(self, tx: Transaction, mark: Mark) -> Batch:
        """What comes after a mark."""
        ...

    def settled(self, tx: Transaction, mark: Mark) -> Batch:
        """What was delivered and has changed for the last time since."""
        ...

    def confirm(self, batch: Batch) -> None:
        """A batch is delivered."""
        ...


def _never(_row: object) -> bool:
    return False


@dataclass(frozen=True)
class _Rows(Generic[T]):
    """What both kinds of sources have. ``is_unsettled``: a row will change once more; it has once
    its columns are those of ``settled_where``."""

    name: str
    table: Callable[[Transaction], Repository[T]]
    points: Pointer[T]
    is_unsettled: Callable[[T], bool] = _never
    settled_where: Mapping[str, Any] = field(default_factory=dict)

    def settled(self, tx: Transaction, mark: Mark) -> Batch:
        """As ``Source`` says; rows that are gone are forgotten."""
        table = self.table(tx)
        changed = table.select(id=mark.unsettled, **self.settled_where)
        there = {str(key) for (key,) in table.values("id", id=mark.unsettled)}
        waiting = there - {_id(row) for row in changed}
        left = tuple(one for one in mark.unsettled if one in waiting)
        return Batch(
            self.points(tx, changed), mark.model_copy(update={"unsettled": left}), is_last=True
        )

    def confirm(self, batch: Batch) -> None:
        """Nothing to remember: the mark says it."""

    def _unsettled(self, mark: Mark, rows: Sequence[T]) -> tuple[str, ...]:
        new = [_id(row) for row in rows if self.is_unsettled(row)]
        return tuple(dict.fromkeys([*mark.unsettled, *new]))[-MOST_UNSETTLED:]


@dataclass(frozen=True)
class Numbered(_Rows[T]):
    """Rows in the order in which they were written."""

    def next(self, tx: Transaction, mark: Mark) -> Batch:
        """As ``Source`` says."""
        table = self.table(tx)
        number = mark.number if self._is_there(table, mark) else 0
        found = table.written_after(number, BATCH)
        if not found:
            return Batch([], mark, is_last=True)
        rows = [row for _number, row in found]
        after = Mark(number=found[-1][0], id=_id(rows[-1]), unsettled=self._unsettled(mark, rows))
        return Batch(self.points(tx, rows), after, is_last=len(rows) < BATCH)

    @staticmethod
    def _is_there(table: Repository[T], mark: Mark) -> bool:
        """Whether the last row that was delivered still has its number. When its bot was deleted
        with it, SQLite gives the number to another one: all is delivered again."""
        newest = table.written_after(mark.number - 1, 1) if mark.number else []
        return [(number, _id(row)) for number, row in newest] == [(mark.number, mark.id)]


@dataclass(frozen=True)
class Timed(_Rows[T]):
    """Rows by a time of theirs, which may be up to ``late`` older than their commit: so much is
    looked through again each time, and what differs from what was sent is delivered."""

    time: Callable[[T], datetime] = lambda _row: EPOCH
    late: timedelta = timedelta(0)
    sent: dict[tuple[str, int], SeriesPoint] = field(default_factory=dict)

    def next(self, tx: Transaction, mark: Mark) -> Batch:
        """As ``Source`` says."""
        since = max(EPOCH, mark.until - self.late)
        rows: Sequence[T] = self.table(tx).select(since=since, limit=BATCH)
        newest = self.time(rows[-1]) if rows else mark.until
        if len(rows) == BATCH and newest <= mark.until:
            # More than a batch within what is looked through: the rest of it, once.
            rows = self.table(tx).select(since=since)
            newest = self.time(rows[-1])
        points = [one for one in self.points(tx, rows) if self.sent.get(_key(one)) != one]
        after = Mark(until=max(newest, mark.until), unsettled=self._unsettled(mark, rows))
        return Batch(points, after, is_last=len(rows) != BATCH)

    def confirm(self, batch: Batch) -> None:
        """Remember what need not be sent again for as long as it is looked through."""
        self.sent.update((_key(one), one) for one in batch.points)
        oldest = time_ns(max(EPOCH, batch.mark.until - KEPT_FOR))
        for key in [key for key in self.sent if key[1] < oldest]:
            del self.sent[key]


def sources(reader: SeriesReader) -> tuple[Source, ...]:
    """The table of sources: one row for each table of the books."""
    return (
        Numbered("fills", lambda tx: tx.fills, reader.fills),
        Numbered("decisions", lambda tx: tx.decisions, reader.decisions),
        Numbered("equity", lambda tx: tx.equity, reader.equity),
        Numbered("signals", lambda tx: tx.signals, reader.signals, _is_waiting,
                 {"state": [state for state in SignalState if state is not SignalState.RECEIVED]}),
        Timed("advice", lambda tx: tx.advice, reader.advice, _is_open, {"outcome_due_at": None},
              time=lambda row: row.asked_at, late=ADVICE_LATE),
        Timed("orders", lambda tx: tx.box_orders, reader.box_orders,
              time=lambda row: row.touched_at, late=ORDER_LATE),
    )  # fmt: skip


def _is_waiting(signal: Signal) -> bool:
    return signal.state is SignalState.RECEIVED


def _is_open(advice: Advice) -> bool:
    return advice.outcome_due_at is not None


def _id(row: Any) -> str:
    return str(row.id)


def _key(point: SeriesPoint) -> tuple[str, int]:
    return point.measurement, point.time_ns
