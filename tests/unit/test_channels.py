"""Channels and rates: published and hand-computed values, naive recomputation, warm-up."""

from collections.abc import Callable

import numpy as np
import pytest

from engine.domain import channels
from engine.domain.candles import Candles, FloatArray
from engine.domain.indicators import atr
from tests.fakes.candles import flat_candles, random_candles

# StockCharts ChartSchool, "Rate of Change": closes of the Dow Jones Industrials from 28 April 2010
# and the published 12-day rate of change.
DOW = [
    11045.27, 11167.32, 11008.61, 11151.83, 10926.77, 10868.12, 10520.32, 10380.43, 10785.14,
    10748.26, 10896.91, 10782.95, 10620.16, 10625.83, 10510.95, 10444.37, 10068.01, 10193.39,
    10066.57, 10043.75,
]  # fmt: skip
DOW_ROC = [-3.85, -4.85, -4.52, -6.34, -7.86, -6.21, -4.31, -3.24]

# StockCharts ChartSchool, "Stochastic Oscillator": highs, lows, closes from the 14th day on, and
# the published 14-day %K with its 3-day average.
HIGHS = [
    127.01, 127.62, 126.59, 127.35, 128.17, 128.43, 127.37, 126.42, 126.90, 126.85, 125.65, 125.72,
    127.16, 127.72, 127.69, 128.22, 128.27, 128.09, 128.27, 127.74, 128.77, 129.29, 130.06, 129.12,
    129.29, 128.47, 128.09, 128.65, 129.14, 128.64,
]  # fmt: skip
LOWS = [
    125.36, 126.16, 124.93, 126.09, 126.82, 126.48, 126.03, 124.83, 126.39, 125.72, 124.56, 124.57,
    125.07, 126.86, 126.63, 126.80, 126.71, 126.80, 126.13, 125.92, 126.99, 127.81, 128.47, 128.06,
    127.61, 127.60, 127.00, 126.90, 127.49, 127.40,
]  # fmt: skip
CLOSES = [
    127.29, 127.18, 128.01, 127.11, 127.73, 127.06, 127.33, 128.71, 127.87, 128.58, 128.60, 127.93,
    128.11, 127.60, 127.60, 128.69, 128.27,
]  # fmt: skip
FAST_K = [
    70.44, 67.61, 89.20, 65.81, 81.75, 64.52, 74.53, 98.58, 70.10, 73.06, 73.42, 61.23, 60.96,
    40.39, 40.39, 66.83, 56.73,
]  # fmt: skip
FAST_D = [
    75.75, 74.21, 78.92, 70.69, 73.60, 79.21, 81.07, 80.58, 72.20, 69.24, 65.20, 54.19, 47.24,
    49.20, 54.65,
]  # fmt: skip


def candles_of(close: FloatArray, spread: float = 1.0) -> Candles:
    """Candles ``2 * spread`` high around each close."""
    time = np.arange(len(close), dtype=np.int64) * 60_000
    return Candles("1m", time, close, close + spread, close - spread, close, np.ones(len(close)))


def textbook_supertrend(candles: Candles, period: int, factor: float) -> tuple[FloatArray, ...]:
    """The published recursion from the first candle on, never begun anew: (line, direction)."""
    reach = factor * atr(candles, period)
    middle, close = (candles.high + candles.low) / 2, candles.close
    line, direction = np.full(len(close), np.nan), np.full(len(close), np.nan)
    upper, lower, way = middle[period] + reach[period], middle[period] - reach[period], -1.0
    for i in range(period + 1, len(close)):
        top, bottom = middle[i] + reach[i], middle[i] - reach[i]
        upper = top if top < upper or close[i - 1] > upper else upper
        lower = bottom if bottom > lower or close[i - 1] < lower else lower
        is_turned = close[i] > upper if way < 0 else close[i] < lower
        way = -way if is_turned else way
        line[i], direction[i] = lower if way > 0 else upper, way
    return line, direction


def test_the_rate_of_change_gives_the_published_values() -> None:
    change = channels.roc(np.array(DOW), 12)
    assert np.isnan(change[:12]).all()
    np.testing.assert_allclose(change[12:], DOW_ROC, atol=0.0051)


def test_a_rate_of_change_from_nothing_is_unknown() -> None:
    assert np.isnan(channels.roc(np.array([0.0, 1.0]), 1)).all()


def test_the_stochastic_gives_the_published_values() -> None:
    close = np.array([126.0] * 13 + CLOSES)
    time = np.arange(30, dtype=np.int64) * 86_400_000
    candles = Candles("1d", time, close, np.array(HIGHS), np.array(LOWS), close, close)
    result = channels.stochastic(candles, 14)
    assert np.isnan(result.k[:13]).all()
    # The published prices are rounded to cents, a hundredth of the range of about three.
    np.testing.assert_allclose(result.k[13:], FAST_K, atol=0.35)
    np.testing.assert_allclose(result.d[15:], FAST_D, atol=0.35)


