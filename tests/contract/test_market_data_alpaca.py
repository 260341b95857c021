"""Alpaca's prices beyond what every market promises: sessions, pages, ticks, feeds, failures."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as D
from typing import Any

import numpy as np
import pytest

from engine.adapters.brokers.alpaca import bars, market
from engine.adapters.brokers.alpaca.bars import _candles, _page
from engine.adapters.brokers.alpaca.reading import Unreadable
from engine.adapters.brokers.alpaca.sessions import SessionDays
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.errors import DataError, NotFound
from engine.ports import BulkMarket, SparseMarket
from tests.contract.alpaca_account import Account, open_account
from tests.contract.alpaca_venue import AlpacaVenue, alpaca_venue
from tests.fakes.clock import FakeClock

MINUTE_MS, DAY_MS = 60_000, 86_400_000


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as account:
        yield account


@pytest.fixture
def crypto() -> Iterator[Account]:
    with open_account(InstrumentKind.CRYPTO) as account:
        yield account


def times(candles: Any) -> list[datetime]:
    return [from_epoch_ms(int(one)) for one in candles.time]


# --- candles -------------------------------------------------------------------------------------


def test_candles_reach_back_over_nights_weekends_and_holidays(account: Account) -> None:
    account.exchange.sessions.holidays.add(date(2026, 2, 27))  # a Friday
    candles = account.market.candles("AAPL", "1h", limit=12)
    opens = times(candles)
    assert len(opens) == 12
    assert opens[-1] == datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert datetime(2026, 2, 26, 20, tzinfo=UTC) in opens
    assert {one.date() for one in opens} == {
        date(2026, 3, 2), date(2026, 2, 26), date(2026, 2, 25),
    }  # fmt: skip


def test_what_trades_before_and_after_hours_is_in_no_candle(account: Account) -> None:
    account.exchange.sessions.early[date(2026, 2, 27)] = time(13, 0)
    candles = account.market.candles("AAPL", "30m", limit=13)
    clocks = [one.time() for one in times(candles)]
    half_day = [time(minutes // 60, minutes % 60) for minutes in range(14 * 60 + 30, 18 * 60, 30)]
    assert clocks == [time(20, 30), *half_day, *half_day[:5]]


def test_the_calendar_is_asked_for_once_and_then_for_more(account: Account) -> None:
    for limit in (5, 10, 20):
        account.market.candles("AAPL", "1m", limit=limit)
    account.market.candles("AAPL", "1h", limit=100)
    account.clock.advance(timedelta(days=40).total_seconds())
    account.market.candles("AAPL", "1m", limit=5)
    asked = [one for one in account.exchange.requests if one.endpoint == "GET /v2/calendar"]
    assert len(asked) == 3


@pytest.mark.parametrize(
    "days",
    [
        {"date": "2026-03-02", "open": "09:30", "close": "16:00"},
        [{"date": "2026-03-02", "open": "16:00", "close": "09:30"}],
        [{"date": "soon", "open": "09:30", "close": "16:00"}],
        [{"date": "2026-03-03", "open": "09:30", "close": "16:00"},
         {"date": "2026-03-02", "open": "09:30", "close": "16:00"}],
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_be_is_not_believed(days: Any) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        SessionDays(lambda _path, **_asked: days).trades_in(np.array([0]), MINUTE_MS)


def test_days_are_candles_of_their_date_and_today_is_none_yet(account: Account) -> None:
    opens = times(account.market.candles("AAPL", "1d", limit=3))
    assert opens == [datetime(2026, 2, day, tzinfo=UTC) for day in (25, 26, 27)]


def test_days_keep_their_date_when_new_york_changes_its_clocks(account: Account) -> None:
    account.clock.advance(timedelta(days=8).total_seconds())
    opens = times(account.market.candles("AAPL", "1d", limit=3))
    assert [one.day for one in opens] == [5, 6, 9]
    assert {one.hour for one in opens} == {0}


def test_more_candles_than_a_page_holds_are_asked_for_page_by_page(
    crypto: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "PAGE", 100)
    candles = crypto.market.candles("BTC/USD", "1m", limit=150)
    assert len(candles) == 150
    assert (np.diff(candles.time) == MINUTE_MS).all()
    asked = [one for one in crypto.exchange.requests if one.endpoint.endswith("/bars")]
    assert [int(one.sent["limit"]) for one in asked] == [100, 50]


def test_prices_are_not_adjusted_and_come_from_the_feed_that_was_chosen(account: Account) -> None:
    account.market.candles("AAPL", "1m", limit=5)
    [asked] = [one for one in account.exchange.requests if one.endpoint.endswith("/bars")]
    assert (asked.sent["adjustment"], asked.sent["feed"]) == ("raw", "iex")


def test_bars_since_are_the_finest_of_which_there_are_not_too_many(
    crypto: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market, "MOST_BARS", 100)
    now = crypto.market.now()
    assert crypto.market.bars_since("BTC/USD", now - timedelta(minutes=99)).timeframe == "1m"
    assert crypto.market.bars_since("BTC/USD", now - timedelta(minutes=101)).timeframe == "3m"
    assert crypto.market.bars_since("BTC/USD", now - timedelta(days=99)).timeframe == "1d"


def test_no_candle_that_is_not_closed_is_given(account: Account) -> None:
    account.clock.advance(30)
    candles = account.market.candles("AAPL", "1m", limit=1)
    assert candles.last_close_time == datetime(2026, 3, 2, 17, tzinfo=UTC)


@pytest.mark.parametrize("ahead_s", [-5, 2, 5, 3600])
def test_row_20_a_candle_is_over_by_alpacas_time_whatever_our_clock_says(
    account: Account, ahead_s: int
) -> None:
    account.clock.advance(58)  # two seconds before the minute is over
    ours = FakeClock(account.clock.now() + timedelta(seconds=ahead_s))
    connection = AlpacaVenue(account.exchange, ours, account.venue.terms).connect()
    candles = connection.market.candles("AAPL", "1m", limit=1)
    assert candles.last_close_time == datetime(2026, 3, 2, 17, tzinfo=UTC)
    assert abs(connection.market.now() - account.clock.now()) < timedelta(seconds=1)
    connection.close()


def bar(minute: int, **fields: Any) -> dict[str, Any]:
    stamp = f"2026-03-02T15:{minute:02}:00Z"
    return {"t": stamp, "o": D(2), "h": D(3), "l": D(1), "c": D(2), "v": 5} | fields


@pytest.mark.parametrize(
    "told",
    [
        [bar(1, o="NaN")],
        [bar(1, h=D("0.5"))],
        [bar(1, l=D(0))],
        [bar(1, c=None)],
        [bar(1, v=-1)],
        [bar(1, t="yesterday")],
        [bar(1, t="2026-03-02T15:01:20Z")],
        [bar(1), bar(1)],
    ],
)
def test_row_22_candles_that_cannot_be_are_not_believed(told: list[dict[str, Any]]) -> None:
    day_ms = to_epoch_ms(datetime(2026, 3, 2, tzinfo=UTC))
    with pytest.raises(Unreadable):
        _candles("1m", list(told), day_ms, day_ms + DAY_MS)


@pytest.mark.parametrize(
    "answer",
    [None, [], {"bars": {"AAPL": 1}}, {"bars": {"AAPL": [1]}},
     {"bars": {}, "next_page_token": 7}],
)  # fmt: skip
def test_pages_that_are_none_are_not_believed(answer: Any) -> None:
    with pytest.raises(Unreadable):
        _page(answer, "AAPL")


# --- listing and quotes --------------------------------------------------------------------------


def test_stocks_have_pennies_whole_shares_and_the_calendar_of_new_york(account: Account) -> None:
    listed = {one.symbol: one for one in account.market.instruments()}
    assert "GONE" not in listed and "BTC/USD" not in listed
    apple = listed["AAPL"]
    assert (apple.base, apple.quote, apple.calendar) == ("AAPL", "USD", "XNYS")
    assert (apple.price_tick, apple.quantity_step) == (D("0.01"), D(1))
    assert not apple.can_short


def test_parts_of_shares_are_finest_where_the_asset_allows_them() -> None:
    with alpaca_venue(is_fractional=True) as venue:
        connection = venue.connect()
        market = connection.market
        assert market.instrument("AAPL").quantity_step == D("1e-9")
        assert market.instrument("AAPL").min_notional == 1
        assert market.instrument("BRK.A").quantity_step == 1
        connection.close()


def test_crypto_has_the_steps_of_its_asset(crypto: Account) -> None:
    bitcoin = crypto.market.instrument("BTC/USD")
    assert (bitcoin.base, bitcoin.quote, bitcoin.calendar) == ("BTC", "USD", "")
    assert bitcoin.quantity_step == D("1e-9")
    assert (bitcoin.min_quantity, bitcoin.min_notional) == (D("0.00002"), D(10))


def test_below_a_dollar_the_tick_is_finer_once_the_price_is_known(account: Account) -> None:
    assert account.market.instrument("PENY").price_tick == D("0.01")
    assert account.market.quote("PENY").bid == D("0.4999")
    assert account.market.instrument("PENY").price_tick == D("0.0001")
    account.clock.advance(7200)
    assert account.market.instrument("PENY").price_tick == D("0.0001")  # listed anew
    account.exchange.set_price("PENY", "1.5")
    account.market.quote("PENY")
    assert account.market.instrument("PENY").price_tick == D("0.01")


def test_a_listing_known_before_is_kept_while_alpaca_is_down(account: Account) -> None:
    known = account.market.instruments()
    account.clock.advance(7200)
    account.exchange.fault("status", on="GET /v2/assets", times=9)
    assert account.market.instruments() == known


def test_without_any_listing_it_is_said(account: Account) -> None:
    account.exchange.fault("html", on="GET /v2/assets", times=9)
    fresh = account.venue.connect()
    with pytest.raises(DataError, match="HTTP 503"):
        fresh.market.instruments()
    fresh.close()


def test_a_feed_without_a_subscription_is_said(account: Account) -> None:
    other = account.venue.connect(feed="sip")
    with pytest.raises(DataError, match="subscription does not permit"):
        other.market.quote("AAPL")
    account.exchange.subscription = "sip"
    assert other.market.quote("AAPL").last == 200
    other.close()


def test_a_symbol_that_has_no_price_yet_is_said(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account.market, "_asked", lambda _path, **_asked: {})
    with pytest.raises(DataError, match="AAPL has no price yet"):
        account.market.quote("AAPL")


def test_an_empty_side_of_the_book_is_the_last_trade(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = {
        "latestTrade": {"t": "2026-03-02T16:59:00Z", "p": D("199.5")},
        "latestQuote": {"t": "2026-03-02T16:59:30.5Z", "bp": D("199.4"), "ap": 0},
        "minuteBar": None,
    }
    monkeypatch.setattr(account.market, "_asked", lambda _path, **_asked: {"AAPL": snapshot})
    quote = account.market.quote("AAPL")
    assert (quote.bid, quote.ask, quote.last, quote.volume) == (
        D("199.4"), D("199.5"), D("199.5"), 0,
    )  # fmt: skip
    assert quote.time.second == 30


def test_prices_of_many_symbols_are_one_request(account: Account) -> None:
    assert isinstance(account.market, BulkMarket)
    found = account.market.quotes(["AAPL", "PENY", "NO/PE", "BTC/USD", "F"])
    assert {symbol: quote.last for symbol, quote in found.items()} == {
        "AAPL": 200, "PENY": D("0.5"), "F": 20,
    }  # fmt: skip
    [asked] = [one for one in account.exchange.requests if one.endpoint.endswith("/snapshots")]
    assert asked.sent["symbols"] == "AAPL,PENY,F"
    assert account.market.instrument("PENY").price_tick == D("0.0001")
    assert account.market.quotes([]) == {}


def test_what_has_not_traded_is_left_out_of_many(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"AAPL": {"latestTrade": None}, "F": {"latestTrade": {"t": "2026-03-02T16:00:00Z",
                                                                 "p": 20}}}  # fmt: skip
    monkeypatch.setattr(account.market, "_asked", lambda _path, **_asked: told)
    assert isinstance(account.market, BulkMarket)
    assert account.market.quotes(["AAPL", "F"]).keys() == {"F"}


def test_it_says_that_bars_without_trades_are_left_out(account: Account) -> None:
    assert isinstance(account.market, SparseMarket)
    assert account.market.has_empty_bars_left_out


def test_an_asset_of_the_other_kind_is_not_found(crypto: Account) -> None:
    with pytest.raises(NotFound, match=r"'AAPL' \(crypto\)"):
        crypto.market.quote("AAPL")


def test_row_21_by_night_there_are_no_candles_and_the_last_are_those_of_the_day(
    account: Account,
) -> None:
    account.clock.advance(timedelta(hours=10).total_seconds())  # 10 in the evening
    newest = account.market.candles("AAPL", "1m", limit=2)
    assert newest.last_close_time.astimezone(UTC).time() == time(21, 0)
    assert len(account.market.bars_since("AAPL", account.clock.now() - timedelta(hours=2))) == 0
