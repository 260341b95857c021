"""Buys at lines on the way down and sells on the way up, while the price stays in its range.

**What it does.** Lines lie *spacing* percent apart at fixed prices (powers of 1 + spacing, so that
they are the same whenever a bot begins). The range is that of the last *range* candles. On a candle
that closes below a line which the close before was above, in the lower half of the range, the
strategy enters long, once more for every further line. On a candle that closes above a line in the
upper half it exits, with everything. Shorts are mirrored.

An exchange's grid bot keeps an order at every line and pairs each purchase with a sale one line
up; here all purchases of a position are sold together, at the close of a candle.

**When it works.** In markets that go sideways with swings of several lines.

**When it loses.** When the price leaves the range for good: every line on the way down has bought,
and the loss of all of them is one loss. Gains are small and many, losses few and large. A grid has
no edge of its own: on a price without memory it loses its fees.

**Bot settings it wants.** *Entries per position* of 5 to 10: each line is one entry, and the trade
amount is that of one. A stop loss wider than half the range, counted from the average entry. No
trailing stop. A take profit of one or two spacings, if gains are to be taken before the upper half.

Source: A. Taranto and S. Khan, *Gambler's ruin problem and bi-directional grid constrained trading
and investment strategies*, Investment Management and Financial Innovations 17 (2020), who show how
grids end without a stop.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field

from engine.domain.candles import Candles
from engine.domain.channels import donchian, previous
from engine.domain.indicators import above, below
from engine.domain.strategy import Plot, Signals, Strategy

LEAST_PRICE = 1e-300


class Grid(Strategy):
    """Enters at each line crossed downwards in the lower half, exits at one crossed upwards."""

    title: ClassVar[str] = "Grid"
    summary: ClassVar[str] = (
        "Buys line by line on the way down in a range, sells in its upper half."
    )

    spacing: float = Field(
        default=1.0,
        ge=0.02,
        le=50,
        title="Spacing",
        description="Distance of a line from the next one",
        json_schema_extra={"unit": "%"},
    )
    range: int = Field(
        default=100,
        ge=2,
        le=2000,
        title="Range",
        description="Candles whose highest and lowest price are the range",
        json_schema_extra={"unit": "candles"},
    )

    @property
    def warmup(self) -> int:
        """The range, and a close before the newest one."""
        return self.range

    @property
    def history(self) -> int:
        """Lines are fixed, and the range remembers nothing older than its length."""
        return max(500, 2 * self.warmup)

    def signals(self, candles: Candles) -> Signals:
        """Events: true on a candle that crosses a line on the right side of the middle."""
        close = candles.close
        top, middle, bottom = donchian(candles, self.range)
        growth = np.log1p(self.spacing / 100)
        line = np.floor(np.log(np.maximum(close, LEAST_PRICE)) / growth)
        last_line = previous(line)
        under, over = np.exp(line * growth), np.exp((line + 1) * growth)
        is_low, is_high = below(close, middle), above(close, middle)
        buys, sells = (line < last_line) & is_low, (line > last_line) & is_high

        def reason(i: int) -> str:
            half = "lower" if is_low[i] else "upper"
            place = f"in the {half} half of the range {bottom[i]:.6g} to {top[i]:.6g}"
            if line[i] < last_line[i]:
                return f"close {close[i]:.6g} fell through the line {over[i]:.6g} {place}"
            if line[i] > last_line[i]:
                return f"close {close[i]:.6g} rose through the line {under[i]:.6g} {place}"
            lines = f"between the lines {under[i]:.6g} and {over[i]:.6g}"
            return f"close {close[i]:.6g} stayed {lines}, {place}"

        return Signals(
            enter_long=buys,
            exit_long=sells,
            enter_short=sells,
            exit_short=buys,
            plots={
                "Line above": Plot(over),
                "Line below": Plot(under),
                "Range top": Plot(top),
                "Range middle": Plot(middle),
                "Range bottom": Plot(bottom),
            },
            reason=reason,
        )
