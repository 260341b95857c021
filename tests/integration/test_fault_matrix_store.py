"""Fault matrix, rows 23, 24 and 25: a full disk, a locked database and a power loss while trading.
Nothing is lost, nothing doubled, and the kill switch works meanwhile."""

import random
import resource
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.adapters.store.store import SqlStore
from engine.domain.orders import OrderState, Side
from engine.errors import StoreError
from engine.ports import Transaction
from tests.contract.store_samples import event
from tests.fakes.clock import FakeClock
from tests.fakes.strategy_files import write_strategy
from tests.support.books import check_books, rows
from tests.support.client import Client, eventually
from tests.support.faulty_engine import Faulty, faulty_engine
from tests.unit.conftest import Room, open_room

CYCLES = 500
SEED = 20261125
LONGEST_START = 8
"""The write at which trouble begins is drawn from so many: more than a step of a bot makes."""
TRUNCATIONS = 200

Trouble = Callable[[SqlStore, Path], AbstractContextManager[None]]


# --- trouble with the database -------------------------------------------------------------------


@contextmanager
def full(store: SqlStore, _path: Path) -> Iterator[None]:
    """No page can be added, as on a full disk."""
    pages = pragma(store, "page_count")
    pragma(store, "max_page_count", pages)
    try:
        yield
    finally:
        pragma(store, "max_page_count", 1_000_000)


@contextmanager
def refusing(_store: SqlStore, _path: Path) -> Iterator[None]:
    """The system refuses to write a byte, as on a broken disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def read_only(store: SqlStore, _path: Path) -> Iterator[None]:
    """The database takes no changes, as in a folder that became read-only."""
    pragma(store, "query_only", 1)
    try:
        yield
    finally:
        pragma(store, "query_only", 0)


@contextmanager
def locked(_store: SqlStore, path: Path) -> Iterator[None]:
    """Another program holds the write lock for longer than anybody waits."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


TROUBLES: tuple[Trouble, ...] = (full, refusing, read_only, locked)


def pragma(store: SqlStore, name: str, value: int | None = None) -> int:
    """Read or set a pragma of the store's only writing connection."""
    statement = f"PRAGMA {name}" if value is None else f"PRAGMA {name} = {value}"
    engine = store.database._writer
    with engine.connect() as connection:
        found = connection.connection.cursor().execute(statement).fetchone()
    return int(found[0]) if found else 0


class Troubled:
    """A store whose writes fail from a chosen one on, until the trouble is over."""

    def __init__(self, store: SqlStore, path: Path) -> None:
        self._store, self._path = store, path
        self._write = store.transaction
        self._trouble: Trouble | None = None
        self._left = 0
        self.refused: Counter[str] = Counter()

    def begin(self, trouble: Trouble, after: int) -> None:
        """``after`` more writes go well."""
        self._trouble, self._left = trouble, after

    def end(self) -> None:
        """Writes go well again."""
        self._trouble = None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """In place of the store's own."""
        self._left -= 1
        if self._trouble is None or self._left >= 0:
            with self._write() as tx:
                yield tx
            return
        with self._trouble(self._store, self._path):
            try:
                with self._write() as tx:
                    yield tx
            except StoreError:
                self.refused[self._trouble.__name__] += 1
                raise


# --- rows 23 and 24: five hundred cycles ---------------------------------------------------------


def test_row_23_and_row_24_five_hundred_troubles_while_trading_lose_and_double_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, chance = FakeClock(), random.Random(SEED)
    path = tmp_path / "state.db"
    store = SqlStore.open(f"sqlite:///{path}", now=clock.now)
    with open_room(tmp_path, clock, SimulatedMarket(7, clock), store) as room:
        pragma(store, "busy_timeout", 5)
        troubled = Troubled(store, path)
        monkeypatch.setattr(store, "transaction", troubled.transaction)
        cycle = 0
        while troubled.refused.total() < CYCLES:
            trouble = TROUBLES[cycle % len(TROUBLES)]
            troubled.begin(trouble, after=chance.randrange(LONGEST_START))
            later = partial(room.advance, 1)
            for step in (partial(trade, room), later, later):
                with suppress(StoreError):  # it ends the step, as it ends a check of the engine
                    step()
            troubled.end()
            settle(room)
            cycle += 1
        check_room(room)
        print(f"{cycle} cycles, refused writes: {dict(troubled.refused)}")
        assert min(troubled.refused[one.__name__] for one in TROUBLES) >= CYCLES // 50
        assert len(room.trades()) > 50
        room.restart()
        check_room(room)


def trade(room: Room) -> None:
    """Buy when nothing is held, sell otherwise."""
    if room.bot.id in room.books.positions:
        room.close()
    else:
        room.enter()


def settle(room: Room) -> None:
    """Let the desk find out about everything that is under way."""
    for _ in range(4):
        room.advance(31)  # longer than the venue's quiet period
    moving = (OrderState.INTENT, OrderState.SENDING, OrderState.UNKNOWN)
    assert not [one for one in room.books.working_orders(room.bot.id) if one.state in moving]


