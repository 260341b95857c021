"""Kite's candles and prices as Quarterdeck counts them: India's hours, exact, few questions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from engine.adapters.calendars.exchanges import ExchangeCalendars
from engine.domain.candle_grid import look_at
from engine.domain.candles import Candles
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms
from engine.domain.sessions import Timetable
from engine.domain.timeframes import timeframe_s
from engine.errors import DataError, NotFound
from tests.contract.kite_venue import NOON, SYMBOL, KiteVenue, kite_venue, open_account

HISTORY = "GET /instruments/historical"


@pytest.fixture
def venue() -> Iterator[KiteVenue]:
    with kite_venue() as venue:
        yield venue


def asked(venue: KiteVenue) -> list[str]:
    """The spans of candles that were asked for, newest question last."""
    return [f"{one.sent['from']} {one.sent['to']}" for one in venue.kite.requests
            if one.endpoint.startswith(HISTORY)]  # fmt: skip


def opened(candles: Candles) -> list[datetime]:
    return [from_epoch_ms(int(moment)) for moment in candles.time]


# --- shares ---------------------------------------------------------------------------------------


def test_shares_have_their_tick_their_currency_and_bombays_calendar(venue: KiteVenue) -> None:
    reliance = venue.market.instrument("RELIANCE")
    assert (reliance.base, reliance.quote) == ("RELIANCE", "INR")
    assert (reliance.price_tick, reliance.quantity_step) == (Decimal("0.1"), Decimal(1))
    assert (reliance.kind, reliance.can_short) == (InstrumentKind.STOCK, False)
    assert reliance.calendar == "XBOM"
    assert {one.symbol for one in venue.market.instruments()} == {"IDEA", "INFY", "RELIANCE"}


def test_symbols_are_asked_for_once_a_day_of_indias(venue: KiteVenue) -> None:
    for _ in range(3):
        venue.market.instruments()
    assert venue.kite.count("GET /instruments/NSE") == 1
    venue.clock.advance(12 * 3600)  # past midnight in India, not yet in UTC
    venue.kite.add_share("NEW", "10")
    assert venue.market.instrument("NEW").symbol == "NEW"
    assert venue.kite.count("GET /instruments/NSE") == 2


def test_symbols_known_before_are_kept_while_kite_does_not_answer(venue: KiteVenue) -> None:
    before = venue.market.instruments()
    venue.clock.advance(12 * 3600)
    venue.kite.fault("status", on="GET /instruments", times=100, value="503")
    assert venue.market.instruments() == before
    assert venue.market.instruments() == before
    assert venue.kite.count("GET /instruments/NSE") == 2, "not asked again at once"
    venue.clock.advance(3600)
    venue.market.instruments()
    assert venue.kite.count("GET /instruments/NSE") == 3


def test_without_a_list_there_is_an_error_and_not_an_empty_market(venue: KiteVenue) -> None:
    venue.kite.shares.clear()
    with pytest.raises(DataError, match="has no shares"):
        venue.market.instruments()


# --- candles --------------------------------------------------------------------------------------


def test_the_unfinished_candle_is_not_given(venue: KiteVenue) -> None:
    candles = venue.market.candles(SYMBOL, "5m", limit=3)
    assert [f"{one:%H:%M}" for one in opened(candles)] == ["06:45", "06:50", "06:55"]
    assert venue.market.candles(SYMBOL, "1d", limit=1).last_close_time <= venue.market.now()


def test_more_candles_than_a_request_may_span_are_asked_for_in_pages(venue: KiteVenue) -> None:
    candles = venue.market.candles(SYMBOL, "1d", limit=1800)
    assert len(candles) == 1800
    assert (np.diff(candles.time) > 0).all()
    assert len(asked(venue)) == 2
    shorter = venue.market.candles(SYMBOL, "1d", limit=1000)
    assert len(asked(venue)) == 3
    assert (candles.close[-1000:] == shorter.close).all()


def test_a_young_share_gives_what_there_is(venue: KiteVenue) -> None:
    for back in range(1, 400):
        day = venue.clock.now() - timedelta(days=back)
        venue.kite.missing_candles.add(f"{day:%Y-%m-%d}")
    candles = venue.market.candles(SYMBOL, "1m", limit=10_000)
    assert f"{opened(candles)[0]:%Y-%m-%d %H:%M}" == "2026-03-02 03:45"
    assert len(asked(venue)) < 6


@pytest.mark.parametrize("timeframe", ["30m", "1h"])
def test_longer_candles_begin_on_whole_multiples_and_hold_what_their_quarters_hold(
    venue: KiteVenue, timeframe: str
) -> None:
    length_ms = timeframe_s(timeframe) * 1000
    joined = venue.market.candles(SYMBOL, timeframe, limit=40)
    quarters = venue.market.candles(SYMBOL, "15m", limit=400)
    assert (joined.time % length_ms == 0).all()
    assert joined.last_close_time <= venue.market.now()
    for place, moment in enumerate(joined.time):
        inside = (quarters.time >= moment) & (quarters.time < moment + length_ms)
        assert joined.open[place] == quarters.open[inside][0]
        assert joined.high[place] == quarters.high[inside].max()
        assert joined.close[place] == quarters.close[inside][-1]
        assert joined.volume[place] == quarters.volume[inside].sum()


def test_the_last_hour_of_a_day_counts_though_its_last_quarter_had_no_trade(
    venue: KiteVenue,
) -> None:
    venue.kite.missing_candles.add("2026-03-02 15:15")
    venue.clock.current = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    venue.clock.elapsed_s += 5 * 3600
    candles = venue.market.candles(SYMBOL, "1h", limit=2)
    assert [f"{one:%H:%M}" for one in opened(candles)] == ["08:00", "09:00"]


def test_a_days_candle_is_that_of_its_date(venue: KiteVenue) -> None:
    candles = venue.market.candles(SYMBOL, "1d", limit=5)
    days = [f"{one:%Y-%m-%d %H:%M}" for one in opened(candles)]
    assert days == [f"2026-02-{day} 00:00" for day in (23, 24, 25, 26, 27)]


def test_row_21_a_holiday_and_a_weekend_are_passed_over(venue: KiteVenue) -> None:
    venue.kite.missing_candles.add("2026-02-27")  # a Friday
    venue.clock.current = datetime(2026, 3, 2, 3, 46, tzinfo=UTC)  # Monday, a minute open
    candles = venue.market.candles(
        SYMBOL, "1m", limit=3, before=datetime(2026, 3, 2, 3, 46, tzinfo=UTC)
    )
    days = [f"{one:%m-%d %H:%M}" for one in opened(candles)]
    assert days == ["02-26 09:58", "02-26 09:59", "03-02 03:45"]


@pytest.fixture(scope="module")
def hours() -> Timetable:
    """Bombay's, as the engine knows them."""
    return ExchangeCalendars().timetable("XBOM", NOON - timedelta(days=300), NOON)


