"""Fault matrix, rows 21, 22 and 26: a stock bot through closes and openings, gaps within a session,
and candles of another source."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.domain.bots import BotState, Overnight
from engine.domain.candles import Candles
from engine.domain.decisions import Action, Intent, Verdict
from engine.domain.instruments import InstrumentKind
from engine.errors import DataError, SourceBusy
from engine.services import candle_feed, quote_desk
from engine.services.candle_sources import CandleSources, SourceKind
from engine.services.fallback_candles import FallbackCandles
from tests.fakes.candle_source import FakeCandleSource
from tests.fakes.clock import FakeClock
from tests.fakes.market import BTC
from tests.fakes.session_market import SessionMarket
from tests.support.stock_days import StockDays, stock_days
from tests.unit.samples import config
from tests.unit.test_sessions import at

LONG, OUT, HOLD = (
    Intent(enter_long=True, reason="up"), Intent(exit_long=True, reason="enough"),
    Intent(reason="nothing"),
)  # fmt: skip
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for in real time."""
    monkeypatch.setattr(candle_feed, "WAITS_S", (0.0,))
    monkeypatch.setattr(candle_feed, "LONG_WAITS_S", (0.0,))
    monkeypatch.setattr(candle_feed, "SECOND_TRY_S", 0.0)
    monkeypatch.setattr(quote_desk, "PATIENCE_S", 0.0)


def stock_config(**changes: Any) -> Any:
    """Hours of a share, looked at every quarter of an hour; no stop unless asked for."""
    fields = {"symbol": "AAPL", "market": "stocks", "timeframe": "1h", "interval_s": 900,
              "amount": 1000, "stop_loss": None, "take_profit": None}  # fmt: skip
    return config(**(fields | changes))


Open = Callable[..., AbstractContextManager[StockDays]]


@pytest.fixture
def on_wednesday(tmp_path: Path) -> Open:
    """Opens a bot's days at three in the afternoon in New York, the day before Thanksgiving."""

    def open_days(**changes: Any) -> AbstractContextManager[StockDays]:
        market = SessionMarket(FakeClock(at("2026-11-25 20:00")))
        return stock_days(tmp_path, market, stock_config(**changes))

    return open_days


def test_row_21_a_stock_bot_sleeps_through_thanksgiving_and_decides_the_first_candle_after(
    on_wednesday: Open,
) -> None:
    with on_wednesday() as days:
        days.host.script.extend([HOLD] * 20)
        days.tick()
        days.to(at("2026-11-25 21:00"))
        assert days.bot.state is BotState.SLEEPING
        assert days.bot.reason == (
            "Sleeps until Fri 2026-11-27 14:30 UTC (Fri 09:30 in New York): XNYS is closed"
            " (outside its hours)."
        )
        asked, looked = len(days.market.requests), len(days.market.quote_requests)
        days.to(at("2026-11-27 14:24"), step_s=900)
        assert len(days.market.requests) == asked, "nobody asks for candles over night"
        assert len(days.market.quote_requests) == looked, "nor for prices with nothing at stake"
        days.to(at("2026-11-27 14:25"))
        assert len(days.market.requests) == asked + 1, "the warm-up, five minutes ahead"
        assert days.bot.state is BotState.SLEEPING
        days.to(at("2026-11-27 14:30"))
        assert days.bot.state is BotState.RUNNING
        assert days.bot.reason == ""
        days.to(at("2026-11-27 15:30"))
        opened = [one.candle_time for one in days.decisions()]
        assert opened[-2:] == [at("2026-11-25 20:30"), at("2026-11-27 14:30")]
        assert len(opened) == len(set(opened))
        days.to(at("2026-11-27 18:00"))
        assert days.bot.state is BotState.SLEEPING, "a half-day"
        assert "until Mon 2026-11-30 14:30 UTC" in days.bot.reason
        assert [event.kind for event in days.events("bot.")] == [
            "bot.running", "bot.sleeping", "bot.running", "bot.sleeping",
        ]  # fmt: skip
        assert not days.events("cycle."), "no fault of candles over any of it"


def test_row_21_nothing_is_held_over_a_half_day_when_it_is_not_to_be(on_wednesday: Open) -> None:
    with on_wednesday(overnight=Overnight.CLOSE, close_before_min=10) as days:
        days.to(at("2026-11-27 14:30"), step_s=900)
        days.host.script.extend([LONG] * 30)
        days.to(at("2026-11-27 17:49"))
        assert days.books.positions
        assert days.bot.state is BotState.RUNNING
        days.to(at("2026-11-27 18:10"))
        assert not days.books.positions
        [trade] = days.trades()
        assert trade.exit_reason == "session_end"
        assert at("2026-11-27 17:50") <= trade.exit_time < at("2026-11-27 18:00")
        assert days.bot.state is BotState.SLEEPING, "and it does not enter again"


