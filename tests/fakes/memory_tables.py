"""Tables in memory: rows by key, unique columns, and the queries of ``ports.Repository``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from engine.errors import Conflict, NotFound, StoreError
from engine.ports import NotAfter, Prefix

T = TypeVar("T", bound=BaseModel)
Rows = dict[str, Any]
Test = Callable[[Any], bool]

GONE = "The bot this belongs to was deleted."


class Shape(Generic[T]):
    """What is kept of one type, as ``adapters.store.tables`` says it of its own.

    ``unique`` are columns that are taken once together, with what is said then; ``is_counted``
    tables settle ties by the order of writing, others by their key.
    """

    def __init__(
        self,
        entity: type[T],
        table: str,
        *,
        noun: str,
        time: str,
        key: str = "id",
        order: str = "",
        search: Sequence[str] = (),
        unique: Mapping[tuple[str, ...], str] | None = None,
        taken: str = "",
        is_counted: bool = True,
        is_owned: bool = False,
        more: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self.table = table
        self.noun = noun
        self.key = attrgetter(key)
        self.time = attrgetter(time)
        self.order = order or time
        self.is_counted = is_counted
        self.is_owned = is_owned
        self.taken = taken or f"It exists already ({table})."
        self.columns: dict[str, Callable[[Any], Any]] = {
            **{name: attrgetter(name) for name in entity.model_fields}, **(more or {})
        }  # fmt: skip
        self.search = [self.columns[name] for name in search]
        self.unique = [(tuple(self.columns[name] for name in names), said)
                       for names, said in (unique or {}).items()]  # fmt: skip
        self.amounts = [name for name, field in entity.model_fields.items()
                        if field.annotation in (Decimal, Decimal | None)]  # fmt: skip

    def column(self, name: str) -> Callable[[Any], Any]:
        """How to read a column. Raises TypeError for one that does not exist."""
        try:
            return self.columns[name]
        except KeyError:
            raise TypeError(f"{self.table} has no column '{name}'") from None

    def check_amounts(self, item: T) -> None:
        """Raises TypeError for an amount that is not exact."""
        for name in self.amounts:
            value = getattr(item, name)
            if value is not None and not isinstance(value, Decimal):
                raise TypeError(f"an amount must be a Decimal, not {type(value).__name__}")


class Contents:
    """The rows of all tables at one moment; tables are copied when they are first written to."""

    def __init__(self, tables: dict[str, Rows], taken: dict[str, Rows]) -> None:
        self.tables = tables
        self.taken = taken
        self.is_writable = False
        self.has_failed = False
        self._copied: set[str] = set()

    def begin(self) -> "Contents":
        """What a transaction works on; nobody else sees what is changed in it."""
        copy = Contents(dict(self.tables), dict(self.taken))
        copy.is_writable = True
        return copy

    def rows(self, table: str) -> Rows:
        """To read."""
        return self.tables.get(table, {})

    def change(self, table: str) -> tuple[Rows, Rows]:
        """Rows and taken keys, to write. Raises StoreError for a reader."""
        if not self.is_writable:
            raise StoreError("A reader cannot write. Nothing was written.")
        if table not in self._copied:
            self._copied.add(table)
            self.tables[table] = dict(self.tables.get(table, {}))
            self.taken[table] = dict(self.taken.get(table, {}))
        return self.tables[table], self.taken[table]


class MemoryRepository(Generic[T]):
    """``ports.Repository`` over one table of ``contents``."""

    def __init__(self, contents: Contents, shape: Shape[T]) -> None:
        self._contents = contents
        self._shape = shape

    def get(self, key: str) -> T:
        """Raises NotFound."""
        item = self.find(key)
        if item is None:
            raise self._missing(key)
        return item

    def key_of(self, item: T) -> str:
        """What identifies an entity."""
        return str(self._shape.key(item))

    def find(self, key: str) -> T | None:
        """None when there is none."""
        return self._contents.rows(self._shape.table).get(key)

    def add(self, *items: T) -> None:
        """Insert. Raises Conflict when a unique key is taken, NotFound for an owner's gone."""
        rows, taken = self._contents.change(self._shape.table)
        for item in items:
            self._shape.check_amounts(item)
            key = self._shape.key(item)
            if key in rows:
                raise self._failed(Conflict(self._shape.taken))
            self._check_owner(item)
            self._take(taken, item)
            rows[key] = item

    def save(self, item: T) -> None:
        """Replace the row with the same key. Raises NotFound."""
        rows, taken = self._contents.change(self._shape.table)
        self._shape.check_amounts(item)
        key = self._shape.key(item)
        before = rows.get(key)
        if before is None:
            raise self._missing(key)
        self._check_owner(item)
        self._release(taken, before)
        self._take(taken, item)
        rows[key] = item

    def delete(self, key: str) -> None:
        """Raises NotFound. A bot takes what it owns along."""
        rows, taken = self._contents.change(self._shape.table)
        if key not in rows:
            raise self._missing(key)
        self._release(taken, rows.pop(key))

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
        order = order_by or self._shape.order
        found = list(self._matching(since, until, search, equals))
        if not self._shape.is_counted:
            found.sort(key=self._shape.key)
        if order != "seq":
            read = self._shape.column(order)
            found.sort(key=lambda item: _sortable(read(item)))
        if is_descending:
            found.reverse()
        return found[offset : None if limit is None else offset + limit]

    def values(
        self,
        *columns: str,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> Sequence[tuple[Any, ...]]:
        """As ``ports.Repository`` says. Raises TypeError like ``select``."""
        read = [self._shape.column(name) for name in columns]
        return [tuple(one(item) for one in read)
                for item in self._matching(since, until, search, equals)]  # fmt: skip

    def count(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> int:
        """How many rows ``select`` would give without a limit."""
        return sum(1 for _ in self._matching(since, until, search, equals))

    def written_after(self, number: int, limit: int) -> Sequence[tuple[int, T]]:
        """As ``ports.Repository`` says, while no row is deleted: a row's number is its place.
        Raises TypeError where rows are not numbered."""
        if not self._shape.is_counted:
            raise TypeError(f"{self._shape.table} has no column 'seq'")
        rows = list(enumerate(self._contents.rows(self._shape.table).values(), start=1))
        return rows[number : number + limit]

    def prune(self, until: datetime, **equals: Any) -> int:
        """Delete rows older than ``until``; how many went."""
        rows, taken = self._contents.change(self._shape.table)
        old = list(self._matching(None, until, "", equals))
        for item in old:
            self._release(taken, rows.pop(self._shape.key(item)))
        return len(old)

    def _matching(
        self, since: datetime | None, until: datetime | None, search: str, equals: dict[str, Any]
    ) -> Iterator[T]:
        tests = [_equal(self._shape.column(name), wanted) for name, wanted in equals.items()]
        moment, wanted, texts = self._shape.time, search.lower(), self._shape.search
        if since is not None:
            tests.append(lambda item: moment(item) >= since)
        if until is not None:
            tests.append(lambda item: moment(item) < until)
        if search:
            tests.append(lambda item: any(wanted in read(item).lower() for read in texts))
        for item in self._contents.rows(self._shape.table).values():
            if all(test(item) for test in tests):
                yield item

    def _check_owner(self, item: T) -> None:
        owner = getattr(item, "bot_id", None) if self._shape.is_owned else None
        if owner is not None and owner not in self._contents.rows("bots"):
            raise self._failed(NotFound(GONE, field="bot"))

    def _take(self, taken: Rows, item: T) -> None:
        for columns, said in self._shape.unique:
            value = (said, *(read(item) for read in columns))
            if value in taken:
                raise self._failed(Conflict(said))
            taken[value] = None  # type: ignore[index]

    def _release(self, taken: Rows, item: T) -> None:
        for columns, said in self._shape.unique:
            taken.pop((said, *(read(item) for read in columns)), None)  # type: ignore[call-overload]

    def _failed(self, error: Exception) -> Exception:
        """What a database answered with an error can no longer be committed."""
        self._contents.has_failed = True
        return error

    def _missing(self, key: str) -> NotFound:
        return NotFound(f"There is no {self._shape.noun} '{key}'.", field=self._shape.noun)


def _equal(read: Callable[[Any], Any], wanted: Any) -> Test:
    if isinstance(wanted, Prefix):
        return lambda item: str(read(item)).startswith(wanted)
    if isinstance(wanted, NotAfter):
        return lambda item: (value := read(item)) is not None and value <= wanted.moment
    if isinstance(wanted, list | tuple | set | frozenset):
        return lambda item: read(item) in wanted
    return lambda item: bool(read(item) == wanted)


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value
