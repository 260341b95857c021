"""Follows an established trend: in while three averages are in order and the price is not overrun.

**What it does.** Three simple moving averages of the close. While the fast one is above the medium
one and that above the slow one, the trend is up, and the strategy wants to be in, unless the RSI
says that the price has run too far (at or above *overbought*). It wants to be out while the fast
average is below the medium one: the exit does not wait for the slow average. Shorts are mirrored,
with *oversold* as their limit.

**When it works.** In long trends; the third average keeps it out of many a short one.

**When it loses.** In sideways markets the averages change their order again and again. At the end
of a trend it gives back what the price moves until the fast average has crossed the medium one.

**Bot settings it wants.** A trailing stop or a stop loss, no take profit: a few long trends pay for
many short ones. With more than one entry per position it adds while the trend lasts.

Source: three averages in order are R. C. Allen's 4-9-18 method, as told by J. J. Murphy, *Technical
Analysis of the Financial Markets* (1999), chapter 9; the RSI of 14 with 70 and 30 is J. W.
Wilder's, *New Concepts in Technical Trading Systems* (1978), section VI.
"""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from engine.domain.candles import Candles
from engine.domain.indicators import above, below, rsi, sma
from engine.domain.strategy import HISTORY_FACTOR, Plot, Signals, Strategy


class TrendFollowing(Strategy):
    """In while fast, medium and slow average are in order; out when the first pair is not."""

    title: ClassVar[str] = "Trend following"
    summary: ClassVar[str] = "Three averages in order show the trend; the RSI forbids late entries."

    fast: int = Field(
        default=10,
        ge=1,
        le=500,
        title="Fast average",
        description="Length of the average that follows the price closely",
        json_schema_extra={"unit": "candles"},
    )
    medium: int = Field(
        default=20,
        ge=2,
        le=700,
        title="Medium average",
        description="Length of the average that the fast one must be beyond",
        json_schema_extra={"unit": "candles"},
    )
    slow: int = Field(
        default=50,
        ge=3,
        le=1000,
        title="Slow average",
        description="Length of the average that shows the long trend",
        json_schema_extra={"unit": "candles"},
    )
    rsi_period: int = Field(
        default=14,
        ge=2,
        le=200,
        title="RSI period",
        description="Candles over which rises and falls are averaged",
        json_schema_extra={"unit": "candles"},
    )
    overbought: float = Field(
        default=70.0,
        ge=1,
        le=99,
        title="Overbought",
        description="No long entry at or above this RSI",
    )
    oversold: float = Field(
        default=30.0,
        ge=1,
        le=99,
        title="Oversold",
        description="No short entry at or below this RSI",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.fast < self.medium < self.slow:
            raise ValueError(
                "the fast average must be shorter than the medium one, and that than the slow one"
            )
        if self.oversold >= self.overbought:
            raise ValueError("oversold must be less than overbought")
        return self

    @property
    def warmup(self) -> int:
        """Until the slow average and the RSI have a value."""
        return max(self.slow, self.rsi_period + 1)

    @property
    def history(self) -> int:
        """Simple averages remember only their length, the RSI a multiple of its period."""
        return max(500, 2 * self.slow, HISTORY_FACTOR * (self.rsi_period + 1))

    def signals(self, candles: Candles) -> Signals:
        """States: true on every candle on which the averages stand so."""
        close = candles.close
        fast, medium, slow = (sma(close, length) for length in (self.fast, self.medium, self.slow))
        index = rsi(close, self.rsi_period)
        is_rising = above(fast, medium) & above(medium, slow)
        is_falling = below(fast, medium) & below(medium, slow)
        is_warm = np.arange(len(candles)) >= self.warmup - 1

        def reason(i: int) -> str:
            averages = f"averages {fast[i]:.6g}, {medium[i]:.6g}, {slow[i]:.6g}"
            if is_rising[i] and not index[i] < self.overbought:
                return f"rising trend ({averages}), but RSI {index[i]:.1f} is overbought: no entry"
            if is_falling[i] and not index[i] > self.oversold:
                return f"falling trend ({averages}), but RSI {index[i]:.1f} is oversold: no entry"
            if is_rising[i] or is_falling[i]:
                trend = "rising" if is_rising[i] else "falling"
                return f"{trend} trend: {averages} in order, RSI {index[i]:.1f}"
            return f"no trend: {averages} out of order, RSI {index[i]:.1f}"

        return Signals(
            enter_long=is_rising & (index < self.overbought) & is_warm,
            exit_long=below(fast, medium) & is_warm,
            enter_short=is_falling & (index > self.oversold) & is_warm,
            exit_short=above(fast, medium) & is_warm,
            plots={
                f"SMA {self.fast}": Plot(fast),
                f"SMA {self.medium}": Plot(medium),
                f"SMA {self.slow}": Plot(slow),
                "RSI": Plot(index, is_overlay=False, levels=(self.oversold, self.overbought)),
            },
            reason=reason,
        )