def test_row_21_a_position_that_is_kept_is_watched_again_from_the_opening(
    on_wednesday: Open,
) -> None:
    with on_wednesday(stop_loss="0.05") as days:
        days.host.script.extend([LONG] + [HOLD] * 30)
        days.to(at("2026-11-25 21:01"))
        assert days.books.positions
        days.market.price = lambda _opened: 80.0  # over night
        days.to(at("2026-11-27 14:29"), step_s=900)
        assert days.books.positions, "nothing can be sold while the market is closed"
        days.to(at("2026-11-27 14:31"))
        [trade] = days.trades()
        assert trade.exit_reason == "stop_loss"
        assert trade.exit_time >= at("2026-11-27 14:30")


def test_row_21_hours_from_the_opening_on_are_decided_as_they_close(on_wednesday: Open) -> None:
    """They close at half past, and the bot's job runs on the hour."""
    with on_wednesday(interval_s=3600) as days:
        days.host.script.extend([HOLD] * 20)
        days.tick()
        days.to(at("2026-11-25 20:31"))
        decided = {one.candle_time: one.decided_at for one in days.decisions()}
        assert decided[at("2026-11-25 19:30")] == at("2026-11-25 20:30")


def test_row_21_a_day_is_decided_at_the_next_opening(on_wednesday: Open) -> None:
    with on_wednesday(timeframe="1d", interval_s=900) as days:
        days.host.script.extend([HOLD] * 20)
        days.tick()
        days.to(at("2026-11-27 14:31"), step_s=900)
        decided = {one.candle_time: one.decided_at for one in days.decisions()}
        assert decided[at("2026-11-25 14:30")] == at("2026-11-27 14:30")
        assert max(decided) == at("2026-11-25 14:30"), "Thanksgiving has no candle, and is no gap"
        assert not days.events("cycle.")


def test_row_21_a_week_of_currencies_ends_on_friday_in_new_york(tmp_path: Path) -> None:
    euro = BTC.model_copy(
        update={"symbol": "EUR/USD", "base": "EUR", "quote": "USD", "kind": InstrumentKind.FOREX}
    )
    market = SessionMarket(FakeClock(at("2026-11-26 12:00")), instruments=[euro])
    settings = stock_config(symbol="EUR/USD", timeframe="15m")
    with stock_days(tmp_path, market, settings) as days:
        days.host.script.extend([HOLD] * 200)
        days.to(at("2026-11-27 21:45"), step_s=900)
        assert days.bot.state is BotState.RUNNING, "Thanksgiving is traded through"
        days.to(at("2026-11-27 22:00"))
        assert days.bot.reason == (
            "Sleeps until Sun 2026-11-29 22:00 UTC (Sun 17:00 in New York): forex is closed"
            " (weekend)."
        )
        days.to(at("2026-11-29 22:15"), step_s=900)
        assert days.decisions()[-1].candle_time == at("2026-11-29 22:00")
        assert not days.events("cycle.")


def test_row_21_an_engine_that_starts_at_night_lets_its_bot_sleep(on_wednesday: Open) -> None:
    with on_wednesday() as days:
        days.clock.current = at("2026-11-26 04:00")
        days.tick()
        assert days.bot.state is BotState.SLEEPING
        assert days.bot.reason.startswith("Sleeps until Fri 2026-11-27 14:30 UTC")
        assert not days.market.requests


def test_row_22_a_gap_within_a_session_is_not_decided_over(on_wednesday: Open) -> None:
    """What is before the gap is left out; what is stale is refused."""
    with on_wednesday(timeframe="1m", interval_s=60) as days:
        days.host.script.extend([HOLD] * 60)
        lost = at("2026-11-25 19:00"), at("2026-11-25 19:30")
        outage = at("2026-11-25 20:01"), at("2026-11-26")
        days.market.edit = lambda candles: _without(candles, *lost)
        days.to(at("2026-11-25 20:01"))
        feed = days.feed.find("stocks", "AAPL", "1m")
        assert feed is not None
        assert feed.candles is not None
        assert feed.candles.time[0] == lost[1].timestamp() * 1000
        assert "30 minutes of a session are missing" in feed.notes[0]
        assert days.decisions(), "on the candles after it"
        days.market.edit = lambda candles: _without(candles, *outage)
        days.to(at("2026-11-25 20:20"))
        assert "s old" in days.bot.reason
        newest = days.decisions()[-1].candle_time
        days.market.edit = lambda candles: candles
        days.to(at("2026-11-25 20:22"))
        assert days.bot.reason == ""
        assert days.decisions()[-1].candle_time > newest


