"""Prices of a terminal: server time, weekends, joined candles, symbols; and what cannot be read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from engine.adapters.brokers.mt5.server_time import NEW_YORK_CLOSE
from engine.domain.candles import Candles, resample
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.errors import DataError, NotFound
from tests.contract.mt5_venue import Mt5Venue, local, opened
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import CRYPTO

MONDAY = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
HOURS = timedelta(hours=1)


def at(moment: datetime, **world: Any) -> Mt5Venue:
    return local(FakeClock(moment), **world)


def american(now: datetime) -> timedelta:
    """New York close: two hours ahead in winter, three from 8 March 2026 on."""
    return timedelta(hours=3 if now >= datetime(2026, 3, 8, 7, tzinfo=UTC) else 2)


def opens(candles: Candles) -> list[datetime]:
    return [from_epoch_ms(int(time)) for time in candles.time]


# --- symbols -------------------------------------------------------------------------------------


def test_symbols_are_listed_with_their_lots_as_units() -> None:
    market = local().market
    euro, coin, share = (market.instrument(name) for name in ("EURUSD", CRYPTO, "#AAPL"))
    assert (euro.base, euro.quote, euro.kind) == ("EUR", "USD", InstrumentKind.FOREX)
    assert (euro.quantity_step, euro.min_quantity) == (1000, 1000)
    assert euro.largest(is_market=True) == Decimal(10) ** 14, "an exit of more goes in several"
    assert euro.price_tick == Decimal("0.00001")
    assert (coin.base, coin.kind, coin.quantity_step) == (
        "BTC", InstrumentKind.CRYPTO, Decimal("0.001"),
    )  # fmt: skip
    assert (share.base, share.quote, share.kind) == ("#AAPL", "USD", InstrumentKind.STOCK)
    assert (euro.can_short, share.can_short) == (True, False)


def test_no_two_symbols_share_a_base_and_none_is_cash() -> None:
    bases = [each.base for each in local().market.instruments()]
    assert sorted(bases) == ["#AAPL", "BTC", "EUR", "EURJPY", "USDJPY"]


def test_a_symbol_that_is_not_shown_is_put_into_market_watch_when_it_is_asked_for() -> None:
    venue = local()
    assert "GBPUSD" not in [each.symbol for each in venue.market.instruments()]
    assert venue.market.instrument("GBPUSD").base == "GBP"
    assert venue.stand_in.world.symbols["GBPUSD"].is_visible
    with pytest.raises(NotFound, match="NOPE"):
        venue.market.instrument("NOPE")


def test_a_symbol_that_cannot_be_read_is_left_out_and_the_others_stay(
    caplog: pytest.LogCaptureFixture,
) -> None:
    venue = local()
    venue.stand_in.world.symbols["EURJPY"].contract = Decimal(0)
    assert len(venue.market.instruments()) == 4
    assert "EURJPY" in caplog.text


# --- time ----------------------------------------------------------------------------------------


def test_times_of_the_server_are_told_in_utc() -> None:
    venue = at(MONDAY)
    assert venue.market.quote("EURUSD").time == MONDAY
    candles = venue.market.candles("EURUSD", "1m", limit=3)
    assert opens(candles) == [MONDAY - timedelta(minutes=back) for back in (3, 2, 1)]


def test_a_server_that_is_half_an_hour_off_has_its_candles_on_the_hour_all_the_same() -> None:
    venue = at(MONDAY, ahead=lambda _now: timedelta(hours=5, minutes=30))
    for _ in range(2):
        venue.set_price("1.1", "EURUSD")
        venue.market.quote("EURUSD")
    assert venue.market.server_time.offset == timedelta(hours=5, minutes=30)
    candles = venue.market.candles("EURUSD", "1h", limit=4)
    assert opens(candles) == [MONDAY - back * HOURS for back in (4, 3, 2, 1)]


@pytest.mark.parametrize("timeframe", ["2h", "4h", "12h", "1d"])
def test_long_candles_begin_by_utc_and_are_what_short_ones_make(timeframe: str) -> None:
    venue = at(datetime(2026, 3, 5, 13, 20, tzinfo=UTC), ahead=american)
    candles = venue.market.candles("EURUSD", timeframe, limit=2)
    hours = resample(venue.market.candles("EURUSD", "1h", limit=90), timeframe)[-2:]
    for name in ("time", "open", "high", "low", "close", "volume"):
        assert (getattr(candles, name) == getattr(hours, name)).all()


def test_row_21_the_weekend_is_a_gap_and_nothing_is_made_up() -> None:
    venue = at(MONDAY, ahead=american)
    candles = venue.market.candles("EURUSD", "1h", limit=12)
    gaps = np.diff(candles.time) // 3_600_000
    assert len(candles) == 12
    assert sorted(gaps)[-2:] == [1, 49]  # from Friday's last hour to Sunday's, 22:00 UTC
    coin = venue.market.candles(CRYPTO, "1h", limit=60)
    assert (np.diff(coin.time) == 3_600_000).all()


def test_row_21_candles_before_and_after_the_american_change_are_both_in_utc() -> None:
    venue = at(datetime(2026, 3, 9, 2, tzinfo=UTC), ahead=american)
    candles = venue.market.candles("EURUSD", "1h", limit=8)
    assert opens(candles)[2:4] == [
        datetime(2026, 3, 6, 21, tzinfo=UTC), datetime(2026, 3, 8, 21, tzinfo=UTC),
    ]  # fmt: skip


def test_row_21_times_that_a_wrong_zone_turns_round_are_left_out() -> None:
    """This server does not move, but the zone that was set has an hour less that day."""
    clock = FakeClock(datetime(2026, 3, 8, 12, tzinfo=UTC))
    candles = local(clock, zone=NEW_YORK_CLOSE).market.candles(CRYPTO, "30m", limit=20)
    assert (np.diff(candles.time) > 0).all()


# --- unfinished, late, nonsense ------------------------------------------------------------------


def test_row_22_the_unfinished_candle_is_never_given() -> None:
    venue = at(MONDAY + timedelta(seconds=59.9))
    newest = venue.market.candles("EURUSD", "1m", limit=1)
    assert newest.last_close_time == MONDAY
    bars = venue.market.bars_since("EURUSD", MONDAY - timedelta(minutes=3))
    assert opens(bars) == [MONDAY - timedelta(minutes=back) for back in (3, 2, 1)]


def test_row_20_a_bar_is_not_over_while_our_clock_alone_says_so() -> None:
    venue = at(MONDAY + timedelta(seconds=59))
    ahead = FakeClock(venue.clock.now() + timedelta(seconds=3))
    market = opened(venue.stand_in, ahead, venue.terminal).market
    assert market.candles("EURUSD", "1m", limit=1).last_close_time == MONDAY
    minute = timedelta(minutes=1)
    assert market.bars_since("EURUSD", MONDAY - minute).last_close_time == MONDAY
    venue.clock.advance(3)
    assert market.candles("EURUSD", "1m", limit=1).last_close_time == MONDAY + minute


def test_row_21_the_last_bar_of_the_week_is_over_without_a_newer_one() -> None:
    close = datetime(2026, 2, 27, 22, tzinfo=UTC)
    venue = at(close + timedelta(seconds=4))
    last = venue.market.candles("EURUSD", "1m", limit=1).last_close_time
    assert last == close - timedelta(minutes=1)
    venue.clock.advance(1)
    assert venue.market.candles("EURUSD", "1m", limit=1).last_close_time == close


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2, 3]],
        [[1_700_000_000, 1.0, 1.1, 0.9, float("nan"), 5, 1, 0]],
        [[1_700_000_000, 1.0, 1.1, -0.9, 1.0, 5, 1, 0]],
        [[-5, 1.0, 1.1, 0.9, 1.0, 5, 1, 0]],
        ["text"],
        {"a": 1},
    ],
)
def test_row_22_bars_that_cannot_be_are_refused(rows: Any) -> None:
    venue = at(MONDAY)
    venue.stand_in.junk["copy_rates"] = rows
    with pytest.raises(DataError, match="cannot be read"):
        venue.market.candles("EURUSD", "1m", limit=3)


@pytest.mark.parametrize("fields", [{"bid": 0.0}, {"bid": 9.0}, {"time_msc": 0}, {"ask": 1e300}])
def test_a_price_that_cannot_be_is_refused(fields: dict[str, float]) -> None:
    venue = at(MONDAY)
    venue.market.instruments()
    tick = venue.stand_in.symbol_info_tick("EURUSD")
    assert tick is not None
    venue.stand_in.junk["symbol_info_tick"] = tick._replace(**fields)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="cannot be read"):
        venue.market.quote("EURUSD")


def test_no_history_is_an_error_and_no_empty_chart() -> None:
    venue = at(datetime(2026, 3, 2, 6, tzinfo=UTC))
    venue.stand_in.junk["copy_rates"] = None
    with pytest.raises(DataError, match="loading"):
        venue.market.candles("EURUSD", "1m", limit=3)


def test_row_26_a_terminal_that_is_gone_is_said_and_found_again() -> None:
    venue = at(MONDAY)
    venue.market.quote("EURUSD")
    venue.stand_in.is_running = False
    with pytest.raises(DataError, match="start it"):
        venue.market.quote("EURUSD")
    venue.stand_in.is_running = True
    assert venue.market.quote("EURUSD").bid > 0


def test_long_spans_are_told_in_longer_bars() -> None:
    venue = at(MONDAY)
    after = MONDAY - timedelta(days=20)
    bars = venue.market.bars_since(CRYPTO, after)
    assert bars.timeframe == "30m"
    assert int(bars.time[0]) == to_epoch_ms(after)
