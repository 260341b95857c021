"""Prices: one request for all symbols of a market, and another source's while it is silent."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from engine.domain.instruments import Instrument, Quote
from engine.errors import DataError
from engine.ports import MarketData
from engine.services.candle_feed import PriceBoard
from engine.services.lanes import Lanes
from engine.services.quote_desk import QuoteDesk
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.session_market import SessionMarket, stock
from tests.unit.samples import bot, config
from tests.unit.test_sessions import at


class Board:
    """A desk with what it put on the board."""

    def __init__(self) -> None:
        self.prices = PriceBoard()
        self.lanes = Lanes()
        self.desk = QuoteDesk(self.lanes, self.prices)

    def ask(self, market: MarketData, *symbols: str) -> dict[str, Decimal]:
        """The prices that were told, by symbol."""

        async def all_of_them() -> list[Quote]:
            return [quote async for quote in self.desk.ask(market, symbols)]

        found = asyncio.run(all_of_them())
        self.lanes.close()
        for quote in found:
            about = bot(config(market=market.market_id, symbol=quote.symbol))
            assert self.prices.find(about) == quote
        return {quote.symbol: quote.last for quote in found}


def stocks(count: int) -> list[Instrument]:
    """Some shares."""
    return [stock(f"S{number}") for number in range(count)]


def test_all_symbols_of_a_market_are_one_request() -> None:
    market = SessionMarket(FakeClock(at("2026-11-25 17:00")), instruments=stocks(20))
    symbols = [one.symbol for one in market.instruments()]
    board = Board()
    assert board.ask(market, *symbols) == dict.fromkeys(symbols, Decimal("100.0"))
    assert market.quote_requests == [tuple(symbols)]
    assert board.desk.requests == 1


def test_a_single_symbol_is_asked_for_by_itself() -> None:
    market = SessionMarket(FakeClock(at("2026-11-25 17:00")))
    assert Board().ask(market, "AAPL") == {"AAPL": Decimal("100.0")}
    assert market.quote_requests == [("AAPL",)]


def test_a_symbol_in_trouble_leaves_the_others_their_price() -> None:
    market = FakeMarket()
    market.set_price("BTC/USDT", "100")
    assert Board().ask(market, "NOPE/USDT", "ETH/USDT", "BTC/USDT") == {"BTC/USDT": Decimal(100)}


def test_a_symbol_that_is_left_out_of_a_bulk_answer_has_no_price() -> None:
    class Partly(SessionMarket):
        def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
            return {one: self._quote(one) for one in symbols if one != "MSFT"}

    market = Partly(FakeClock(at("2026-11-25 17:00")))
    assert list(Board().ask(market, "AAPL", "MSFT")) == ["AAPL"]


def test_a_market_that_is_down_has_no_prices_and_raises_nothing() -> None:
    market = SessionMarket(FakeClock(at("2026-11-25 17:00")))
    market.failure = DataError("down")
    assert Board().ask(market, "AAPL", "MSFT") == {}
