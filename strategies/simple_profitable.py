"""Conservative: buys a short pullback inside a rising trend, and leaves when the trend breaks.

**What it does.** The trend is up while the close is above a slow exponential average and the fast
average is above the slow one. When a candle then dips to the fast average and closes above it
again, the strategy enters long, unless the RSI says that the price has already run too far. It
exits while the close is below the slow average. Shorts are mirrored.

**When it works.** In steady trends with shallow pullbacks. It trades seldom.

**When it loses.** When a trend is short: the exit waits for the slow average and gives back part of
the gain. In sideways markets it takes small losses in a row. Nothing about it is profitable by
itself; the name is the classic dashboard's. Test it on your market first.

Source: buying the pullback to an average is the "Holy Grail" set-up of L. A. Connors and
L. B. Raschke, *Street Smarts* (1996), here with the slow average instead of ADX as the trend.
"""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from engine.domain.candles import Candles
from engine.domain.indicators import above, below, ema, rsi
from engine.domain.strategy import Plot, Signals, Strategy


class SimpleProfitable(Strategy):
    """Trend by two averages, entry on a pullback that ended, exit when the trend breaks."""

    title: ClassVar[str] = "Simple profitable"
    summary: ClassVar[str] = "Conservative: buys pullbacks in a rising trend, exits when it breaks."

    fast: int = Field(
        default=20,
        ge=2,
        le=200,
        title="Pullback average",
        description="Length of the exponential average to which the price pulls back",
        json_schema_extra={"unit": "candles"},
    )
    slow: int = Field(
        default=100,
        ge=3,
        le=1000,
        title="Trend average",
        description="Length of the exponential average that shows the trend",
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
    rsi_limit: float = Field(
        default=65.0,
        ge=50,
        le=99,
        title="RSI limit",
        description="No long entry at or above this RSI; no short entry at or below 100 minus it",
    )

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("the pullback average must be shorter than the trend average")
        return self

    @property
    def warmup(self) -> int:
        """Until both averages and the RSI have a value."""
        return max(self.slow, self.rsi_period + 1)

    def signals(self, candles: Candles) -> Signals:
        """Entries on the candle that ends a pullback; exits while the trend is broken."""
        close = candles.close
        fast, slow = ema(close, self.fast), ema(close, self.slow)
        index = rsi(close, self.rsi_period)
        is_rising = above(close, slow) & above(fast, slow)
        is_falling = below(close, slow) & below(fast, slow)
        has_dipped = ~above(candles.low, fast) & above(close, fast)
        has_spiked = ~below(candles.high, fast) & below(close, fast)
        is_warm = ~np.isnan(slow) & ~np.isnan(index)
        enter_long = is_rising & has_dipped & (index < self.rsi_limit)
        enter_short = is_falling & has_spiked & (index > 100 - self.rsi_limit)

        def reason(i: int) -> str:
            trend = f"close {close[i]:.6g} against the trend average {slow[i]:.6g}"
            if enter_long[i]:
                return f"the pullback to {fast[i]:.6g} ended in a rising trend; RSI {index[i]:.1f}"
            if enter_short[i]:
                return f"the bounce to {fast[i]:.6g} ended in a falling trend; RSI {index[i]:.1f}"
            if is_rising[i] and has_dipped[i]:
                return f"a pullback ended, but RSI {index[i]:.1f} is not below {self.rsi_limit:g}"
            if is_rising[i]:
                return f"rising trend ({trend}); waiting for a pullback to {fast[i]:.6g}"
            if is_falling[i]:
                return f"falling trend ({trend}); long positions are closed"
            return f"no clear trend ({trend})"

        return Signals(
            enter_long=enter_long,
            exit_long=below(close, slow) & is_warm,
            enter_short=enter_short,
            exit_short=above(close, slow) & is_warm,
            plots={
                f"EMA {self.fast}": Plot(fast),
                f"EMA {self.slow}": Plot(slow),
                "RSI": Plot(index, is_overlay=False, levels=(100 - self.rsi_limit, self.rsi_limit)),
            },
            reason=reason,
        )
