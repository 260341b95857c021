"""Histories of live trading from a store in memory: scopes, periods, capital, marks."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.bots import Bot
from engine.domain.performance import measure
from engine.domain.performance.tables import groups_of
from engine.domain.positions import Trade
from engine.services import performance as module
from engine.services.books import Books
from engine.services.instrument_book import InstrumentBook
from engine.services.performance import PerformanceReader, QuoteHistory, Scope
from tests.contract.store_samples import equity, trade
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.unit.samples import bot as sample_bot
from tests.unit.samples import config, instrument, position

D = Decimal
HOUR = timedelta(hours=1)


class Shelf:
    """Books with a reader."""

    def __init__(self) -> None:
        store = MemoryStore()
        self.books = Books(store, FakeClock())
        self.reader = PerformanceReader(self.books, InstrumentBook(store))
        self.store = store

    def bot(self, key: str, symbol: str = "BTC/USDT", amount: str = "1000") -> Bot:
        """A bot whose instrument is known."""
        made = sample_bot(config(name=key, symbol=symbol, amount=D(amount)), id=key)
        base, quote = symbol.split("/")
        with self.books.writing() as writing:
            writing.add_bot(made)
            rules = instrument(symbol=symbol, base=base, quote=quote)
            writing.tx.put_instrument(made.config.market, rules)
        return made

    def trade(self, bot_id: str, hour: int, pnl: str, **more: Any) -> Trade:
        """A trade of an hour that closed so many hours after the start."""
        fields = {
            "bot_id": bot_id,
            "bot_name": bot_id,
            "pnl": D(pnl),
            "id": f"{bot_id}-{hour}",
            "entry_time": START + (hour - 1) * HOUR,
            "exit_time": START + hour * HOUR,
        }
        made = trade(**(fields | more))
        with self.store.transaction() as tx:
            tx.trades.add(made)
        return made

    def mark(self, bot_id: str | None, hour: float, unrealised: str, quote: str = "USDT") -> None:
        """An equity point."""
        with self.store.transaction() as tx:
            point = equity(0, id=f"{bot_id}-{quote}-{hour}", bot_id=bot_id, quote=quote,
                           time=START + hour * HOUR, unrealised=D(unrealised))  # fmt: skip
            tx.equity.add(point)

    def one(self, scope: Scope | None = None) -> QuoteHistory:
        """The only history there is."""
        (found,) = self.reader.histories(scope or Scope())
        return found


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_without_bots_and_trades_there_is_no_history(shelf: Shelf) -> None:
    assert shelf.reader.histories(Scope()) == []
    shelf.bot("idle")
    assert shelf.reader.histories(Scope()) == []  # nothing was traded and nothing marked


def test_a_curve_of_closed_trades_is_on_the_capital_of_the_bots(shelf: Shelf) -> None:
    shelf.bot("a")
    shelf.bot("b", amount="500")
    shelf.trade("a", 2, "30")
    shelf.trade("b", 1, "-15")
    found = shelf.one()
    assert (found.quote, found.capital, found.is_marked) == ("USDT", 1500, False)
    assert list(found.history.equity) == [1485, 1515]  # by the time of closing
    assert measure(found.history).total_return == pytest.approx(0.01)


def test_quote_assets_are_never_added_up(shelf: Shelf) -> None:
    shelf.bot("a")
    shelf.bot("e", "BTC/EUR", "200")
    shelf.trade("a", 1, "10")
    shelf.trade("e", 1, "4", quote="EUR", symbol="BTC/EUR")
    found = {one.quote: one for one in shelf.reader.histories(Scope())}
    assert {quote: one.capital for quote, one in found.items()} == {"USDT": 1000, "EUR": 200}
    assert shelf.one(Scope({"quote": "EUR"})).history.final_equity == 204


def test_scopes_narrow_trades_capital_and_marks(shelf: Shelf) -> None:
    shelf.bot("a")
    shelf.bot("b", "ETH/USDT")
    shelf.trade("a", 1, "10")
    shelf.trade("b", 2, "20", symbol="ETH/USDT", strategy="macd")
    for where, capital, end in (
        ({"bot_id": "a"}, 1000, 1010),
        ({"symbol": "ETH/USDT"}, 1000, 1020),
        ({"strategy": "macd"}, 1000, 1020),
        ({"market": "simulated"}, 2000, 2030),
    ):
        found = shelf.one(Scope(where))
        assert (found.capital, found.history.final_equity) == (capital, end), where
    assert shelf.reader.histories(Scope({"symbol": "XRP/USDT"})) == []


def test_a_period_begins_with_what_was_earned_before(shelf: Shelf) -> None:
    shelf.bot("a")
    for hour, pnl in ((1, "100"), (2, "50"), (3, "-20")):
        shelf.trade("a", hour, pnl)
    found = shelf.one(Scope(since=START + 2 * HOUR, until=START + 3 * HOUR))
    assert found.history.starting_cash == 1100
    assert list(found.history.equity) == [1150]  # until is exclusive
    assert found.capital == 1000


def test_a_deleted_bot_had_what_its_largest_entry_cost(shelf: Shelf) -> None:
    shelf.trade("gone", 1, "5", entry_value=D("80"))
    shelf.trade("gone", 2, "5", entry_value=D("120"))
    found = shelf.one()
    assert (found.capital, found.history.final_equity) == (120, 130)
    assert [row.key for row in groups_of(found.history.trades, "bot")] == ["gone"]


def test_bots_are_called_by_their_present_names_and_equal_names_told_apart(shelf: Shelf) -> None:
    shelf.bot("a")
    shelf.trade("a", 1, "5", bot_name="an older name")
    shelf.trade("b1234567", 2, "4", bot_name="a")
    rows = groups_of(shelf.one().history.trades, "bot")
    assert [row.key for row in rows] == ["a", "a (b12345)"]


def test_marks_of_a_bot_are_in_its_curve(shelf: Shelf) -> None:
    shelf.bot("a")
    shelf.trade("a", 2, "30")
    shelf.mark("a", 1.5, "-40")
    shelf.mark("a", 3, "7")
    shelf.mark(None, 1, "999")  # that of all bots is not this one's
    found = shelf.one(Scope({"bot_id": "a"}))
    assert found.is_marked
    assert list(found.history.equity) == [960, 1030, 1037]
    assert found.history.open_pnl == 7


def test_all_bots_take_the_marks_of_their_sum(shelf: Shelf) -> None:
    shelf.bot("a")
    shelf.bot("b", "ETH/USDT")
    shelf.trade("a", 2, "30")
    shelf.mark(None, 1, "-40")
    shelf.mark(None, 3, "7")
    shelf.mark("a", 1.5, "-999")
    found = shelf.one()
    assert list(found.history.equity) == [1960, 2037]
    assert list(shelf.one(Scope({"quote": "USDT"})).history.equity) == [1960, 2037]


def test_too_many_marks_leave_the_closed_trades(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.bot("a")
    shelf.trade("a", 2, "30")
    for hour in range(3):
        shelf.mark(None, hour, "5")
    assert shelf.one().is_marked
    monkeypatch.setattr(module, "MOST_POINTS", 2)
    found = shelf.one()
    assert not found.is_marked
    assert list(found.history.equity) == [1030]


def test_marks_alone_are_a_history_without_trades(shelf: Shelf) -> None:
    shelf.bot("a")
    shelf.mark(None, 0, "0")
    shelf.mark(None, 30, "-10")
    metrics = measure(shelf.one().history)
    assert (metrics.trades, metrics.net_profit) == (0, -10)


def test_open_positions_are_in_the_market(shelf: Shelf) -> None:
    shelf.bot("a")
    shelf.trade("a", 1, "1")
    shelf.mark(None, 4, "0")
    shelf.books.positions["a"] = position(bot_id="a", opened_at=START + 2 * HOUR)
    assert measure(shelf.one().history).time_in_market == pytest.approx(3 / 4)
    past = Scope(until=START + 5 * HOUR)
    assert measure(shelf.one(past).history).time_in_market == pytest.approx(1 / 4)
