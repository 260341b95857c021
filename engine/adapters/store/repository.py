"""One repository for every table: rows and entities are matched by the names of their fields."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    Numeric,
    bindparam,
    cast,
    collate,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from engine.adapters.store.columns import Row, table_of
from engine.adapters.store.database import Session
from engine.adapters.store.types import ExactDecimal, clean_text
from engine.errors import NotFound
from engine.ports import NotAfter, Prefix

T = TypeVar("T", bound=BaseModel)

LAST_LETTER = "\U0010ffff"
UNICODE_COLLATION = "und-x-icu"  # PostgreSQL: letters of all languages, whatever the database's


def _nothing_more(_item: Any) -> dict[str, Any]:
    return {}


class TableMap(Generic[T]):
    """How entities of one type are kept.

    ``key`` identifies a row, ``time`` is what since and until bound, ``search`` the text columns,
    ``order`` the default order (by time unless told); ``more`` gives the values of columns that
    the entity has no field for. Columns of the key and of ``seq`` settle ties.
    """

    def __init__(
        self,
        entity: type[T],
        row: type[Row],
        *,
        noun: str,
        time: str,
        key: str = "id",
        order: str = "",
        search: Sequence[str] = (),
        more: Callable[[T], dict[str, Any]] = _nothing_more,
    ) -> None:
        self.entity = entity
        self.table = table_of(row)
        self.noun = noun
        self.key = key
        self.time = self.table.c[time]
        self.order = order or time
        self.tie = self.table.c["seq" if "seq" in self.table.c else key]
        self.search = [self.table.c[name] for name in search]
        self.more = more
        self.fields = list(entity.model_fields)
        self.columns = [self.table.c[name] for name in self.fields]
        # Built once: these are what a thousand bots execute all the time.
        is_key = self.table.c[key] == bindparam("wanted_key")
        self.insert_one = insert(self.table).inline()
        self.update_one = update(self.table).where(is_key)
        self.delete_one = delete(self.table).where(is_key)
        self.find_one = select(*self.columns).where(is_key)

    def values(self, item: T) -> dict[str, Any]:
        """An entity as column values."""
        return {name: getattr(item, name) for name in self.fields} | self.more(item)

    def entity_of(self, row: Iterable[Any]) -> T:
        """The entity of a row of ``columns``."""
        return self.entity.model_validate(dict(zip(self.fields, row, strict=True)))


class SqlRepository(Generic[T]):
    """``ports.Repository`` over one table, within one transaction."""

    def __init__(self, session: Session, table_map: TableMap[T]) -> None:
        self._session = session
        self._map = table_map

    def get(self, key: str) -> T:
        """Raises NotFound."""
        item = self.find(key)
        if item is None:
            raise self._missing(key)
        return item

    def find(self, key: str) -> T | None:
        """None when there is none."""
        rows = self._session.rows(self._map.find_one, {"wanted_key": key})
        return self._map.entity_of(rows[0]) if rows else None

    def add(self, *items: T) -> None:
        """Insert. Raises Conflict when a unique key is taken, NotFound for an owner's gone."""
        if items:
            values = [self._map.values(item) for item in items]
            self._session.change(self._map.insert_one, values if len(values) > 1 else values[0])

    def save(self, item: T) -> None:
        """Replace the row with the same key. Raises NotFound."""
        values = self._map.values(item)
        key = values.pop(self._map.key)
        if not self._session.change(self._map.update_one, {**values, "wanted_key": key}):
            raise self._missing(key)

    def delete(self, key: str) -> None:
        """Raises NotFound."""
        if not self._session.change(self._map.delete_one, {"wanted_key": key}):
            raise self._missing(key)

    def select(
        self,
        *,
        order_by: str | None = None,
        is_descending: bool = False,
        limit: int | None = None,
        offset: int = 0,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> Sequence[T]:
        """As ``ports.Repository`` says. Raises TypeError for a column that does not exist."""
        column = self._sortable(order_by or self._map.order)
        tie: ColumnElement[Any] = self._map.tie
        statement = (
            select(*self._map.columns)
            .where(*self._conditions(since, until, search, equals))
            .order_by(*(by.desc() if is_descending else by.asc() for by in (column, tie)))
            .limit(limit)
            .offset(offset or None)
        )
        return [self._map.entity_of(row) for row in self._session.rows(statement)]

    def values(
        self,
        *columns: str,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> Sequence[tuple[Any, ...]]:
        """As ``ports.Repository`` says. Raises TypeError like ``select``."""
        conditions = self._conditions(since, until, search, equals)
        statement = select(*(self._column(name) for name in columns)).where(*conditions)
        return [tuple(row) for row in self._session.rows(statement)]

    def count(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> int:
        """How many rows ``select`` would give without a limit. Raises TypeError like it."""
        conditions = self._conditions(since, until, search, equals)
        statement = select(func.count()).select_from(self._map.table).where(*conditions)
        return int(self._session.rows(statement)[0][0])

    def written_after(self, number: int, limit: int) -> Sequence[tuple[int, T]]:
        """As ``ports.Repository`` says. Raises TypeError where rows are not numbered."""
        seq = self._column("seq")
        statement = select(seq, *self._map.columns).where(seq > number).order_by(seq).limit(limit)
        rows = self._session.rows(statement)
        return [(int(row[0]), self._map.entity_of(row[1:])) for row in rows]

    def prune(self, until: datetime, **equals: Any) -> int:
        """Delete rows older than ``until``; how many went. Raises TypeError like ``select``."""
        conditions = self._conditions(None, until, "", equals)
        return self._session.change(delete(self._map.table).where(*conditions))

    def _missing(self, key: str) -> NotFound:
        return NotFound(f"There is no {self._map.noun} '{key}'.", field=self._map.noun)

    def _column(self, name: str) -> ColumnElement[Any]:
        if name not in self._map.table.c:
            raise TypeError(f"{self._map.table.name} has no column '{name}'")
        return self._map.table.c[name]

    def _sortable(self, name: str) -> ColumnElement[Any]:
        column = self._column(name)
        return cast(column, Numeric) if isinstance(column.type, ExactDecimal) else column

    def _conditions(
        self,
        since: datetime | None,
        until: datetime | None,
        search: str,
        equals: dict[str, Any],
    ) -> list[ColumnElement[bool]]:
        conditions = [_equal(self._column(name), value) for name, value in equals.items()]
        if not self._session.is_postgres:  # whose collations do not sort by bytes
            conditions += [
                self._column(name).between(beginning, beginning + LAST_LETTER)
                for name, value in equals.items()
                if isinstance(value, Prefix) and (beginning := clean_text(value))
            ]  # an index finds these; substr alone would read all rows
        if since is not None:
            conditions.append(self._map.time >= since)
        if until is not None:
            conditions.append(self._map.time < until)
        if search:
            wanted = clean_text(search).lower()
            conditions.append(
                or_(*(self._folded(one).contains(wanted, autoescape=True)
                      for one in self._map.search))
            )  # fmt: skip
        return conditions

    def _folded(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        if self._session.is_postgres:
            return func.lower(collate(column, UNICODE_COLLATION))
        return func.lower(column)


def _equal(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    if isinstance(value, Prefix):
        beginning = clean_text(value)  # not LIKE, which knows no case on SQLite
        return func.substr(column, 1, len(beginning)) == beginning
    if isinstance(value, NotAfter):
        return column <= value.moment
    if isinstance(value, list | tuple | set | frozenset):
        return column.in_(list(value))
    return column.is_(None) if value is None else column == value
