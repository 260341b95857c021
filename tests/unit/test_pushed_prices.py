"""Prices that are pushed: kept once, a market of their own, silent when nobody pushes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.market_data.pushed import PushedMarket
from engine.adapters.store.store import SqlStore
from engine.domain.instruments import InstrumentKind
from engine.domain.pushed import Bar, PushedPrices, Sender, SymbolFacts, TerminalState
from engine.errors import DataError, NotFound, StoreError
from engine.services.take_prices import Envelope, Taken
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.metatrader_desk import bridge_over

ACCOUNT, SYMBOL = "51", "EURUSD"
FACTS = SymbolFacts(
    digits=5, point=D("0.00001"), contract_size=D(100_000), lot_min=D("0.01"), lot_step=D("0.01"),
    lot_max=D(50), base="EUR", profit="USD", path="Forex\\EURUSD",
)  # fmt: skip
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def bar(minute: int, close: str = "1.10", length: timedelta = MINUTE) -> Bar:
    price = D(close)
    return Bar(time=START + minute * length, open=price, high=price, low=price, close=price,
               volume=D(10))  # fmt: skip


class Room:
    """A bridge, its clock, and the market of one account."""

    def __init__(self, store: MemoryStore | SqlStore | None = None) -> None:
        self.clock = FakeClock(START)
        self.store = store or MemoryStore(self.clock.now)
        self.bridge = bridge_over(self.store, self.clock)
        self.market = PushedMarket(
            f"metatrader:{ACCOUNT}", ACCOUNT, self.bridge.terminals, self.clock
        )
        self.told: list[tuple[tuple[str, ...], str]] = []
        self.bridge.desk.prices.on_bar = lambda markets, symbol: self.told.append(
            (tuple(markets), symbol)
        )
        self._sent = 0

    def push(self, newest: Bar | None, *, bid: str = "1.10000", **changes: Any) -> Taken:
        """A message of now; each is another."""
        self._sent += 1
        fields: dict[str, Any] = {
            "sender": Sender(account=ACCOUNT), "symbol": SYMBOL, "timeframe": "1m",
            "sent_at": self.clock.now(), "bid": D(bid), "ask": D(bid) + D("0.00002"),
            "bar": newest,
        }  # fmt: skip
        told = PushedPrices(**(fields | changes))
        return self.bridge.desk.prices.take(told, Envelope(f"message {self._sent}"))

    def minutes(self, count: int, since: int = 0) -> None:
        """A bar a minute, each pushed as it has closed."""
        for minute in range(since, since + count):
            self.clock.current = START + (minute + 1) * MINUTE
            self.push(bar(minute, f"1.1{minute % 10}"))


def test_a_new_bar_is_told_once_and_a_changed_one_again() -> None:
    room = Room()
    room.clock.advance(60)
    assert room.push(bar(0)).bar == "new"
    assert room.push(bar(0)).bar == "same"
    assert room.push(bar(0, "1.11")).bar == "changed"
    assert room.told == [(("metatrader:51",), SYMBOL)] * 2
    [kept] = room.bridge.terminals.bars(ACCOUNT, SYMBOL, "1m")
    assert (kept.close, kept.changes) == (D("1.11"), 1)


def test_past_bars_are_asked_for_once_and_a_gap_is_filled() -> None:
    room = Room()
    room.clock.current = START + 10 * MINUTE
    assert room.push(bar(9)).wants_bars == 500
    assert room.push(bar(9)).wants_bars == 0, "it was asked a moment ago"
    room.push(bar(9), earlier=tuple(bar(minute) for minute in range(9)))
    assert len(room.market.candles(SYMBOL, "1m", limit=50)) == 10
    room.clock.current = START + 15 * MINUTE
    assert room.push(bar(14)).wants_bars == 6, "from the last known bar on"
    room.push(bar(14), earlier=tuple(bar(minute) for minute in range(9, 14)))
    times = room.market.candles(SYMBOL, "1m", limit=50).time
    assert len(times) == 15
    assert set(times[1:] - times[:-1]) == {60_000}


def test_a_message_that_was_overtaken_does_not_turn_prices_back() -> None:
    room = Room()
    room.push(None, bid="1.20000")
    room.push(None, bid="1.10000", sent_at=START - timedelta(seconds=5))
    assert room.market.quote(SYMBOL).bid == D("1.2")
    assert room.market.price(SYMBOL).received == 2


def test_silence_is_said_with_its_beginning_and_ends_with_the_next_price() -> None:
    room = Room()
    room.minutes(3)
    room.clock.advance(61)
    for ask in (lambda: room.market.quote(SYMBOL),
                lambda: room.market.candles(SYMBOL, "1m", limit=2)):  # fmt: skip
        with pytest.raises(DataError, match=r"since 2026-03-02 12:03:00 UTC.*account 51"):
            ask()
    past = room.market.candles(SYMBOL, "1m", limit=2, before=START + 3 * MINUTE)
    assert len(past) == 2, "charts show what there was"
    room.push(None)
    assert room.market.quote(SYMBOL).time == room.clock.now()


def test_before_the_first_bar_it_is_waited_for_in_words() -> None:
    room = Room()
    with pytest.raises(NotFound, match="Symbols of the Expert Advisor"):
        room.market.quote(SYMBOL)
    room.push(None)
    with pytest.raises(DataError, match="Waiting for the first 1m candles of EURUSD"):
        room.market.candles(SYMBOL, "1m", limit=5)
    assert len(room.market.bars_since(SYMBOL, START)) == 0


def test_a_bar_is_not_given_before_it_has_closed_by_our_clock() -> None:
    room = Room()
    room.minutes(2)
    room.clock.current = START + 2 * MINUTE - timedelta(seconds=1)  # the sender's clock is ahead
    assert len(room.market.candles(SYMBOL, "1m", limit=5)) == 1


def test_longer_candles_are_joined_from_whole_beginnings_only() -> None:
    room = Room()
    room.minutes(130, since=-30)
    room.clock.current = START + 100 * MINUTE
    assert list(room.market.timeframes()) == ["1m", "1h", "2h", "4h", "6h", "12h", "1d"]
    hours = room.market.candles(SYMBOL, "1h", limit=5)
    assert len(hours) == 1, "11:30 to 12:00 is no hour, and 13:00 to 13:40 none yet"
    assert float(hours.volume[0]) == 600
    assert len(room.market.candles(SYMBOL, "5m", limit=50)) == 26, "whatever is a multiple"
    with pytest.raises(DataError, match="Waiting for the first 1s"):
        room.market.candles(SYMBOL, "1s", limit=5)


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    first = Room(SqlStore.open(url))
    first.minutes(5)
    first.push(None, facts=FACTS, indicators={"rsi_14": 40.5})
    first.store.close()
    again = Room(SqlStore.open(url))
    again.clock.current = first.clock.current
    assert len(again.market.candles(SYMBOL, "1m", limit=9)) == 5
    assert again.market.instrument(SYMBOL).quantity_step == 1000
    find = again.bridge.desk.reader.find_indicators
    assert find("metatrader:51", SYMBOL) == {"mt_rsi_14": 40.5}
    assert find("metatrader:52", SYMBOL) == find("simulated", SYMBOL) == {}
    again.clock.advance(61)
    assert find("metatrader:51", SYMBOL) == {}, "old figures are none"
    again.store.close()


def test_what_cannot_be_committed_is_not_answered_and_not_told() -> None:
    room = Room()

    def full() -> None:
        raise StoreError("The disk is full.")

    assert isinstance(room.store, MemoryStore)
    room.clock.advance(60)
    room.store.before_commit = full
    with pytest.raises(StoreError):
        room.push(bar(0))
    room.store.before_commit = None
    assert room.told == []
    assert room.bridge.terminals.price(ACCOUNT, SYMBOL) is None


@pytest.mark.parametrize(
    ("symbol", "bid", "kind", "base", "quote", "tick"),
    [
        ("EURUSD", "1.10001", InstrumentKind.FOREX, "EUR", "USD", "0.00001"),
        ("USDJPY.r", "150.001", InstrumentKind.FOREX, "USD", "JPY", "0.001"),
        ("BTCUSD", "100.25", InstrumentKind.CRYPTO, "BTC", "USD", "0.01"),
        ("GBPUSD", "1.3014999999999999", InstrumentKind.FOREX, "GBP", "USD", "0.0001"),
        ("DE40", "18000.5", InstrumentKind.FOREX, "DE40", "USD", "0.1"),
    ],
)
def test_a_symbol_without_rules_is_understood_by_its_name_and_decimals(
    symbol: str, bid: str, kind: InstrumentKind, base: str, quote: str, tick: str
) -> None:
    room = Room()
    room.push(None, symbol=symbol, bid=bid, ask=D(bid))
    [found] = room.market.instruments()
    assert (found.kind, found.base, found.quote) == (kind, base, quote)
    assert found.price_tick == D(tick)
    assert found.min_quantity > 0


def test_told_rules_make_the_instrument_and_cash_is_never_its_base() -> None:
    room = Room()
    state = TerminalState(
        currency="EUR", balance=D(1), equity=D(1), margin=D(0), margin_free=D(1), is_demo=True,
        is_hedging=True, may_trade=True,
    )  # fmt: skip
    room.push(None, facts=FACTS)
    room.push(None, sender=Sender(account=ACCOUNT, state=state))
    found = room.market.instrument(SYMBOL)
    assert (found.base, found.quote) == (SYMBOL, "USD"), "a pair not quoted in the account's money"
    assert (found.quantity_step, found.max_quantity) == (1000, 5_000_000)


def test_bars_that_are_too_old_are_dropped() -> None:
    room = Room()
    room.minutes(3)
    room.clock.advance(60 * 19_999)
    assert room.bridge.desk.prices.tidy() == 2
    assert len(room.bridge.terminals.bars(ACCOUNT, SYMBOL, "1m")) == 1
