"""The feed: few requests for many bots, top-ups that are checked, late candles, other sources."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from engine.domain.candles import Candles
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.records import Level
from engine.errors import DataError, NotFound, SourceBusy
from engine.ports import MarketData
from engine.services import candle_feed
from engine.services.candle_feed import CandleFeed
from engine.services.candle_sources import CandleSources, SourceKind
from engine.services.fallback_candles import FallbackCandles
from engine.services.feed_status import Fed
from engine.services.lanes import Lanes
from engine.services.market_hours import MarketHours
from tests.fakes.calendars import FakeCalendars
from tests.fakes.candle_source import FakeCandleSource
from tests.fakes.clock import FakeClock
from tests.fakes.market import BTC
from tests.fakes.session_market import SessionMarket, stock
from tests.support.candle_rows import without
from tests.unit.test_sessions import at

FOREX = InstrumentKind.FOREX
MIDDAY = at("2026-11-25 17:00")
DOWN = SourceBusy("binance does not answer (RequestTimeout).")


@dataclass
class Desk:
    """A feed over one market, on a clock that is turned by hand."""

    clock: FakeClock
    market: SessionMarket
    feed: CandleFeed
    lanes: Lanes
    loop: asyncio.Runner
    told: list[tuple[Level, str]] = field(default_factory=list)

    def ask(self, symbol: str = "AAPL", timeframe: str = "1m", limit: int = 100) -> Fed:
        """One question."""
        return self.loop.run(self.feed.ask(self.market, symbol, timeframe, limit))

    def limits(self) -> list[int]:
        """How many candles each request was for."""
        return [request.limit for request in self.market.requests]


@contextmanager
def open_desk(market: SessionMarket, fallbacks: FallbackCandles | None = None) -> Iterator[Desk]:
    """A desk whose own hours are the fake calendars'."""
    lanes = Lanes()
    told: list[tuple[Level, str]] = []

    def tell(level: Level, _kind: str, message: str) -> None:
        told.append((level, message))

    feed = CandleFeed(lanes, MarketHours(FakeCalendars()), fallbacks, tell)
    with asyncio.Runner() as loop:
        yield Desk(market.clock, market, feed, lanes, loop, told)
    lanes.close()


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candles that are late are waited for without waiting."""
    monkeypatch.setattr(candle_feed, "WAITS_S", (0.0, 0.0))
    monkeypatch.setattr(candle_feed, "LONG_WAITS_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(candle_feed, "SECOND_TRY_S", 0.0)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A feed of stocks at midday in New York."""
    with open_desk(SessionMarket(FakeClock(MIDDAY))) as desk:
        yield desk


def test_questions_of_any_length_share_one_feed(desk: Desk) -> None:
    async def ask() -> list[Candles]:
        many = (desk.feed.candles(desk.market, "AAPL", "1m", 50 + n % 2) for n in range(20))
        return list(await asyncio.gather(*many))

    found = desk.loop.run(ask())
    assert {len(candles) for candles in found} == {50, 51}
    assert desk.limits() == [50, 51], "once more for the longer ones, and never again"
    desk.clock.advance(60)
    desk.loop.run(ask())
    assert len(desk.market.requests) == 3


def test_only_what_is_new_is_asked_for(desk: Desk) -> None:
    before = desk.ask().candles
    desk.clock.advance(60)
    after = desk.ask().candles
    desk.clock.advance(4 * 60)
    desk.ask(limit=30)
    assert desk.limits() == [100, 4, 7], "with three that are known already"
    assert len(after) == 100
    assert (after.time[:-1] == before.time[1:]).all()
    assert int(after.time[-1] - before.time[-1]) == 60_000


