"""Rates for the base currency: where they come from, who is asked, and what becomes of old ones."""

import asyncio
from decimal import Decimal as D

import pytest

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.api.base_views import base_totals
from engine.contracts import QuoteTotal
from engine.domain.instruments import Instrument, Quote
from engine.errors import DataError, NotFound
from engine.ports import MarketData
from engine.services.account_ledger import AccountLedger
from engine.services.books import Books
from engine.services.candle_feed import PriceBoard
from engine.services.convert import Converter, Terms
from engine.services.instrument_book import InstrumentBook
from engine.services.lanes import Lanes
from tests.fakes.broker import ScriptedBroker
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.venues import FakeVenues
from tests.unit.samples import bot, config, instrument

REAL = "ccxt:kraken"


class CountingMarket(FakeMarket):
    """Remembers what it was asked for."""

    asked: list[str]

    def quote(self, symbol: str, *, seen_price: D | None = None) -> Quote:
        """As its parent, and noted."""
        self.asked = [*getattr(self, "asked", []), symbol]
        return super().quote(symbol, seen_price=seen_price)


class Desk:
    """A converter over markets and bots that a test adds."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.books = Books(self.store, self.clock)
        self.prices = PriceBoard()
        self.markets: dict[str, MarketData] = {}
        instruments = InstrumentBook(self.store)
        self.converter = Converter(
            self.books, self.prices, instruments, AccountLedger(self.books, instruments),
            _ManyMarkets(self.markets), Lanes(), terms or Terms(),
        )  # fmt: skip

    def add_market(self, market_id: str, *listed: Instrument) -> CountingMarket:
        market = CountingMarket(self.clock, instruments=listed, market_id=market_id)
        self.markets[market_id] = market
        return market

    def add_bot(self, market_id: str, traded: Instrument, bot_id: str = "b1") -> None:
        chosen = config(name=bot_id, market=market_id, symbol=traded.symbol)
        with self.books.writing() as writing:
            writing.add_bot(bot(chosen, id=bot_id, account_id=f"paper:{market_id}"))
            writing.tx.put_instrument(market_id, traded)

    def see(self, market_id: str, symbol: str, price: str) -> None:
        last = D(price)
        quote = Quote(symbol=symbol, bid=last, ask=last, last=last, time=self.clock.now())
        self.prices.put(market_id, quote)


class _ManyMarkets(FakeVenues):
    """The markets of a table; those that begin with ``replay`` are stepped."""

    def __init__(self, markets: dict[str, MarketData]) -> None:
        super().__init__(FakeMarket(), ScriptedBroker("paper:fake"))
        self.markets = markets

    def market(self, market_id: str, bot_id: str | None = None) -> MarketData:
        if market_id not in self.markets:
            raise NotFound(f"There is no market '{market_id}'.")
        return self.markets[market_id]

    def is_stepped(self, market_id: str) -> bool:
        return market_id.startswith("replay")


BTC = instrument()
TETHER = instrument(symbol="USDT/USD", base="USDT", quote="USD")
EURO = instrument(symbol="EUR/USD", base="EUR", quote="USD")


def value(desk: Desk, **amounts: str) -> D | None:
    return desk.converter.add_up({asset: D(amount) for asset, amount in amounts.items()}).value


def test_what_bots_watch_is_a_rate_without_a_question() -> None:
    desk = Desk()
    market = desk.add_market(REAL, TETHER)
    desk.add_bot(REAL, TETHER)
    assert value(desk, USDT="100") is None
    desk.see(REAL, "USDT/USD", "0.99")
    desk.converter.ask(REAL)
    assert value(desk, USDT="100") == 99
    assert getattr(market, "asked", []) == []


def test_a_missing_pair_is_asked_for_and_kept_until_it_is_old() -> None:
    desk = Desk()
    market = desk.add_market(REAL, BTC, TETHER)
    market.set_price("USDT/USD", "0.98")
    desk.add_bot(REAL, BTC)
    desk.converter.ask(REAL)
    assert market.asked == ["USDT/USD"]
    assert value(desk, USDT="100") == 98
    desk.clock.advance(601)
    market.failure = DataError("down")
    desk.converter.ask(REAL)  # what is known stays, and is said to be old
    total = QuoteTotal(quote="USDT", equity=D(100), realised_pnl=D(5), unrealised_pnl=D(0),
                       today_pnl=D(-2), open_positions=0)  # fmt: skip
    shown = base_totals(desk.converter, [total], desk.clock.now())
    assert (shown.value, shown.today_pnl, shown.unrealised_pnl) == (98, D("-1.96"), 0)
    assert shown.stale == ("USDT",)
    market.failure = None
    market.set_price("USDT/USD", "1.01")
    desk.converter.ask(REAL)
    assert value(desk, USDT="100") == 101


def test_a_price_that_is_watched_no_more_is_asked_for_again() -> None:
    desk = Desk()
    market = desk.add_market(REAL, TETHER)
    market.set_price("USDT/USD", "0.5")
    desk.add_bot(REAL, TETHER)
    desk.see(REAL, "USDT/USD", "0.99")
    with desk.books.writing() as writing:  # its quote asset is the base; an asset to convert:
        writing.add_bot(bot(config(name="two", market=REAL), id="b2", account_id="paper:x"))
        writing.tx.put_instrument(REAL, BTC)
    desk.clock.advance(601)
    desk.converter.ask(REAL)
    assert value(desk, USDT="1") == D("0.5")


def test_a_replay_is_no_source_and_the_simulated_market_is_said() -> None:
    desk = Desk(Terms(currency="USDT"))
    desk.add_bot("replay:x", BTC, "b1")
    desk.see("replay:x", "BTC/USDT", "9")
    assert value(desk, BTC="1") is None
    desk.add_bot("simulated", BTC, "b2")
    desk.see("simulated", "BTC/USDT", "10")
    total = desk.converter.add_up({"BTC": D(1)})
    assert total.value == 10
    assert total.chains[0].is_simulated


def test_the_simulated_market_of_the_engine_has_rates_for_its_own_money() -> None:
    desk = Desk()
    desk.markets["simulated"] = SimulatedMarket(7, desk.clock)
    yen = desk.markets["simulated"].instrument("USD/JPY")
    desk.add_bot("simulated", yen)
    desk.converter.ask("simulated")
    found = value(desk, JPY="149000")
    assert found is not None
    assert 500 < found < 2000


def test_a_declared_equality_is_used_where_no_market_knows_better_and_is_said() -> None:
    desk = Desk(Terms(equals=(("USDT", "USD"),)))
    desk.add_bot("simulated", BTC)
    total = desk.converter.add_up({"USDT": D(100)})
    assert (total.value, total.chains[0].declared) == (100, ("USDT counted as USD",))


def test_a_market_that_is_gone_or_breaks_in_the_middle_takes_nothing_away() -> None:
    desk = Desk()
    desk.add_bot("gone", BTC, "b1")
    desk.converter.ask("gone")
    market = desk.add_market(REAL, BTC, TETHER, EURO)  # without a price of the first two
    market.set_price("EUR/USD", "1.1")
    desk.add_bot(REAL, instrument(symbol="X/EUR", base="X", quote="EUR"), "b2")
    desk.converter.ask(REAL)
    assert value(desk, EUR="10", USDT="5") == 11


def test_a_round_begins_off_the_loop_and_only_where_the_last_one_is_over() -> None:
    desk = Desk()
    market = desk.add_market(REAL, BTC, TETHER)
    market.set_price("USDT/USD", "0.98")
    desk.add_bot(REAL, BTC)

    async def two_rounds() -> None:
        await desk.converter.refresh()
        await asyncio.sleep(0)
        await desk.converter.refresh()
        for _ in range(500):
            if desk.converter.add_up({"USDT": D(1)}).value is not None:
                return
            await asyncio.sleep(0.005)
        pytest.fail("no rate came")

    asyncio.run(two_rounds())
    assert market.asked == ["USDT/USD"]
