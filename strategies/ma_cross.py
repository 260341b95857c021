"""Follows the trend: in when the fast average crosses above the slow one, out when it crosses back.

**What it does.** Two simple moving averages of the close. On the candle on which the fast one
crosses above the slow one the strategy enters long; on the candle on which it crosses below, it
exits. Short positions are the mirror image. Between two crossings it says nothing.

**When it works.** In long, clear trends: a few large gains pay for many small losses.

**When it loses.** In sideways markets the averages cross back and forth, and every crossing costs
fees and a little price.

Source: R. D. Donchian, *Trend-Following Methods in Commodity Price Analysis* (1957); tested on
stocks by Brock, Lakonishok and LeBaron, *Journal of Finance* 47 (1992).
"""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from engine.domain.candles import Candles
from engine.domain.indicators import crossings, sma
from engine.domain.strategy import Plot, Signals, Strategy


class MovingAverageCross(Strategy):
    """Enters and exits on the candle on which two simple averages cross."""

    title: ClassVar[str] = "Moving average cross"
    summary: ClassVar[str] = "Follows trends: trades when a fast average crosses a slow one."

    fast: int = Field(
        default=20,
        ge=1,
        le=500,
        title="Fast average",
        description="Length of the average that follows the price closely",
        json_schema_extra={"unit": "candles"},
    )
    slow: int = Field(
        default=50,
        ge=2,
        le=1000,
        title="Slow average",
        description="Length of the average that shows the trend",
        json_schema_extra={"unit": "candles"},
    )

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("the fast average must be shorter than the slow average")
        return self

    @property
    def warmup(self) -> int:
        """A crossing needs two values of the slow average."""
        return self.slow + 1

    @property
    def history(self) -> int:
        """Simple averages remember nothing older than their length."""
        return max(500, 2 * self.warmup)

    def signals(self, candles: Candles) -> Signals:
        """Events: true on the candle of the crossing only."""
        fast, slow = sma(candles.close, self.fast), sma(candles.close, self.slow)
        is_up, is_down = crossings(fast, slow)

        def reason(i: int) -> str:
            averages = f"SMA {self.fast} ({fast[i]:.6g})", f"SMA {self.slow} ({slow[i]:.6g})"
            if is_up[i]:
                return f"{averages[0]} crossed above {averages[1]}"
            if is_down[i]:
                return f"{averages[0]} crossed below {averages[1]}"
            side = "above" if fast[i] > slow[i] else "below"
            return f"{averages[0]} is {side} {averages[1]}; no crossing on this candle"

        return Signals(
            enter_long=is_up,
            exit_long=is_down,
            enter_short=is_down,
            exit_short=is_up,
            plots={f"SMA {self.fast}": Plot(fast), f"SMA {self.slow}": Plot(slow)},
            reason=reason,
        )
