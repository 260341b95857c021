"""What a report shows beside the figures: curves, months, weekdays, distributions, groups."""

import math
from datetime import datetime

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.domain.candles import IntArray
from engine.domain.money import UtcDatetime, from_epoch_ms
from engine.domain.performance import ratios
from engine.domain.performance.facts import Facts
from engine.domain.performance.history import SIDES, ClosedTrades, Labels
from engine.domain.performance.thinning import MOST_POINTS, kept_rows

ROLLING_DAYS = 30
MOST_BINS = 40
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DERIVED = ("side", "entry_hour", "weekday", "month")
"""What any trades can be grouped by, labels or not. Weekdays and months are those of the exit."""

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_THURSDAY = 3  # 1970-01-01 was one
_MONTHS_BEFORE_1970 = 1970 * 12


class Curve(BaseModel):
    """An account over time, thinned for a chart; columns of one length.

    ``market`` is what the starting cash would be worth in the market, None where that is not known;
    ``underwater`` is the worth under its highest so far, as a fraction in [-1, 0].
    """

    model_config = ConfigDict(frozen=True)

    time: tuple[UtcDatetime, ...]
    equity: tuple[float, ...]
    underwater: tuple[float, ...]
    market: tuple[float, ...] | None = None


class YearRow(BaseModel):
    """Returns of a year's months, January first (None: no bar), and of the whole year."""

    model_config = ConfigDict(frozen=True)

    year: int
    months: tuple[float | None, ...]
    total: float


class Rolling(BaseModel):
    """Figures over the ``days`` returns up to each moment; columns of one length, thinned."""

    model_config = ConfigDict(frozen=True)

    days: int
    time: tuple[UtcDatetime, ...]
    total_return: tuple[float, ...]
    volatility: tuple[float, ...]
    sharpe: tuple[float | None, ...]


class Bin(BaseModel):
    """How many trades returned between ``low`` (inclusive) and ``high`` (the last bin's too)."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    count: int


class GroupRow(BaseModel):
    """Closed trades that have something in common. Money in quote, ``expectancy`` a trade.

    ``t_value`` is the mean P&L over its standard error: within -2 and 2 it may well be chance.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    trades: int
    wins: int
    win_rate: float
    pnl: float
    expectancy: float
    t_value: float | None
    mean_return: float
    profit_factor: float | None
    best: float
    worst: float
    fees: float
    mean_duration_s: float


def curve_of(facts: Facts, most: int = MOST_POINTS) -> Curve:
    """The account's curve, from the starting cash on."""
    falls = facts.drawdowns
    rows = kept_rows(falls.worth, most)
    market = None
    prices = facts.history.market
    if prices is not None and len(prices) and prices[0] > 0:
        worth = facts.history.starting_cash * np.concatenate(([1.0], prices / prices[0]))
        market = tuple(worth[rows].tolist())
    return Curve(
        time=times(falls.at[rows]),
        equity=tuple(falls.worth[rows].tolist()),
        underwater=tuple((0.0 - facts.depths[rows]).tolist()),
        market=market,
    )


