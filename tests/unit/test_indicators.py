"""Indicators: published values, independent recomputation, warm-up, and TA-Lib's quirks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from engine.domain import indicators
from engine.domain.candles import BoolArray, Candles, FloatArray
from engine.domain.sharing import shared_indicators
from tests.fakes.candles import random_candles

# StockCharts' worked example of Wilder's RSI (14): closes of QQQQ and the published index.
PUBLISHED_CLOSES = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
    45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
    46.2122, 46.2521, 45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672,
    43.4205, 42.6628, 43.1314,
]  # fmt: skip
PUBLISHED_RSI = [
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99,
    41.46, 41.87, 45.46, 37.30, 33.08, 37.77,
]  # fmt: skip


def exponential(values: FloatArray, period: int) -> FloatArray:
    """The textbook recursion, seeded with the first simple average, written out."""
    result = np.full(len(values), np.nan)
    start = int(np.argmin(np.isnan(values))) + period - 1
    result[start] = values[start - period + 1 : start + 1].mean()
    for i in range(start + 1, len(values)):
        result[i] = result[i - 1] + (values[i] - result[i - 1]) * 2 / (period + 1)
    return result


def wilder(values: FloatArray, period: int) -> FloatArray:
    """Wilder's smoothing of ``values`` from index 1 on, seeded with their simple average."""
    result = np.full(len(values), np.nan)
    result[period] = values[1 : period + 1].mean()
    for i in range(period + 1, len(values)):
        result[i] = (result[i - 1] * (period - 1) + values[i]) / period
    return result


def closes(count: int = 400, seed: int = 3) -> FloatArray:
    return random_candles(count, seed).close


def test_rsi_gives_the_published_values() -> None:
    index = indicators.rsi(np.array(PUBLISHED_CLOSES), 14)
    assert np.isnan(index[:14]).all()
    assert np.round(index[14:], 2).tolist() == PUBLISHED_RSI


def test_rsi_equals_wilders_recursion() -> None:
    close = closes()
    change = np.diff(close, prepend=close[0])
    rises, falls = wilder(np.maximum(change, 0), 14), wilder(np.maximum(-change, 0), 14)
    expected = 100 * rises / (rises + falls)
    np.testing.assert_allclose(indicators.rsi(close, 14), expected, rtol=1e-10)


def test_sma_is_the_mean_of_the_last_values() -> None:
    close = closes()
    average = indicators.sma(close, 20)
    assert np.isnan(average[:19]).all()
    expected = [close[i - 19 : i + 1].mean() for i in range(19, len(close))]
    np.testing.assert_allclose(average[19:], expected, rtol=1e-12)


def test_ema_equals_the_textbook_recursion() -> None:
    close = closes()
    np.testing.assert_allclose(indicators.ema(close, 20), exponential(close, 20), rtol=1e-12)


def test_macd_is_two_averages_and_their_signal() -> None:
    close = closes()
    # TA-Lib begins the fast average where the slow one begins.
    fast = np.full(len(close), np.nan)
    fast[14:] = exponential(close[14:], 12)
    line = fast - exponential(close, 26)
    signal = exponential(line, 9)
    result = indicators.macd(close, 12, 26, 9)
    assert np.flatnonzero(~np.isnan(result.line))[0] == 26 + 9 - 2
    np.testing.assert_allclose(result.line[33:], line[33:], atol=1e-9)
    np.testing.assert_allclose(result.signal[33:], signal[33:], atol=1e-9)
    np.testing.assert_allclose(result.histogram[33:], (line - signal)[33:], atol=1e-9)


@pytest.mark.parametrize("level", [1e-9, 100.0, 1e12])
def test_bollinger_is_mean_and_deviation_at_any_price_level(level: float) -> None:
    close = level * (1 + closes() / 1e5)  # movements of one in a thousand of the price
    bands = indicators.bollinger(close, 20, 2.0)
    windows = np.lib.stride_tricks.sliding_window_view(close, 20)
    middle, deviation = windows.mean(axis=1), windows.std(axis=1)
    np.testing.assert_allclose(bands.middle[19:], middle, rtol=1e-11)
    np.testing.assert_allclose((bands.upper - bands.middle)[19:], 2 * deviation, rtol=1e-5)
    np.testing.assert_allclose((bands.middle - bands.lower)[19:], 2 * deviation, rtol=1e-5)


