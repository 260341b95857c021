"""The simulated world: pure, consistent between timeframes, sane over years, lively by seconds."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.domain.candles import Candles, FloatArray, resample
from engine.domain.indicators import rsi
from engine.domain.money import floor_to
from engine.domain.simulation import Character, PriceProcess
from engine.domain.timeframes import SECONDS
from tests.fakes.clock import START, FakeClock

NAMES = ("time", "open", "high", "low", "close", "volume")
DAY = 20_500  # of the epoch: in 2026
YEAR_S = 365 * 86_400
SYMBOLS = [instrument.symbol for instrument in SimulatedMarket(7, FakeClock()).instruments()]
ANNUAL = {"BTC/USDT": 0.60, "AAPL": 0.26, "EUR/USD": 0.08}


def bitcoin(seed: int = 7) -> PriceProcess:
    return PriceProcess(seed, "BTC/USDT", Character(62_000.0, 0.60, 18.0, 2))


def market_at(moment: datetime = START) -> SimulatedMarket:
    return SimulatedMarket(7, FakeClock(moment))


def returns(candles: Candles) -> FloatArray:
    return np.diff(np.log(candles.close))


def assert_same(one: Candles, two: Candles) -> None:
    for name in NAMES:
        assert (getattr(one, name) == getattr(two, name)).all(), name


def test_a_window_does_not_depend_on_what_else_is_asked() -> None:
    many, one = bitcoin().minutes(DAY, 33), bitcoin().minutes(DAY + 17, 1)
    assert_same(many[17 * 1440 : 18 * 1440], one)
    assert_same(bitcoin().seconds(one)[3600:7200], bitcoin().seconds(one[60:120]))


def test_sixty_seconds_make_exactly_their_minute() -> None:
    minutes = bitcoin().minutes(DAY, 1)
    assert_same(resample(bitcoin().seconds(minutes), "1m"), minutes)


@pytest.mark.parametrize("timeframe", [name for name in SECONDS if SECONDS[name] > 1])
def test_every_timeframe_is_a_join_of_the_finer(timeframe: str) -> None:
    market = market_at(START + timedelta(hours=12))  # midnight
    fine = "1s" if SECONDS[timeframe] <= 3600 else "1m"
    coarse = market.candles("SOL/USDT", timeframe, limit=2)
    parts = market.candles("SOL/USDT", fine, limit=2 * SECONDS[timeframe] // SECONDS[fine])
    assert_same(resample(parts, timeframe), coarse)


def test_one_candle_begins_where_the_last_ended() -> None:
    minutes = bitcoin().minutes(DAY, 3)
    assert (minutes.open[1:] == minutes.close[:-1]).all()
    seconds = bitcoin().seconds(minutes)
    assert (seconds.open[1:] == seconds.close[:-1]).all()


def test_another_process_sees_the_same_prices() -> None:
    code = (
        "from engine.domain.simulation import Character, PriceProcess\n"
        "p = PriceProcess(7, 'BTC/USDT', Character(62_000.0, 0.60, 18.0, 2))\n"
        f"c = p.seconds(p.minutes({DAY}, 1)[:10])\n"
        "print(repr(c.close.tolist()), repr(c.volume.tolist()))"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    here = bitcoin().seconds(bitcoin().minutes(DAY, 1)[:10])
    assert there == f"{here.close.tolist()!r} {here.volume.tolist()!r}"


def test_seeds_and_symbols_are_different_worlds() -> None:
    base = returns(bitcoin().minutes(DAY, 1))
    other_seed = returns(bitcoin(8).minutes(DAY, 1))
    other_symbol = returns(
        PriceProcess(7, "ETH/USDT", Character(62_000.0, 0.60, 18.0, 2)).minutes(DAY, 1)
    )
    for other in (other_seed, other_symbol):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.15


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_prices_stay_in_a_sane_band_for_years(symbol: str) -> None:
    market = market_at(datetime(2030, 1, 1, tzinfo=UTC))
    days = market.candles(symbol, "1d", limit=600)
    centre = float(np.exp(np.log(days.close).mean()))
    assert centre / 20 < float(days.low.min()) <= float(days.high.max()) < centre * 20
    assert (days.volume > 0).all()


@pytest.mark.parametrize("symbol", sorted(ANNUAL))
def test_volatility_is_that_of_its_kind(symbol: str) -> None:
    market = market_at()
    for timeframe, least, most in (("1d", 0.6, 1.6), ("1h", 0.7, 1.5), ("15m", 0.7, 1.6)):
        sample = returns(
            market.candles(symbol, timeframe, limit=1500 if timeframe != "1d" else 700)
        )
        annual = float(sample.std()) * (YEAR_S / SECONDS[timeframe]) ** 0.5
        assert least < annual / ANNUAL[symbol] < most, timeframe


def test_returns_are_heavy_tailed_and_clustered_and_move_the_volume() -> None:
    minutes = bitcoin().minutes(DAY, 10)
    change = returns(minutes)
    size = np.abs(change)
    kurtosis = float(((change - change.mean()) ** 4).mean() / change.var() ** 2)
    assert kurtosis > 3.5
    assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.1
    assert np.corrcoef(size, minutes.volume[1:])[0, 1] > 0.2
    assert abs(np.corrcoef(change[1:], change[:-1])[0, 1]) < 0.3


def test_seconds_swing_enough_for_a_newcomers_rsi_bot() -> None:
    index = rsi(bitcoin().seconds(bitcoin().minutes(DAY, 1)).close, 14)
    falls = (index[1:] < 30) & (index[:-1] >= 30)
    rises = (index[1:] > 70) & (index[:-1] <= 70)
    windows = 86_400 // 300
    assert falls.sum() / windows > 3
    assert rises.sum() / windows > 3
    is_past = np.flatnonzero(falls)
    assert float(np.median(np.diff(is_past))) < 60


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_quote_stands_at_the_second_and_on_the_tick(symbol: str) -> None:
    clock = FakeClock(START + timedelta(seconds=7.9))
    market = SimulatedMarket(7, clock)
    quote, instrument = market.quote(symbol), market.instrument(symbol)
    assert quote.time == START + timedelta(seconds=7)
    newest = market.candles(symbol, "1s", limit=1)
    assert float(quote.last) == newest.close[0]
    assert quote.bid < quote.last < quote.ask
    for price in (quote.bid, quote.ask, quote.last):
        assert price == floor_to(price, instrument.price_tick)
    assert quote.ask / quote.bid < 1.001
    assert quote.volume > 0


def test_bars_since_are_the_last_hours_seconds_at_the_most() -> None:
    market = market_at()
    assert len(market.bars_since("AAPL", START - timedelta(seconds=30))) == 30
    assert len(market.bars_since("AAPL", START - timedelta(days=2))) == 3600
    assert int(market.bars_since("AAPL", START - timedelta(seconds=2.5)).time[0]) % 1000 == 0


def test_history_goes_back_before_the_epoch() -> None:
    days = market_at(datetime(1970, 1, 3, tzinfo=UTC)).candles("SPY", "1d", limit=20)
    assert len(days) == 20
    assert int(days.time[0]) < 0
    assert (np.diff(days.time) == 86_400_000).all()
