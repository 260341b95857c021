"""Buys the return from an extreme: in when the close comes back inside the Bollinger bands.

**What it does.** The bands lie a number of standard deviations either side of a simple average.
When the close, after being below the lower band, closes above it again, the strategy enters long.
It exits while the close is at or beyond the middle band (the average), or, if so chosen, the upper
band. Shorts are mirrored. Waiting for the return keeps it out while a price is still falling.

**When it works.** In markets that swing around an average with steady volatility.

**When it loses.** When a trend begins: the price "walks the band", comes back for a moment, and
goes on. Set a stop loss.

Source: J. Bollinger, *Bollinger on Bollinger Bands* (2001), who warns that a touch of a band is no
signal by itself; the entry on re-crossing the band is the rule of TradingView's built-in "Bollinger
Bands Strategy".
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from engine.domain.candles import BoolArray, Candles
from engine.domain.indicators import above, below, bollinger, crosses_above, crosses_below
from engine.domain.strategy import Plot, Signals, Strategy


class Bollinger(Strategy):
    """Mean reversion: enters on the return inside a band, exits at the middle or the far band."""

    title: ClassVar[str] = "Bollinger bands"
    summary: ClassVar[str] = "Mean reversion: buys when the price comes back above the lower band."

    period: int = Field(
        default=20,
        ge=2,
        le=500,
        title="Period",
        description="Candles of the average and the standard deviation",
        json_schema_extra={"unit": "candles"},
    )
    width: float = Field(
        default=2.0,
        ge=0.1,
        le=10,
        title="Width",
        description="Distance of the bands from the average",
        json_schema_extra={"unit": "standard deviations"},
    )
    exit_at: Literal["middle", "far"] = Field(
        default="middle",
        title="Exit at",
        description="The middle band, or the band on the far side",
    )

    @property
    def warmup(self) -> int:
        """A crossing needs two values of the band."""
        return self.period + 1

    @property
    def history(self) -> int:
        """The bands remember nothing older than their length."""
        return max(500, 2 * self.warmup)

    def signals(self, candles: Candles) -> Signals:
        """Entries are events, exits are states; a candle that does both only exits."""
        close = candles.close
        upper, middle, lower = bollinger(close, self.period, self.width)
        is_middle, is_warm = self.exit_at == "middle", np.arange(len(close)) >= self.warmup - 1
        exit_long = ~below(close, middle if is_middle else upper) & is_warm
        exit_short = ~above(close, middle if is_middle else lower) & is_warm
        enter_long: BoolArray = crosses_above(close, lower) & ~exit_long
        enter_short: BoolArray = crosses_below(close, upper) & ~exit_short

        def reason(i: int) -> str:
            price = f"close {close[i]:.6g}"
            if enter_long[i]:
                return f"{price} came back above the lower band {lower[i]:.6g}"
            if enter_short[i]:
                return f"{price} came back below the upper band {upper[i]:.6g}"
            if close[i] > upper[i]:
                return f"{price} is above the upper band {upper[i]:.6g}"
            if close[i] < lower[i]:
                return f"{price} is below the lower band {lower[i]:.6g}"
            side = "above" if close[i] > middle[i] else "at or below"
            return f"{price} is inside the bands, {side} the middle {middle[i]:.6g}"

        return Signals(
            enter_long=enter_long,
            exit_long=exit_long,
            enter_short=enter_short,
            exit_short=exit_short,
            plots={
                "Upper band": Plot(upper),
                "Middle band": Plot(middle),
                "Lower band": Plot(lower),
            },
            reason=reason,
        )