def test_atr_smooths_the_true_range() -> None:
    candles = random_candles(300, 5)
    before = np.r_[candles.close[0], candles.close[:-1]]
    ranges = np.maximum(candles.high, before) - np.minimum(candles.low, before)
    expected = wilder(ranges, 14)
    np.testing.assert_allclose(indicators.atr(candles, 14), expected, rtol=1e-10)
    np.testing.assert_allclose(
        indicators.atr_percent(candles, 14), 100 * expected / candles.close, rtol=1e-10
    )


def test_adx_is_high_in_a_trend_and_low_in_a_range() -> None:
    steps = np.arange(200.0)
    rising = candles_of(100 + steps)
    swinging = candles_of(100 + 5 * np.sin(steps * 2.4))
    trend, swing = indicators.directional(rising, 14), indicators.directional(swinging, 14)
    assert trend.adx[-1] > 60
    assert trend.plus[-1] > trend.minus[-1]
    assert swing.adx[-1] < 20
    assert np.flatnonzero(~np.isnan(trend.adx))[0] == 27


def candles_of(close: FloatArray) -> Candles:
    time = np.arange(len(close), dtype=np.int64) * 60_000
    return Candles("1m", time, close, close + 0.5, close - 0.5, close, np.ones(len(close)))


SINGLE: dict[str, Callable[[FloatArray], FloatArray]] = {
    "sma": lambda values: indicators.sma(values, 5),
    "ema": lambda values: indicators.ema(values, 5),
    "rsi": lambda values: indicators.rsi(values, 5),
    "macd": lambda values: indicators.macd(values, 3, 5, 2).histogram,
    "bollinger": lambda values: indicators.bollinger(values, 5).upper,
}


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_inputs_shorter_than_the_warm_up_give_nan(name: str, count: int) -> None:
    result = SINGLE[name](np.arange(1.0, count + 1))
    assert result.dtype == np.float64
    assert result.shape == (count,)
    assert np.isnan(result).all()


@pytest.mark.parametrize("name", SINGLE)
def test_all_nan_in_all_nan_out(name: str) -> None:
    assert np.isnan(SINGLE[name](np.full(50, np.nan))).all()


@pytest.mark.parametrize("name", SINGLE)
def test_the_past_does_not_depend_on_the_future(name: str) -> None:
    close = closes(120)
    np.testing.assert_array_equal(SINGLE[name](close)[:80], SINGLE[name](close[:80]))


@pytest.mark.parametrize("price", [1e-12, 1.0, 1e12])
def test_a_price_that_never_moves_is_neither_oversold_nor_overbought(price: float) -> None:
    flat = np.full(60, price)
    assert indicators.rsi(flat, 14)[-1] == 50.0
    bands = indicators.bollinger(flat, 20)
    assert bands.upper[-1] == bands.middle[-1] == bands.lower[-1] == pytest.approx(price)


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**40])
def test_rsi_does_not_depend_on_the_unit_of_the_price(scale: float) -> None:
    close = closes()
    np.testing.assert_allclose(
        indicators.rsi(close * scale, 14), indicators.rsi(close, 14), rtol=1e-9
    )


