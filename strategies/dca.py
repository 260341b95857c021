"""Dollar-cost averaging: buys the same amount at fixed times while the price is below its average.

**What it does.** Time is divided into stretches of *every* candles, counted from 1970, so that the
calendar is the same for everybody. On the first candle of a stretch the strategy enters long, once
more for each stretch, while the close is at least *dip* percent below its simple average. It wants
to be out while the close is more than *gain* percent above the average. Shorts are mirrored.

With *dip* at 0 it buys whenever the price is below its average at all. That condition is what it
adds to plain averaging, which buys at any price.

**When it works.** In markets that fall for a while and recover: the average price paid falls with
the market, so that the recovery need not be complete.

**When it loses.** When they do not recover: it buys all the way down. It is no protection against
a loss, only against buying everything at the top; all at once has done better in markets that rise.

**Bot settings it wants.** *Entries per position* of 5 to 20: the trade amount is that of one
purchase. No stop loss or a very wide one, no trailing stop. A take profit, which is counted from
the average price paid, ends the position sooner than *gain*.

Source: B. Graham, *The Intelligent Investor* (1949), who recommends it to the defensive investor;
G. M. Constantinides, *A Note on the Suboptimality of Dollar-Cost Averaging as an Investment
Policy*, Journal of Financial and Quantitative Analysis 14 (1979), for what it cannot do.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field

from engine.domain.candles import Candles
from engine.domain.indicators import above, below, sma
from engine.domain.strategy import Plot, Signals, Strategy
from engine.domain.timeframes import timeframe_s


class DollarCostAverage(Strategy):
    """Enters at fixed times below the average, exits well above it."""

    title: ClassVar[str] = "Dollar-cost averaging"
    summary: ClassVar[str] = "Buys in equal parts at fixed times below the average, exits above it."

    every: int = Field(
        default=24,
        ge=1,
        le=10_000,
        title="Every",
        description="Candles from one purchase to the next",
        json_schema_extra={"unit": "candles"},
    )
    period: int = Field(
        default=100,
        ge=2,
        le=1000,
        title="Average",
        description="Length of the average that the close is compared with",
        json_schema_extra={"unit": "candles"},
    )
    dip: float = Field(
        default=0.0,
        ge=0,
        le=90,
        title="Dip",
        description="How far below the average a purchase must be",
        json_schema_extra={"unit": "%"},
    )
    gain: float = Field(
        default=3.0,
        ge=0,
        le=500,
        title="Gain",
        description="How far above the average everything is sold",
        json_schema_extra={"unit": "%"},
    )

    @property
    def warmup(self) -> int:
        """Until the average has a value."""
        return self.period

    @property
    def history(self) -> int:
        """The calendar is fixed, and the average remembers nothing older than its length."""
        return max(500, 2 * self.warmup)

    def signals(self, candles: Candles) -> Signals:
        """Entries at the times of the calendar; exits while the close is far enough beyond."""
        close, average = candles.close, sma(candles.close, self.period)
        stretch = candles.time // (timeframe_s(candles.timeframe) * 1000 * self.every)
        is_due = np.diff(stretch, prepend=stretch[:1]) != 0
        is_cheap = below(close, average * (1 - self.dip / 100))
        is_dear = above(close, average * (1 + self.dip / 100))

        def reason(i: int) -> str:
            gap = 100 * (close[i] / average[i] - 1) if average[i] else 0.0
            when = "it is time to buy" if is_due[i] else "not a time to buy"
            words = f"close {close[i]:.6g} is {gap:+.2f} % from its average {average[i]:.6g}"
            return f"{when} (one of {self.every} candles): {words}"

        return Signals(
            enter_long=is_cheap & is_due,
            exit_long=above(close, average * (1 + self.gain / 100)),
            enter_short=is_dear & is_due,
            exit_short=below(close, average * (1 - min(self.gain, 100.0) / 100)),
            plots={
                f"SMA {self.period}": Plot(average),
                "Buys below": Plot(average * (1 - self.dip / 100)),
                "Sells above": Plot(average * (1 + self.gain / 100)),
            },
            reason=reason,
        )