def test_a_market_without_a_range_is_in_its_middle() -> None:
    assert channels.stochastic(flat_candles(30), 14).k[13:].tolist() == [50.0] * 17


def test_the_slow_stochastic_averages_the_fast_one() -> None:
    candles = random_candles(200, 4)
    fast, slow = channels.stochastic(candles, 10), channels.stochastic(candles, 10, 3)
    expected = [fast.k[i - 2 : i + 1].mean() for i in range(11, 200)]
    np.testing.assert_allclose(slow.k[11:], expected, rtol=1e-9)


@pytest.mark.parametrize("period", [1, 2, 20])
def test_highest_lowest_and_the_donchian_channel_are_those_of_the_window(period: int) -> None:
    candles = random_candles(300, 3)
    result = channels.donchian(candles, period)
    assert np.isnan(result.upper[: period - 1]).all()
    for i in range(period - 1, 300):
        window = slice(i - period + 1, i + 1)
        top, bottom = candles.high[window].max(), candles.low[window].min()
        assert (result.upper[i], result.lower[i]) == (top, bottom)
        assert result.middle[i] == pytest.approx((top + bottom) / 2)


def test_previous_moves_values_on() -> None:
    values = np.array([1.0, 2.0, 3.0])
    assert np.nan_to_num(channels.previous(values), nan=-1).tolist() == [-1.0, 1.0, 2.0]
    assert channels.previous(values, 0).tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(channels.previous(values, 5)).all()


def test_the_score_counts_standard_deviations() -> None:
    close, middle = np.array([12.0, 7.0, 10.0, 5.0]), np.full(4, 10.0)
    deviation = np.array([1.0, 2.0, 0.0, np.nan])
    score = channels.deviation_score(close, middle, deviation)
    assert np.nan_to_num(score, nan=9.0).tolist() == [2.0, -1.5, 0.0, 9.0]


def test_the_supertrend_of_a_hand_computed_table() -> None:
    closes = np.array([10.0, 10.0, 10.0, 10.0, 13.0, 13.0, 9.0])
    result = channels.supertrend(candles_of(closes), period=2, factor=1.0)
    # True ranges 2 2 2 4 2 5, so averages (2) of 2 2 3 2.5 3.75: bands 8..12, then 10..16 held at
    # 12 and broken upwards, 10.5..15.5 begun anew, 5.25 held at 10.5 and broken downwards.
    assert np.isnan(result.line[:2]).all()
    assert result.line[4:].tolist() == [10.0, 10.5, 12.75]
    assert result.direction[4:].tolist() == [1.0, 1.0, -1.0]


@pytest.mark.parametrize(("period", "factor"), [(10, 3.0), (7, 1.5), (14, 5.0)])
def test_the_supertrend_is_the_textbooks_once_a_band_was_crossed(
    period: int, factor: float
) -> None:
    for seed in range(4):
        candles = random_candles(4000, seed)
        line, direction = textbook_supertrend(candles, period, factor)
        result = channels.supertrend(candles, period, factor)
        agreed = int(np.flatnonzero(result.line == line)[0]) if factor < 5 else 400
        np.testing.assert_allclose(result.line[agreed:], line[agreed:], rtol=1e-9)
        np.testing.assert_array_equal(result.direction[agreed:], direction[agreed:])


def test_the_supertrend_on_a_window_is_that_on_the_whole() -> None:
    """Also where nothing is crossed for longer than the window, and with nights cut out."""
    quiet = candles_of(100 + np.sin(np.arange(6000) / 50) * 0.1)
    walk = random_candles(9000, 5)
    is_day = (np.arange(9000) // 130) % 3 > 0
    with_gaps = Candles("1m", *(getattr(walk, name)[is_day] for name in
                                ("time", "open", "high", "low", "close", "volume")))  # fmt: skip
    reach = channels.supertrend_history(10)
    for candles in (quiet, walk, with_gaps):
        whole = channels.supertrend(candles)
        for until in range(reach, len(candles), 173):
            part = channels.supertrend(candles[until - reach : until])
            assert part.direction[-2:].tolist() == whole.direction[until - 2 : until].tolist()
            assert part.line[-1] == pytest.approx(whole.line[until - 1], rel=1e-12)


@pytest.mark.parametrize("count", [0, 1, 2, 9, 11])
def test_short_candles_give_nan(count: int) -> None:
    candles = random_candles(count, 1)
    results: dict[str, Callable[[], tuple[FloatArray, ...]]] = {
        "donchian": lambda: channels.donchian(candles, 12),
        "supertrend": lambda: channels.supertrend(candles, 12),
        "stochastic": lambda: channels.stochastic(candles, 12),
        "roc": lambda: (channels.roc(candles.close, 12),),
    }
    for name, result in results.items():
        for values in result():
            assert values.shape == (count,), name
            assert np.isnan(values).all(), name
