"""Buys what has fallen fast and sells what has risen fast, by Wilder's relative strength index.

**What it does.** The RSI compares the average rise with the average fall of recent candles on a
scale of 0 to 100. While it is below *oversold* the strategy wants to be in; while it is above
*overbought* it wants to be out. Short positions are the mirror image.

**When it works.** In markets that swing around a level and return to it.

**When it loses.** In a steady fall the index stays oversold and the strategy keeps buying into it:
set a stop loss. In a steady rise it sells early and misses the rest.

Source: J. W. Wilder, *New Concepts in Technical Trading Systems* (1978), section VI; the usual
settings 14, 30 and 70 are his.
"""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from engine.domain.candles import Candles
from engine.domain.indicators import rsi
from engine.domain.strategy import Plot, Signals, Strategy


class Rsi(Strategy):
    """Long while oversold, out while overbought; shorts mirrored."""

    title: ClassVar[str] = "RSI"
    summary: ClassVar[str] = "Buys while oversold, sells while overbought (Wilder's RSI)."

    period: int = Field(
        default=14,
        ge=2,
        le=200,
        title="Period",
        description="Candles over which rises and falls are averaged",
        json_schema_extra={"unit": "candles"},
    )
    oversold: float = Field(
        default=30.0, ge=1, le=99, title="Oversold", description="Enter long while RSI is below"
    )
    overbought: float = Field(
        default=70.0, ge=1, le=99, title="Overbought", description="Exit long while RSI is above"
    )

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.oversold >= self.overbought:
            raise ValueError("oversold must be less than overbought")
        return self

    @property
    def warmup(self) -> int:
        """The first RSI needs ``period`` changes of price."""
        return self.period + 1

    def signals(self, candles: Candles) -> Signals:
        """States, not events: true on every candle on which the index is past its level."""
        index = rsi(candles.close, self.period)
        is_oversold, is_overbought = index < self.oversold, index > self.overbought

        def reason(i: int) -> str:
            if is_oversold[i]:
                return f"RSI {index[i]:.1f} is below {self.oversold:g}: oversold"
            if is_overbought[i]:
                return f"RSI {index[i]:.1f} is above {self.overbought:g}: overbought"
            return f"RSI {index[i]:.1f} is between {self.oversold:g} and {self.overbought:g}"

        return Signals(
            enter_long=is_oversold,
            exit_long=is_overbought,
            enter_short=is_overbought,
            exit_short=is_oversold,
            plots={
                "RSI": Plot(index, is_overlay=False, levels=(self.oversold, self.overbought)),
            },
            reason=reason,
        )
