"""Trades changes of momentum: in when the MACD line crosses above its signal line, out when below.

**What it does.** The MACD line is a fast exponential average minus a slow one; the signal line is
an exponential average of the MACD line. The strategy enters long on the candle on which the line
crosses above its signal, and exits on the candle on which it crosses below. Shorts are mirrored.

**When it works.** When trends gather and lose speed gradually; it turns earlier than a cross of
plain averages.

**When it loses.** In quiet, sideways markets, where it turns often and each turn costs fees.

Source: G. Appel, *The Moving Average Convergence-Divergence Method* (1979); the settings 12, 26 and
9 are his.
"""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from engine.domain.candles import Candles
from engine.domain.indicators import crossings, macd
from engine.domain.strategy import Plot, Signals, Strategy


class MacdCross(Strategy):
    """Enters and exits on the candle on which the MACD line crosses its signal line."""

    title: ClassVar[str] = "MACD"
    summary: ClassVar[str] = "Trades changes of momentum: the MACD line crossing its signal line."

    fast: int = Field(
        default=12,
        ge=2,
        le=200,
        title="Fast average",
        description="Length of the fast exponential average",
        json_schema_extra={"unit": "candles"},
    )
    slow: int = Field(
        default=26,
        ge=3,
        le=400,
        title="Slow average",
        description="Length of the slow exponential average",
        json_schema_extra={"unit": "candles"},
    )
    signal: int = Field(
        default=9,
        ge=2,
        le=100,
        title="Signal line",
        description="Length of the exponential average of the MACD line",
        json_schema_extra={"unit": "candles"},
    )

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("the fast average must be shorter than the slow average")
        return self

    @property
    def warmup(self) -> int:
        """A crossing needs two values of the signal line."""
        return self.slow + self.signal

    def signals(self, candles: Candles) -> Signals:
        """Events: true on the candle of the crossing only."""
        line, signal, histogram = macd(candles.close, self.fast, self.slow, self.signal)
        is_up, is_down = crossings(line, signal)

        def reason(i: int) -> str:
            numbers = f"MACD {line[i]:.5g}", f"its signal line {signal[i]:.5g}"
            if is_up[i]:
                return f"{numbers[0]} crossed above {numbers[1]}"
            if is_down[i]:
                return f"{numbers[0]} crossed below {numbers[1]}"
            side = "above" if histogram[i] > 0 else "below"
            return f"{numbers[0]} is {side} {numbers[1]}; no crossing on this candle"

        return Signals(
            enter_long=is_up,
            exit_long=is_down,
            enter_short=is_down,
            exit_short=is_up,
            plots={
                "MACD": Plot(line, is_overlay=False),
                "MACD signal": Plot(signal, is_overlay=False),
                "MACD histogram": Plot(histogram, is_overlay=False, levels=(0.0,)),
            },
            reason=reason,
        )
