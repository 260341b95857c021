"""What the metrics share, computed once and only when one of them asks."""

from functools import cached_property

import numpy as np

from engine.domain.candles import BoolArray, FloatArray
from engine.domain.performance import ratios
from engine.domain.performance.drawdowns import Drawdown, Drawdowns, depths, drawdowns_of
from engine.domain.performance.history import MS_A_DAY, MS_A_SECOND, ClosedTrades, History
from engine.domain.performance.sampling import (
    DAYS_OF_CALENDAR,
    Periods,
    daily_periods,
    periods_of,
)

FEWEST_ANNUAL_DAYS = 7
"""A shorter history is not scaled to a year: a lucky afternoon would be billions of percent."""

TOP_SHARE = 0.05


class Facts:
    """A history with its intermediate results."""

    def __init__(self, history: History) -> None:
        self.history = history

    # --- time and worth

    @property
    def trades(self) -> ClosedTrades:
        """The closed trades."""
        return self.history.trades

    @cached_property
    def days(self) -> float:
        """Calendar days from the start to the last value."""
        return self.history.span_ms / MS_A_DAY

    @cached_property
    def periods(self) -> Periods:
        """Returns of even periods."""
        return periods_of(self.history)

    @cached_property
    def daily(self) -> Periods:
        """Returns of days."""
        return daily_periods(self.history)

    @property
    def returns(self) -> FloatArray:
        """Returns of ``periods``."""
        return self.periods.returns

    @cached_property
    def net_profit(self) -> float:
        """What was gained, open positions included."""
        return self.history.final_equity - self.history.starting_cash

    @property
    def total_return(self) -> float | None:
        """Net profit as a fraction of the starting cash; below -1 where an account owes."""
        cash = self.history.starting_cash
        return ratios.divided(self.net_profit, cash) if cash > 0 else None

    @cached_property
    def cagr(self) -> float | None:
        """Growth a year of 365 days; -1 when everything was lost."""
        if self.total_return is None or self.days < FEWEST_ANNUAL_DAYS:
            return None
        growth = max(0.0, 1.0 + self.total_return)
        try:
            return float(growth ** (DAYS_OF_CALENDAR / self.days)) - 1.0
        except OverflowError:
            return None

    @cached_property
    def market_change(self) -> float | None:
        """Change of the market's price over the same bars."""
        market = self.history.market
        if market is None or not len(market):
            return None
        change = ratios.divided(float(market[-1]), float(market[0]))
        return None if change is None else change - 1

    # --- drawdowns

    @cached_property
    def drawdowns(self) -> Drawdowns:
        """All of them."""
        return drawdowns_of(self.history)

    @cached_property
    def depths(self) -> FloatArray:
        """How far under the peak at each value, the starting cash first."""
        return depths(self.drawdowns.worth)

    @cached_property
    def deepest(self) -> Drawdown | None:
        """The deepest drawdown."""
        found = self.drawdowns.deepest(1)
        return found[0] if found else None

    @property
    def max_drawdown(self) -> float:
        """The deepest drawdown's depth, in [0, 1]."""
        return self.deepest.depth if self.deepest else 0.0

    # --- trades

    @cached_property
    def is_win(self) -> BoolArray:
        """Which trades made money."""
        return np.asarray(self.trades.pnl > 0)

    @cached_property
    def is_loss(self) -> BoolArray:
        """Which trades lost money."""
        return np.asarray(self.trades.pnl < 0)

    @cached_property
    def trade_returns(self) -> FloatArray:
        """Return of each trade on its entry value."""
        return self.trades.returns

    @cached_property
    def durations_s(self) -> FloatArray:
        """How long each trade was held."""
        return self.trades.duration_s

    @cached_property
    def gross_profit(self) -> float:
        """Sum of the winning trades."""
        return float(np.sum(self.trades.pnl[self.is_win]))

    @cached_property
    def gross_loss(self) -> float:
        """Sum of the losing trades, not negative."""
        return -float(np.sum(self.trades.pnl[self.is_loss]))

    @cached_property
    def win_rate(self) -> float | None:
        """Winning trades as a fraction of all."""
        return ratios.divided(float(np.sum(self.is_win)), len(self.trades))

    @cached_property
    def payoff(self) -> float | None:
        """Average win over average loss, not negative."""
        win = ratios.mean(self.trades.pnl[self.is_win])
        loss = ratios.mean(self.trades.pnl[self.is_loss])
        return None if win is None or loss is None else ratios.divided(win, -loss)

    @cached_property
    def top_share(self) -> float | None:
        """What the best 5 % of trades (at least one) made, as a fraction of the closed trades' sum.

        None where they made nothing together.
        """
        pnl = self.trades.pnl
        total = float(np.sum(pnl))
        if total <= 0:
            return None
        count = max(1, round(TOP_SHARE * len(pnl)))
        return ratios.divided(float(np.sum(np.sort(pnl)[-count:])), total)

    @cached_property
    def time_in_market(self) -> float | None:
        """Fraction of the time with a position: the union of all holding times over the span."""
        span = self.history.span_ms
        if span <= 0:
            return None
        end = self.history.start_ms + span
        opened = np.concatenate((self.trades.entry_ms, np.array(self.history.open_since_ms, int)))
        closed = np.concatenate(
            (self.trades.exit_ms, np.full(len(self.history.open_since_ms), end))
        )
        if not len(opened):
            return 0.0
        order = np.argsort(opened, kind="stable")
        opened, closed = np.maximum(opened[order], self.history.start_ms), closed[order]
        latest = np.maximum.accumulate(closed)
        # Each interval adds what lies after everything before it.
        begun = np.maximum(opened, np.concatenate(([opened[0]], latest[:-1])))
        held = float(np.sum(np.maximum(0, closed - begun)))
        return min(1.0, held / span)

    @cached_property
    def exposure(self) -> float | None:
        """Invested value x time held, over mean worth x span."""
        history = self.history
        worth = float(np.mean(history.equity)) if len(history.equity) else 0.0
        if history.span_ms <= 0 or worth <= 0:
            return None
        held_s = float(np.sum(self.trades.entry_value * self.durations_s))
        end = history.start_ms + history.span_ms
        for since, value in zip(history.open_since_ms, history.open_value, strict=True):
            held_s += value * max(0, end - since) / MS_A_SECOND
        return ratios.divided(held_s, worth * history.span_ms / MS_A_SECOND)