def months_of(facts: Facts) -> tuple[YearRow, ...]:
    """Returns by calendar month (UTC) and year, each on the worth at the end of the one before."""
    daily = facts.daily
    if not len(daily.at):
        return ()
    # A bar belongs to the month in which it opened, as it does to that day.
    months = _months(daily.at - facts.history.bar_ms)
    growth = np.log1p(np.maximum(daily.returns, -1.0 + 1e-15))
    last = np.flatnonzero(np.r_[months[1:] != months[:-1], True])
    sums = np.diff(np.concatenate(([0.0], np.cumsum(growth)[last])))
    by_month = dict(zip(months[last].tolist(), np.expm1(sums).tolist(), strict=True))
    years = sorted({month // 12 for month in by_month})
    return tuple(_year(year, by_month) for year in years)


def _year(year: int, by_month: dict[int, float]) -> YearRow:
    months = tuple(by_month.get(year * 12 + month) for month in range(12))
    growth = math.prod(1 + month for month in months if month is not None)
    return YearRow(year=year, months=months, total=growth - 1)


def rolling_of(facts: Facts, days: int = ROLLING_DAYS, most: int = MOST_POINTS // 2) -> Rolling:
    """Return, volatility and Sharpe ratio over windows of ``days`` daily returns; empty when there
    are fewer. Raises ValueError for a window under 2."""
    if days < 2:
        raise ValueError("a window needs at least two days")
    daily = facts.daily
    if len(daily.returns) < days:
        return Rolling(days=days, time=(), total_return=(), volatility=(), sharpe=())
    windows = np.lib.stride_tricks.sliding_window_view(daily.returns, days)
    total = np.prod(1 + windows, axis=1) - 1
    spread = np.std(windows, axis=1, ddof=1)
    ratio = np.divide(windows.mean(axis=1), spread, out=np.full_like(spread, np.nan),
                      where=spread > 1e-12)  # fmt: skip
    rows = kept_rows(total, most)
    year = math.sqrt(daily.a_year)
    return Rolling(
        days=days,
        time=times(daily.at[days - 1 :][rows]),
        total_return=tuple(total[rows].tolist()),
        volatility=tuple((spread[rows] * year).tolist()),
        sharpe=tuple(None if math.isnan(one) else one * year for one in ratio[rows].tolist()),
    )


def distribution_of(trades: ClosedTrades, most: int = MOST_BINS) -> tuple[Bin, ...]:
    """Trades by their return, in bins of one width of which one ends at 0, so that none mixes wins
    and losses."""
    returns = trades.returns
    if not len(returns):
        return ()
    low, high = min(0.0, float(returns.min())), max(0.0, float(returns.max()))
    if low == high:
        return (Bin(low=0.0, high=0.0, count=len(returns)),)
    # Freedman and Diaconis (1981), within what a chart can show.
    quarter, upper = np.percentile(returns, (25, 75))
    width = 2 * float(upper - quarter) / len(returns) ** (1 / 3)
    width = max(width, (high - low) / (most - 2))
    first, last = math.floor(low / width), max(1, math.ceil(high / width))
    edges = np.arange(first, last + 1) * width
    counts, _ = np.histogram(np.clip(returns, edges[0], edges[-1]), bins=edges)
    return tuple(
        Bin(low=float(edges[at]), high=float(edges[at + 1]), count=int(count))
        for at, count in enumerate(counts)
    )


def groups_of(trades: ClosedTrades, by: str) -> tuple[GroupRow, ...]:
    """Trades by a label or one of ``DERIVED``; only groups with a trade, hours, days and months in
    their order, others by profit. Raises ValueError for a word that is neither."""
    labels = _labels(trades, by)
    if not len(trades):
        return ()
    order = np.argsort(labels.codes, kind="stable")
    codes = labels.codes[order]
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    pieces = np.split(order, starts[1:])
    rows = [_group(trades[piece], labels.names[int(labels.codes[piece[0]])]) for piece in pieces]
    if by not in DERIVED or by == "side":
        rows.sort(key=lambda row: -row.pnl)
    return tuple(rows)


def _group(trades: ClosedTrades, key: str) -> GroupRow:
    pnl = trades.pnl
    wins = pnl > 0
    ratio = ratios.sharpe(pnl, 1.0)
    return GroupRow(
        key=key,
        trades=len(trades),
        wins=int(wins.sum()),
        win_rate=float(wins.mean()),
        pnl=float(pnl.sum()),
        expectancy=float(pnl.mean()),
        t_value=None if ratio is None else ratio * math.sqrt(len(pnl)),
        mean_return=float(trades.returns.mean()),
        profit_factor=ratios.divided(float(pnl[wins].sum()), -float(pnl[pnl < 0].sum())),
        best=float(pnl.max()),
        worst=float(pnl.min()),
        fees=float(trades.fees.sum()),
        mean_duration_s=float(trades.duration_s.mean()),
    )


def _labels(trades: ClosedTrades, by: str) -> Labels:
    if by in trades.labels:
        return trades.labels[by]
    if by == "side":
        return Labels((~trades.is_long).astype(np.int64), SIDES)
    if by == "entry_hour":
        hours = trades.entry_ms // _HOUR_MS % 24
        return Labels(hours, tuple(f"{hour:02}:00" for hour in range(24)))
    if by == "weekday":
        return Labels((trades.exit_ms // _DAY_MS + _THURSDAY) % 7, WEEKDAYS)
    if by == "month":
        months = _months(trades.exit_ms)
        first, last = (int(months.min()), int(months.max())) if len(months) else (0, -1)
        names = tuple(f"{at // 12}-{at % 12 + 1:02}" for at in range(first, last + 1))
        return Labels(months - first, names)
    known = ", ".join((*trades.labels, *DERIVED))
    raise ValueError(f"trades cannot be grouped by '{by}', only by {known}")


def times(epochs_ms: IntArray) -> tuple[datetime, ...]:
    """Aware UTC times of epochs in milliseconds."""
    return tuple(from_epoch_ms(one) for one in epochs_ms.tolist())


def _months(epochs_ms: IntArray) -> IntArray:
    """Months since the year 0."""
    since_1970 = epochs_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(since_1970 + _MONTHS_BEFORE_1970)