MOMENTS = {
    "a minute after the opening": datetime(2026, 3, 2, 3, 46, tzinfo=UTC),
    "at noon": NOON,
    "at the close": datetime(2026, 3, 2, 10, 0, tzinfo=UTC),
    "at night": datetime(2026, 3, 2, 20, 0, tzinfo=UTC),
    "on a Sunday": datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
}


@pytest.mark.parametrize("when", list(MOMENTS))
def test_row_22_candles_of_every_length_are_whole_in_the_eyes_of_the_engine(
    venue: KiteVenue, hours: Timetable, when: str
) -> None:
    now = venue.clock.current = MOMENTS[when]
    venue.market, _ = open_account(venue.kite, venue.clock, venue.options)
    venue.kite.missing_candles |= {f"{day:%Y-%m-%d}" for day in hours.holidays}
    for timeframe in venue.market.timeframes():
        candles = venue.market.candles(SYMBOL, timeframe, limit=40)
        look = look_at(candles, hours, now, may_be_sparse=False)
        assert (look.fault, look.notes, look.usable_from) == ("", (), 0), timeframe


def test_row_22_candles_out_of_order_are_refused(venue: KiteVenue) -> None:
    venue.kite.fault("null", on=HISTORY)
    with pytest.raises(DataError, match="cannot be read"):
        venue.market.candles(SYMBOL, "1m", limit=5)


def test_bars_are_minutes_while_one_request_holds_them(venue: KiteVenue) -> None:
    now = venue.market.now()
    assert venue.market.bars_since(SYMBOL, now - timedelta(days=2)).timeframe == "1m"
    assert len(asked(venue)) == 1
    assert venue.market.bars_since(SYMBOL, now - timedelta(days=300)).timeframe == "1d"


def test_a_timeframe_that_kite_has_not_got_is_refused(venue: KiteVenue) -> None:
    with pytest.raises(DataError, match="no candles of 4h"):
        venue.market.candles(SYMBOL, "4h", limit=5)


# --- prices ---------------------------------------------------------------------------------------


def test_a_price_is_exact_and_has_the_exchanges_time(venue: KiteVenue) -> None:
    venue.kite.set_price("RELIANCE", "2900.7")
    quote = venue.market.quote("RELIANCE")
    assert (quote.bid, quote.last, quote.ask) == (
        Decimal("2900.6"), Decimal("2900.7"), Decimal("2900.8")
    )  # fmt: skip
    assert quote.time == venue.clock.now().replace(microsecond=0)


def test_prices_of_all_that_are_watched_are_asked_for_together(venue: KiteVenue) -> None:
    venue.market._quote_age_s = 1.0
    for _ in range(3):
        for symbol in ("IDEA", "INFY", "RELIANCE"):
            venue.market.quote(symbol)
        venue.clock.advance(1)
    assert venue.kite.count("GET /quote") == 5, "three to learn who is watched, then one a second"
    venue.kite.set_price("INFY", "1600")
    assert venue.market.quote("INFY").last == 1600


def test_a_share_of_the_other_exchange_is_none_of_this_ones(venue: KiteVenue) -> None:
    venue.kite.add_share("ONLYBSE", "10", exchange="BSE")
    with pytest.raises(NotFound, match="NSE lists no share 'ONLYBSE'"):
        venue.market.quote("ONLYBSE")


def test_the_time_is_kites_however_wrong_ours_is(venue: KiteVenue) -> None:
    venue.kite.fault("clock_skew", value="3600")
    venue.market.quote(SYMBOL)
    ahead = venue.market.now() - venue.clock.now()
    assert abs(ahead.total_seconds() - 3600) <= 1
    venue.clock.current -= timedelta(hours=5)  # ours is set back: Kite's goes on
    assert abs((venue.market.now() - venue.clock.now()).total_seconds() - 6 * 3600) <= 1
