"""Buys the end of a quiet time: in when the price leaves a narrow range on unusual volume.

**What it does.** It looks at the *lookback* candles before the newest one. They are a consolidation
when the standard deviation of their closes is at most *consolidation* percent of their average. The
strategy enters long when the newest candle closes above their highest high, at least *breakout*
percent above their average close, on at least *volume factor* times their average volume. It exits
while the close is below the middle of the range of the lookback candles. Shorts are mirrored.

**When it works.** When a market has gathered for a while and news moves it for good.

**When it loses.** When the break is false and the price comes back into the range: set a stop loss.
Waiting for the close, the margin and the volume misses the first part of the move. With the usual
settings it trades seldom; smaller ones trade more often and are wrong more often. A market that
tells no volume (forex) passes the volume test always.

**Bot settings it wants.** A stop loss about as wide as the range, no take profit or a far one.

Source: N. Darvas, *How I Made $2,000,000 in the Stock Market* (1960), for the box; R. D. Edwards
and J. Magee, *Technical Analysis of Stock Trends* (1948), for the margin of a closing price and
the volume that confirm a break.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field

from engine.domain.candles import Candles
from engine.domain.channels import donchian, previous
from engine.domain.indicators import above, below, bollinger, sma
from engine.domain.strategy import Plot, Signals, Strategy


class Breakout(Strategy):
    """Enters on a close beyond a narrow range, on volume; exits back at the range's middle."""

    title: ClassVar[str] = "Breakout"
    summary: ClassVar[str] = "Buys the break out of a narrow range that unusual volume confirms."

    lookback: int = Field(
        default=20,
        ge=2,
        le=500,
        title="Lookback",
        description="Candles before the newest one that make the range",
        json_schema_extra={"unit": "candles"},
    )
    consolidation: float = Field(
        default=1.0,
        ge=0.01,
        le=50,
        title="Consolidation",
        description="Most standard deviation of the range's closes, relative to their average",
        json_schema_extra={"unit": "%"},
    )
    volume_factor: float = Field(
        default=2.0,
        ge=0,
        le=50,
        title="Volume factor",
        description="Least volume of the break, against the range's average; 0 asks for none",
        json_schema_extra={"unit": "times"},
    )
    breakout: float = Field(
        default=2.0,
        ge=0,
        le=50,
        title="Breakout",
        description="Least distance of the close from the average of the range's closes",
        json_schema_extra={"unit": "%"},
    )

    @property
    def warmup(self) -> int:
        """The range and the candle that leaves it."""
        return self.lookback + 1

    @property
    def history(self) -> int:
        """The range remembers nothing older than its length."""
        return max(500, 2 * self.warmup)

    def signals(self, candles: Candles) -> Signals:
        """Entries on the candle that leaves the range; exits while the close is past its middle."""
        close, volume = candles.close, candles.volume
        box = donchian(candles, self.lookback)
        top, middle, bottom = (previous(line) for line in box)
        bands = bollinger(close, self.lookback, 1.0)
        average = previous(bands.middle)
        spread = previous(100.0 * (bands.upper - bands.middle) / bands.middle)
        usual_volume = previous(sma(volume, self.lookback))
        is_calm = ~above(spread, self.consolidation) & ~np.isnan(spread)
        is_loud = ~below(volume, self.volume_factor * usual_volume)
        may_enter = is_calm & is_loud
        margin = self.breakout / 100
        is_over = above(close, top) & ~below(close, average * (1 + margin))
        is_under = below(close, bottom) & ~above(close, average * (1 - margin))

        def reason(i: int) -> str:
            price = f"close {close[i]:.6g}, range {bottom[i]:.6g} to {top[i]:.6g}"
            detail = (
                f"spread {spread[i]:.2f} % against {self.consolidation:g} %, volume {volume[i]:.4g}"
                f" against {self.volume_factor:g} times {usual_volume[i]:.4g}"
            )
            if is_over[i] or is_under[i]:
                side = "above" if is_over[i] else "below"
                verdict = "a breakout" if may_enter[i] else "not confirmed: no entry"
                return f"{price}: {self.breakout:g} % {side} its average, {detail}; {verdict}"
            return f"{price}: not beyond it and {self.breakout:g} % from its average; {detail}"

        return Signals(
            enter_long=is_over & may_enter,
            exit_long=below(close, middle),
            enter_short=is_under & may_enter,
            exit_short=above(close, middle),
            plots={
                "Range top": Plot(top),
                "Range middle": Plot(middle),
                "Range bottom": Plot(bottom),
                "Spread %": Plot(spread, is_overlay=False, levels=(self.consolidation,)),
            },
            reason=reason,
        )
