"""From equity to returns of even periods, and how many of those make a year.

The rule, once for all metrics:

- One return a day (UTC): the worth at the day's last bar against that of the day before.
- A market that closes on Saturdays has 252 days a year, and its Sunday counts to Monday, as forex
  counts it; any other has 365. It closes when there are bars on fewer than half the Saturdays.
- Less than 30 days of bars would say little as days: then every bar is a period, and a year has
  as many as its days have bars (the median day). Points that are no bars stay days.

The first period begins with the starting cash, so the returns compound to the total return.
"""

from dataclasses import dataclass

import numpy as np

from engine.domain.candles import FloatArray, IntArray
from engine.domain.performance.history import MS_A_DAY, History

FEWEST_DAYS = 30
DAYS_OF_CALENDAR = 365.0
DAYS_OF_EXCHANGE = 252.0

# Days are counted from 1970-01-01, a Thursday.
_SATURDAY, _SUNDAY, _WEEK = 2, 3, 7


@dataclass(frozen=True, slots=True)
class Periods:
    """Returns (fractions) of even periods, each ending at ``at`` (epoch milliseconds UTC).

    ``days_a_year`` is that of the market, ``a_year`` the number of periods in a year.
    """

    at: IntArray
    returns: FloatArray
    a_year: float
    days_a_year: float
    is_daily: bool


def periods_of(history: History) -> Periods:
    """The returns that ratios are made of, by the rule above."""
    daily = daily_periods(history)
    if not history.bar_ms or len(daily.returns) >= FEWEST_DAYS:
        return daily
    days = _days(history, is_closed=daily.days_a_year == DAYS_OF_EXCHANGE)
    bars_a_day = float(np.median(np.unique(days, return_counts=True)[1])) if len(days) else 1.0
    return Periods(
        at=history.at,
        returns=simple_returns(history.starting_cash, history.equity),
        a_year=daily.days_a_year * bars_a_day,
        days_a_year=daily.days_a_year,
        is_daily=bars_a_day == 1.0,
    )


def daily_periods(history: History) -> Periods:
    """One return a day, however few they are."""
    if not len(history.at):
        nothing = np.empty(0)
        return Periods(np.empty(0, np.int64), nothing, DAYS_OF_CALENDAR, DAYS_OF_CALENDAR, True)
    if history.bar_ms:
        is_closed = closes_on_saturdays((history.at - history.bar_ms) // MS_A_DAY)
        days = _days(history, is_closed=is_closed)
        last = np.flatnonzero(np.r_[days[1:] != days[:-1], True])
        at, equity = history.at[last], history.equity[last]
        a_year = DAYS_OF_EXCHANGE if is_closed else DAYS_OF_CALENDAR
    else:
        at, equity = _every_day(history)
        a_year = DAYS_OF_CALENDAR
    returns = simple_returns(history.starting_cash, equity)
    return Periods(at, returns, a_year, a_year, True)


def simple_returns(start: float, equity: FloatArray) -> FloatArray:
    """Change of each value on the one before it, as a fraction.

    An account that is worth nothing has lost everything once: its return is -1, and 0 from then on.
    """
    worth = np.maximum(np.concatenate(([start], equity)), 0.0)
    before, after = worth[:-1], worth[1:]
    growth = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    return np.asarray(growth - 1)


def closes_on_saturdays(days: IntArray) -> bool:
    """Whether a market with bars on ``days`` (since the epoch) rests on Saturdays."""
    first, last = int(days[0]), int(days[-1])
    there_were = (last - _SATURDAY) // _WEEK - (first - 1 - _SATURDAY) // _WEEK
    seen = len(np.unique(days[days % _WEEK == _SATURDAY]))
    return seen < there_were / 2


def _days(history: History, *, is_closed: bool) -> IntArray:
    """The day each bar belongs to: that in which it opened."""
    days = (history.at - history.bar_ms) // MS_A_DAY
    return days + (days % _WEEK == _SUNDAY) if is_closed else days


def _every_day(history: History) -> tuple[IntArray, FloatArray]:
    """The worth at the end of each day from the first to the last, the last as of its point."""
    first, last = history.start_ms // MS_A_DAY, int(history.at[-1]) // MS_A_DAY
    at = (np.arange(first, last + 1, dtype=np.int64) + 1) * MS_A_DAY - 1
    at[-1] = history.at[-1]
    rows = np.searchsorted(history.at, at, side="right") - 1
    return at, np.where(rows < 0, history.starting_cash, history.equity[np.maximum(rows, 0)])
