"""The Turtles' channel: in on a new high of the last 20 candles, out on a new low of the last 10.

**What it does.** It wants to be long on a candle that closes above the highest high of the *entry
channel* candles before it, and out on one that closes below the lowest low of the *exit channel*
candles before it. The shorter exit keeps more of a gain than waiting for the opposite entry. Shorts
are mirrored.

**When it works.** In markets that trend far: most of the profit comes from a few trades.

**When it loses.** More than half of the time, a little: breakouts that come to nothing. Long
sideways stretches are hard to sit through.

**Bot settings it wants.** A stop loss (the Turtles': two average true ranges), no take profit.
With two to four *entries per position* it adds on each further new high, as they did.

Source: R. D. Donchian's four-week rule, *Trend-Following Methods in Commodity Price Analysis*
(1957); 20 and 10 are system 1 of the Turtles, C. Faith, *The Original Turtle Trading Rules* (2003),
55 and 20 their system 2.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field

from engine.domain.candles import Candles
from engine.domain.channels import highest, lowest, previous
from engine.domain.indicators import above, below
from engine.domain.strategy import Plot, Signals, Strategy


class Donchian(Strategy):
    """Enters beyond the long channel of earlier candles, exits beyond the short one."""

    title: ClassVar[str] = "Donchian channel"
    summary: ClassVar[str] = "Buys new highs and sells new lows, as the Turtles did."

    entry: int = Field(
        default=20,
        ge=2,
        le=1000,
        title="Entry channel",
        description="Earlier candles whose high (for shorts: low) a close must exceed",
        json_schema_extra={"unit": "candles"},
    )
    exit: int = Field(
        default=10,
        ge=1,
        le=1000,
        title="Exit channel",
        description="Earlier candles whose low (for shorts: high) a close must undercut",
        json_schema_extra={"unit": "candles"},
    )

    @property
    def warmup(self) -> int:
        """A channel and the candle that leaves it."""
        return max(self.entry, self.exit) + 1

    @property
    def history(self) -> int:
        """Channels remember nothing older than their length."""
        return max(500, 2 * self.warmup)

    def signals(self, candles: Candles) -> Signals:
        """States: true on every candle that closes beyond its channel."""
        close = candles.close
        top = previous(highest(candles.high, self.entry))
        bottom = previous(lowest(candles.low, self.entry))
        exit_top = previous(highest(candles.high, self.exit))
        exit_bottom = previous(lowest(candles.low, self.exit))
        # Quiet until both channels are there, whichever is the shorter.
        is_warm = ~np.isnan(top) & ~np.isnan(exit_top)
        enter_long, enter_short = above(close, top), below(close, bottom)
        exit_long, exit_short = below(close, exit_bottom), above(close, exit_top)

        def reason(i: int) -> str:
            price = f"close {close[i]:.6g}"
            if enter_long[i]:
                return f"{price} is above the {self.entry} candles' high {top[i]:.6g}"
            if enter_short[i]:
                return f"{price} is below the {self.entry} candles' low {bottom[i]:.6g}"
            if exit_long[i]:
                return f"{price} is below the {self.exit} candles' low {exit_bottom[i]:.6g}"
            if exit_short[i]:
                return f"{price} is above the {self.exit} candles' high {exit_top[i]:.6g}"
            return f"{price} is inside the channel, {bottom[i]:.6g} to {top[i]:.6g}"

        return Signals(
            enter_long=enter_long & is_warm,
            exit_long=exit_long & is_warm,
            enter_short=enter_short & is_warm,
            exit_short=exit_short & is_warm,
            plots={
                f"High {self.entry}": Plot(top),
                f"Low {self.entry}": Plot(bottom),
                f"Exit high {self.exit}": Plot(exit_top),
                f"Exit low {self.exit}": Plot(exit_bottom),
            },
            reason=reason,
        )