def _without(candles: Candles, start: datetime, end: datetime) -> Candles:
    kept = (candles.time < start.timestamp() * 1000) | (candles.time >= end.timestamp() * 1000)
    names = ("time", "open", "high", "low", "close", "volume")
    return Candles(candles.timeframe, *(getattr(candles, name)[kept] for name in names))


def test_row_22_a_candle_that_does_not_come_is_said(on_wednesday: Open) -> None:
    with on_wednesday(timeframe="15m") as days:
        days.market.has_empty_bars_left_out = False
        days.host.script.extend([HOLD] * 10)
        days.to(at("2026-11-25 20:15"))
        days.market.hidden = 1
        days.to(at("2026-11-25 20:30"))
        assert days.bot.reason == "The 15m candle that closed at 20:30:00 UTC is late."
        days.market.hidden = 0
        days.to(at("2026-11-25 20:45"))
        assert days.bot.reason == ""


# --- row 26: another source ----------------------------------------------------------------------


class Minutes(FakeCandleSource):
    """It has minutes, too."""

    def timeframes(self) -> list[str]:
        """A minute and an hour."""
        return ["1m", "1h"]


class Silence:
    """A market that gives no candles, or no answer at all."""

    def __init__(self, folder: Path) -> None:
        clock = FakeClock(at("2026-11-25 20:00"))
        self.market = SessionMarket(clock, instruments=[BTC], market_id="ccxt:binance")
        source = Minutes("ccxt:kraken", clock.now)
        kinds = {"ccxt": SourceKind(lambda _id: source, {}, "", ("1m", "1h"))}
        fallbacks = FallbackCandles(CandleSources(kinds), ["ccxt:kraken"])
        settings = stock_config(symbol="BTC/USDT", market="ccxt:binance", stop_loss="0.05")
        self.open = partial(stock_days, folder, self.market, settings, fallbacks)
        price = clock.now().timestamp() // 3600
        self.market.price = lambda _opened: price  # the source's, too: the number of the hour

    def give_no_candles(self, _candles: Candles) -> Candles:
        """An edit that fails."""
        raise DataError("binance does not answer (RequestTimeout).")


@pytest.fixture
def silence(tmp_path: Path) -> Iterator[Silence]:
    yield Silence(tmp_path)


def test_row_26_on_another_sources_candles_nothing_is_entered_and_exits_go_on(
    silence: Silence,
) -> None:
    with silence.open() as days:
        days.host.script.extend([LONG, HOLD, HOLD, OUT, LONG])
        days.to(at("2026-11-25 21:00"), step_s=900)
        assert days.books.positions
        days.market.edit = silence.give_no_candles
        days.to(at("2026-11-25 22:00"), step_s=900)
        words = "Candles from Kraken since 22:00 UTC: binance does not answer (RequestTimeout)."
        assert words in days.decisions()[-1].trace[0].detail
        days.to(at("2026-11-25 23:00"), step_s=900)
        [trade] = days.trades()
        assert trade.exit_reason == "signal"
        days.to(at("2026-11-26 00:00"), step_s=900)
        refused = days.decisions()[-1]
        assert refused.action is Action.HOLD
        veto = next(step for step in refused.trace if step.verdict is Verdict.VETO)
        assert veto.detail == f"entries wait for the market's own candles. {words}"


def test_row_26_entries_on_another_source_are_a_choice(silence: Silence) -> None:
    with silence.open(enters_on_fallback=True) as days:
        days.market.edit = silence.give_no_candles
        days.host.script.extend([LONG])
        days.to(at("2026-11-25 20:01"))
        assert days.books.positions


def test_row_26_a_stop_is_watched_on_the_minutes_of_another_source(silence: Silence) -> None:
    """The market tells no price; its account takes the order as soon as it can."""
    with silence.open() as days:
        days.host.script.extend([LONG] + [HOLD] * 10)
        days.to(at("2026-11-25 20:01"))
        assert days.books.positions
        # Kraken's price of a minute is its number since 1970, and this stop is far above it.
        [position] = days.books.positions.values()
        with days.books.writing() as writing:
            writing.put_position(
                position.model_copy(update={"stop_price": position.average_price * 1000})
            )
        days.market.failure = SourceBusy("binance does not answer (RequestTimeout).")
        days.to(at("2026-11-25 20:04"))
        working = [order for orders in days.books.working.values() for order in orders.values()]
        assert [order.purpose.value for order in working] == ["exit"], "planned, and waiting"
        days.market.failure = None
        days.to(at("2026-11-25 20:06"))
        [trade] = days.trades()
        assert trade.exit_reason == "stop_loss"