def check_room(room: Room) -> None:
    """Every order was sent at most once, and the books say what the venue says."""
    assert len(set(room.broker.sent)) == len(room.broker.sent), "an order was sent twice"
    orders = {order.client_id: order for order in room.orders()}
    assert set(room.broker.sent) <= set(orders), "sent without an intent"
    for client_id, report in room.broker.orders.items():
        assert orders[client_id].filled == report.filled, client_id
    with room.store.reading() as tx:
        fills = list(tx.fills.select())
    at_venue = [fill for report in room.broker.orders.values() for fill in report.fills]
    assert sorted(fill.trade_id for fill in fills) == sorted({fill.trade_id for fill in fills}), (
        "a fill was booked twice"
    )
    assert len(fills) == len(at_venue)
    bought = sum(
        (fill.quantity if fill.side is Side.BUY else -fill.quantity for fill in fills), Decimal(0)
    )
    held = room.books.positions.get(room.bot.id)
    assert bought == (held.quantity if held else 0)


# --- rows 23 and 24 through a running engine -----------------------------------------------------


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """A running engine with a bot, "busy", that trades all the time."""
    folder = tmp_path_factory.mktemp("store") / "strategies"
    folder.mkdir()
    write_strategy(folder, "busy", act="above = candles.time // 1000 % 4 < 2")
    with faulty_engine(
        folder.parent / "data", FAULTY_BUSY_S="0.5", QUARTERDECK_STRATEGIES=str(folder)
    ) as faulty:
        faulty.copy.start_engine()
        client = Client(faulty.copy)
        client.create_bot(name="busy", strategy="busy", params={})
        client.post("/bots/busy/start")
        yield faulty


@contextmanager
def lock_held(faulty: Faulty) -> Iterator[None]:
    """Another program holds the engine's database."""
    path = faulty.copy.place.data / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def trades_more(client: Client) -> None:
    """Wait until the bot has closed another trade."""
    before = client.bot("busy")["trade_count"]
    eventually(lambda: client.bot("busy")["trade_count"], lambda count: count > before)


def entries(faulty: Faulty) -> int:
    """How many entries were planned so far."""
    return len(rows(faulty.copy.place.data, "SELECT 1 FROM orders WHERE purpose = 'entry'"))


def check_engine_in_trouble(faulty: Faulty, trouble: AbstractContextManager[None]) -> None:
    """The engine answers, obeys the kill switch and waits; then it goes on where it was."""
    client = Client(faulty.copy)
    trades_more(client)
    with trouble:
        time.sleep(2)  # for what was under way when it began
        decided = client.bot("busy")["decided_until"]
        time.sleep(2)
        bot = client.bot("busy")
        assert (bot["decided_until"], bot["state"]) == (decided, "running"), "nothing is written"
        # It may not be kept, which the answer says then, but it is in force.
        client.ask("POST", "/kill", json={"level": "pause_entries"})
        assert client.get("/kill")["level"] == "pause_entries"
        before = entries(faulty)
    eventually(lambda: client.bot("busy")["decided_until"], lambda until: until > decided)
    eventually(lambda: client.bot("busy")["position"], lambda position: position is None)
    assert entries(faulty) == before, "nothing is bought while the switch is on"
    client.post("/kill", {"level": "none"})
    trades_more(client)


def test_row_23_a_disk_that_refuses_every_write_is_survived(faulty: Faulty) -> None:
    check_engine_in_trouble(faulty, faulty.refused_writes())


def test_row_24_a_locked_database_is_waited_for(faulty: Faulty) -> None:
    check_engine_in_trouble(faulty, lock_held(faulty))


def test_row_23_and_row_24_leave_books_that_add_up(faulty: Faulty) -> None:
    client = Client(faulty.copy)
    client.post("/bots/busy/stop", {"close_position": True})
    bot = client.wait_for_state("busy", "stopped")
    check_books(faulty.copy.place.data, bot)
    opened = rows(faulty.copy.place.data, "SELECT candle_time FROM decisions")
    assert len({row["candle_time"] for row in opened}) == len(opened)


# --- row 25: a power loss ------------------------------------------------------------------------


def test_row_25_a_log_torn_off_anywhere_leaves_the_commits_before_it(tmp_path: Path) -> None:
    whole, chance = tmp_path / "whole.db", random.Random(SEED)
    store = SqlStore.open(f"sqlite:///{whole}")
    pragma(store, "wal_autocheckpoint", 0)
    for number in range(60):
        with store.transaction() as tx:
            tx.events.add(event(number))
            tx.put_setting("newest", str(number))
    torn = tmp_path / "torn.db"
    size = whole.with_name("whole.db-wal").stat().st_size
    kept = Counter[int]()
    for _ in range(TRUNCATIONS):
        shutil.copy(whole, torn)
        log = shutil.copy(f"{whole}-wal", f"{torn}-wal")
        with Path(log).open("r+b") as file:
            file.truncate(chance.randrange(size))
        kept[commits_in(torn)] += 1
        for leftover in tmp_path.glob("torn.db*"):
            leftover.unlink()
    store.close()
    assert len(kept) > 20, "it was torn off at many commits"


def commits_in(path: Path) -> int:
    """How many of the commits survived: the first ones, each whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        try:
            ids = [row[0] for row in connection.execute("SELECT id FROM events ORDER BY rowid")]
            newest = connection.execute(
                "SELECT value FROM settings WHERE key = 'newest'"
            ).fetchone()
        except sqlite3.OperationalError:
            return 0  # torn off before the tables were there
    assert ids == [f"e{number}" for number in range(len(ids))]
    assert newest == ((str(len(ids) - 1),) if ids else None)
    return len(ids)