def test_a_fall_without_a_rise_is_an_rsi_of_zero() -> None:
    assert indicators.rsi(np.linspace(100.0, 50.0, 40), 14)[-1] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("cross", "expected"),
    [
        (indicators.crosses_above, [False, False, False, True, False, False, False, True]),
        (indicators.crosses_below, [False, False, False, False, False, True, False, False]),
    ],
)
def test_crossings_are_events_and_need_two_known_values(
    cross: Callable[[FloatArray, FloatArray], FloatArray], expected: list[bool]
) -> None:
    nan = np.nan
    left = np.array([nan, 2.0, 1.0, 3.0, 3.0, 0.0, 1.0, 2.0])
    right = np.array([1.0, nan, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert cross(left, right).tolist() == expected


def test_a_crossing_of_a_level_and_rounding_apart() -> None:
    third = 0.1 + 0.2
    assert indicators.crosses_above(np.array([0.3, third, 0.4]), 0.3).tolist() == [
        False,
        False,
        True,
    ]
    assert not indicators.above(np.array([third]), 0.3).any()
    assert not indicators.below(np.array([0.3]), third).any()


def test_begins_is_the_first_of_each_run() -> None:
    condition = np.array([True, True, False, True, True, False])
    assert indicators.begins(condition).tolist() == [False, False, False, True, False, False]
    assert indicators.begins(np.zeros(0, dtype=np.bool_)).tolist() == []


ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1.0 + 1e-13, 1.0 + 1e-9, -1.0, 1e300, 1e-300]


def plainly_above(left: FloatArray, right: FloatArray | float) -> BoolArray:
    """The definition in one line, without the blocks of the real one."""
    return left - right > indicators.TIE * np.maximum(np.abs(left), np.abs(right))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # infinity less infinity
@pytest.mark.parametrize("count", [0, 1, 7, 8191, 8192, 8193, 20_000])
def test_comparisons_are_their_definition_whatever_the_length(count: int) -> None:
    random = np.random.default_rng(count)
    left, right = random.choice(ODD, count), random.choice(ODD, count)
    for other in (right, 1.0, np.nan):
        over = plainly_above(left, other)
        under = plainly_above(np.broadcast_to(other, left.shape), left)
        assert indicators.above(left, other).tolist() == over.tolist()
        assert indicators.below(left, other).tolist() == under.tolist()
        is_known = ~np.isnan(left) & ~np.isnan(other)
        for condition, crosses in (
            (over, indicators.crosses_above), (under, indicators.crosses_below),
        ):  # fmt: skip
            expected = np.zeros(count, dtype=np.bool_)
            expected[1:] = condition[1:] & ~condition[:-1] & is_known[:-1]
            assert crosses(left, other).tolist() == expected.tolist()
        up, down = indicators.crossings(left, other)
        assert up.tolist() == indicators.crosses_above(left, other).tolist()
        assert down.tolist() == indicators.crosses_below(left, other).tolist()


def test_shared_indicators_are_computed_once_and_are_the_same() -> None:
    candles = random_candles(500, 1)
    plain = indicators.sma(candles.close, 20), indicators.bollinger(candles.close, 20)
    with shared_indicators():
        average, bands = indicators.sma(candles.close, 20), indicators.bollinger(candles.close, 20)
        assert indicators.sma(candles.close, 20) is average
        assert indicators.bollinger(candles.close, 20) is bands
        assert indicators.atr(candles, 14) is indicators.atr(candles, 14)
        assert indicators.sma(candles.close, 21) is not average
        assert indicators.ema(candles.close, 20) is not average
        assert indicators.sma(candles.close.copy(), 20) is not average
        with pytest.raises(ValueError, match="read-only"):
            average[0] = 1.0
    np.testing.assert_array_equal(average, plain[0])
    np.testing.assert_array_equal(bands, plain[1])
    assert indicators.sma(candles.close, 20) is not average
    indicators.sma(candles.close, 20)[0] = 1.0  # one's own again


def test_shared_indicators_forget_the_oldest_and_end_with_an_error() -> None:
    close = closes()
    with pytest.raises(ZeroDivisionError), shared_indicators(most=2):
        first = indicators.sma(close, 2)
        indicators.sma(close, 3)
        assert indicators.sma(close, 2) is first
        indicators.sma(close, 4)
        assert indicators.sma(close, 2) is not first
        raise ZeroDivisionError
    assert indicators.sma(close, 2) is not indicators.sma(close, 2)


def test_each_thread_shares_for_itself() -> None:
    close = closes()
    with shared_indicators(), ThreadPoolExecutor(1) as pool:
        mine = indicators.sma(close, 9)
        assert pool.submit(indicators.sma, close, 9).result() is not mine