def test_a_past_candle_that_has_changed_has_all_asked_for_anew(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    first = desk.ask().candles
    changed = int(first.time[-1])
    desk.clock.advance(60)
    desk.market.price = lambda opened: 101.0 if opened == changed else 100.0
    candles = desk.ask().candles
    assert candles.close[candles.time == changed] == [101.0]
    assert desk.limits() == [100, 4, 100]
    feed = desk.feed.find("stocks", "AAPL", "1m")
    assert feed is not None
    assert feed.revisions == 1
    assert "has changed past 1m candles of AAPL" in caplog.text


def test_after_hours_without_a_question_everything_is_asked_for(desk: Desk) -> None:
    desk.ask()
    desk.clock.advance(3 * 3600)
    desk.ask()
    assert desk.limits() == [100, 100]


def test_nothing_is_asked_for_over_night_and_the_first_candle_of_the_day_is(desk: Desk) -> None:
    desk.clock.current = at("2026-11-25 21:00")
    newest = desk.ask().candles.last_close_time
    assert newest == at("2026-11-25 21:00")
    for moment in ("2026-11-26 03:00", "2026-11-26 16:00", "2026-11-27 14:30"):
        desk.clock.current = at(moment)
        assert desk.ask().candles.last_close_time == newest, moment
    assert len(desk.market.requests) == 1
    desk.clock.current = at("2026-11-27 14:31")
    assert desk.ask().candles.last_close_time == at("2026-11-27 14:31")
    assert len(desk.market.requests) == 2


def test_a_late_candle_is_waited_for_once_for_all_and_then_said(desk: Desk) -> None:
    desk.market.has_empty_bars_left_out = False
    desk.ask()
    desk.clock.advance(60)
    desk.market.hidden = 1
    fed = desk.ask()
    tries = len(desk.market.requests)
    assert fed.late == "The 1m candle that closed at 17:01:00 UTC is late."
    assert fed.candles.last_close_time == MIDDAY
    desk.ask()
    assert len(desk.market.requests) == tries, "others do not wait all over again"
    desk.clock.advance(6)
    desk.market.hidden = 0
    fed = desk.ask()
    assert (fed.late, fed.candles.last_close_time) == ("", MIDDAY + timedelta(minutes=1))


def test_a_quiet_minute_is_no_late_candle(desk: Desk) -> None:
    desk.ask()
    desk.clock.advance(60)
    desk.market.hidden = 1
    assert desk.ask().late == ""
    tries = len(desk.market.requests)
    desk.ask()
    assert len(desk.market.requests) == tries


def test_many_bots_share_a_failure_and_the_next_second_asks_again(desk: Desk) -> None:
    desk.market.failure = DataError("The exchange does not answer.")

    async def ask() -> list[Any]:
        many = (desk.feed.candles(desk.market, "AAPL", "1m", 50) for _ in range(20))
        return await asyncio.gather(*many, return_exceptions=True)

    refused = desk.loop.run(ask())
    assert {str(one) for one in refused} == {"The exchange does not answer."}
    assert len(desk.market.requests) == 1
    feed = desk.feed.find("stocks", "AAPL", "1m")
    assert feed is not None
    assert (feed.errors, feed.newest, feed.failing_since) == (1, None, MIDDAY)
    desk.market.failure = None
    desk.clock.advance(1)
    assert len(desk.ask(limit=50).candles) == 50
    assert (feed.error, feed.failing_since) == ("", None)


def test_a_check_that_comes_before_the_venues_close_waits_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's clock is ahead by a second and a half."""
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        desk.clock.advance(seconds)

    desk.ask()
    monkeypatch.setattr("engine.services.candle_feed.asyncio.sleep", nap)
    desk.clock.advance(58.5)
    assert desk.ask().candles.last_close_time == MIDDAY + timedelta(minutes=1)
    assert naps == [1.5]
    desk.clock.advance(50)
    assert desk.ask().candles.last_close_time == MIDDAY + timedelta(minutes=1)
    assert naps == [1.5], "ten seconds are no difference of clocks"


def test_a_clock_that_was_set_back_has_everything_asked_for_anew(desk: Desk) -> None:
    desk.ask()
    desk.clock.current -= timedelta(hours=1)
    assert desk.ask().candles.last_close_time == desk.clock.current


def test_a_market_says_that_it_leaves_out_what_did_not_trade() -> None:
    """Nothing closes at crypto, and still a minute without a trade is no gap there."""

    for is_sparse, words in ((True, ""), (False, "have a gap")):
        market = SessionMarket(FakeClock(MIDDAY), instruments=[coin()])
        market.has_empty_bars_left_out = is_sparse
        market.edit = without_one
        with open_desk(market) as desk:
            if words:
                with pytest.raises(DataError, match=words):
                    desk.ask("BTC/USDT", "1m", 30)
            else:
                assert len(desk.ask("BTC/USDT", "1m", 30).candles) == 29


def without_one(candles: Candles) -> Candles:
    """A candle in the middle did not come."""
    return without(candles, len(candles) // 2)


def test_feeds_that_nobody_asks_are_dropped(desk: Desk) -> None:
    desk.ask("AAPL")
    desk.clock.advance(23 * 3600)
    desk.ask("MSFT")
    desk.feed.drop_unused(desk.clock.now() + timedelta(hours=2))
    assert [row.symbol for row in desk.feed.rows()] == ["MSFT"]


# --- other sources -------------------------------------------------------------------------------


ORDER = ("ccxt:binance", "ccxt:kraken", "yahoo")


class Others:
    """Two exchanges and Yahoo; ``made`` are those that were asked, by id."""

    def __init__(self, clock: FakeClock) -> None:
        self.made: dict[str, FakeCandleSource] = {}
        self._clock = clock
        kinds = {
            "ccxt": SourceKind(self._make, {}, "", ("1h",)),
            "yahoo": SourceKind(self._make, {"yahoo": "Yahoo"}, "", ("1h",)),
        }
        self.fallbacks = FallbackCandles(CandleSources(kinds), ORDER)

    def _make(self, source_id: str) -> FakeCandleSource:
        made = self.made[source_id] = FakeCandleSource(source_id, self._clock.now)
        made.listed.add("BTC/USD")
        return made


def coin(quote: str = "USDT") -> Instrument:
    """Bitcoin against a currency."""
    return BTC.model_copy(update={"symbol": f"BTC/{quote}", "quote": quote})


@pytest.fixture
def others() -> Others:
    """Where else there are candles."""
    return Others(FakeClock(MIDDAY))


@pytest.fixture
def coins(others: Others) -> Iterator[Desk]:
    """A feed of Binance's bitcoin, with other sources."""
    market = SessionMarket(
        others._clock, instruments=[coin(), coin("USD")], market_id="ccxt:binance"
    )
    with open_desk(market, others.fallbacks) as desk:
        yield desk


def test_when_a_market_does_not_answer_the_next_source_does_and_it_is_said(
    coins: Desk, others: Others
) -> None:
    own = coins.ask("BTC/USDT", "1h", 20)
    assert (own.is_own, own.source, own.words) == (True, "ccxt:binance", "")
    coins.market.failure = DOWN
    coins.clock.advance(3600)
    fed = coins.ask("BTC/USDT", "1h", 20)
    assert (fed.is_own, fed.source) == (False, "Kraken"), "Binance itself is not asked again"
    assert fed.words == (
        "Candles from Kraken since 18:00 UTC: binance does not answer (RequestTimeout)."
    )
    assert len(fed.candles) == 20
    assert fed.candles.last_close_time == coins.clock.now()
    assert list(others.made) == ["ccxt:kraken"]
    assert coins.told == [(Level.WARNING, fed.words)]
    coins.clock.advance(3600)
    assert coins.ask("BTC/USDT", "1h", 20).words == fed.words, "since then, and said once"
    assert len(coins.told) == 1


def test_its_own_candles_are_taken_again_as_soon_as_there_are_any(coins: Desk) -> None:
    coins.market.failure = DOWN
    assert not coins.ask("BTC/USDT", "1h", 20).is_own
    coins.market.failure = None
    coins.clock.advance(3600)
    fed = coins.ask("BTC/USDT", "1h", 20)
    assert (fed.is_own, fed.words) == (True, "")
    assert (fed.candles.close == 100).all(), "not one of the other source's is left"
    assert coins.told[-1] == (Level.INFO, "Candles of BTC/USDT come from ccxt:binance again.")


def test_one_lost_answer_changes_no_source(coins: Desk) -> None:
    failures = [DOWN]
    candles = coins.market.candles

    def fails_once(*args: Any, **options: Any) -> Candles:
        if failures:
            raise failures.pop()
        return candles(*args, **options)

    coins.market.candles = fails_once  # type: ignore[method-assign]
    assert coins.ask("BTC/USDT", "1h", 20).is_own
    assert not coins.told


def test_a_source_in_trouble_is_passed_over_and_with_none_left_the_markets_error_is_shown(
    coins: Desk, others: Others
) -> None:
    coins.market.failure = DOWN
    assert coins.ask("BTC/USD", "1h", 20).source == "Kraken"
    others.made["ccxt:kraken"].faults.extend([SourceBusy("Kraken is busy.")])
    coins.clock.advance(3600)
    assert coins.ask("BTC/USD", "1h", 20).source == "Yahoo"
    for source in others.made.values():
        source.faults.extend([SourceBusy("Busy.")])
    coins.clock.advance(3600)
    with pytest.raises(DataError, match="binance does not answer"):
        coins.ask("BTC/USD", "1h", 20)


def test_stale_candles_are_as_good_as_no_answer(coins: Desk) -> None:
    coins.market.hidden = 5
    fed = coins.ask("BTC/USDT", "1h", 20)
    assert (fed.is_own, fed.source) == (False, "Kraken")
    assert "is 18000 s old" in fed.words


def test_an_unknown_symbol_is_looked_for_nowhere_else(coins: Desk, others: Others) -> None:
    with pytest.raises(NotFound):
        coins.ask("NOPE/USDT", "1h", 20)
    assert not others.made
    [feed] = coins.feed.rows()
    assert feed.error == "There is no symbol 'NOPE/USDT'."


def test_no_source_stands_in_for_the_prices_of_a_test_network(others: Others) -> None:
    class TestNetwork(SessionMarket):
        has_prices_of_its_own = True

    market = TestNetwork(others._clock, instruments=[coin()], market_id="testnet:binance")
    assert not others.fallbacks.of(market, "BTC/USDT", "1h")


def test_a_late_candle_of_another_source_is_not_waited_for(coins: Desk, others: Others) -> None:
    coins.market.failure = DOWN
    coins.ask("BTC/USDT", "1h", 20)
    source, asked = others.made["ccxt:kraken"], len(coins.market.requests)
    coins.clock.advance(3600)
    newest = int(MIDDAY.timestamp()) * 1000
    source.missing = {newest}
    assert coins.ask("BTC/USDT", "1h", 20).candles.last_close_time == MIDDAY
    assert (len(coins.market.requests), len(source.asked)) == (asked + 1, 2)


@pytest.mark.parametrize(
    ("instrument", "market_id", "wanted"),
    [
        (coin(), "ccxt:binance", {"ccxt:kraken": "BTC/USDT"}),  # Yahoo has no tether
        (coin("USD"), "account:mine", {"ccxt:binance": "BTC/USD", "ccxt:kraken": "BTC/USD",
                                       "yahoo": "BTC-USD"}),
        (stock("BRK.B"), "stocks", {"yahoo": "BRK-B"}),
        (stock("INFY", "XBOM"), "stocks", {}),
        (stock("SAP").model_copy(update={"quote": "EUR"}), "account:mine", {}),
        (stock("SAP", "XNYS").model_copy(update={"quote": "EUR"}), "account:mine", {}),
        (coin("EUR").model_copy(update={"kind": FOREX, "base": "GBP"}), "account:mine",
         {"yahoo": "GBP/EUR"}),
    ],
)  # fmt: skip
def test_only_the_very_same_instrument_is_taken(
    others: Others, instrument: Instrument, market_id: str, wanted: dict[str, str]
) -> None:
    clock = FakeClock(MIDDAY)
    market: MarketData = SessionMarket(clock, instruments=[instrument], market_id=market_id)
    found = others.fallbacks.of(market, instrument.symbol, "1h")
    assert {one.source_id: one.symbol for one in found} == wanted
    assert not others.fallbacks.of(market, instrument.symbol, "5s"), "not in this timeframe"
