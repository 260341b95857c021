"""Follows a trailing stop that turns around: in when the close crosses the line, out when back.

**What it does.** The supertrend line runs *factor* average true ranges under the price while the
trend is up, and over it while the trend is down; it only ever moves towards the price. A close
beyond it turns the trend and moves the line to the other side. The strategy enters long on the
candle on which the trend turns up and exits on the one on which it turns down. Shorts are mirrored.

**When it works.** In trends: the line widens with the volatility, so that a wild trend is not left
at its first swing.

**When it loses.** In sideways markets it turns at every edge of the range, each time a few average
true ranges too late.

**Bot settings it wants.** No take profit; the line itself is the stop, decided at the close. A stop
loss further away guards against a crash within a candle.

Its line is the usual one, except that it is begun anew every 500 candles from where it was 500
candles before, so that a bot, which looks at the newest candles only, always says the same as a
backtest. The two differ where no close was beyond a band for as long as that.

Source: O. Seban, *Tout le monde mérite d'être riche* (2008); the average true range is J. W.
Wilder's, *New Concepts in Technical Trading Systems* (1978), section III.
"""

from typing import ClassVar

from pydantic import Field

from engine.domain.candles import Candles
from engine.domain.channels import supertrend, supertrend_history
from engine.domain.indicators import crossings
from engine.domain.strategy import Plot, Signals, Strategy


class SupertrendFlip(Strategy):
    """Enters and exits on the candle on which the supertrend changes its direction."""

    title: ClassVar[str] = "Supertrend"
    summary: ClassVar[str] = "Follows trends: trades when the supertrend line changes sides."

    period: int = Field(
        default=10,
        ge=2,
        le=200,
        title="Period",
        description="Candles of the average true range",
        json_schema_extra={"unit": "candles"},
    )
    factor: float = Field(
        default=3.0,
        ge=0.5,
        le=20,
        title="Factor",
        description="Distance of the line from the candle's middle",
        json_schema_extra={"unit": "average true ranges"},
    )

    @property
    def warmup(self) -> int:
        """A change of direction needs two of them."""
        return self.period + 2

    @property
    def history(self) -> int:
        """What the line and its change may depend on."""
        return supertrend_history(self.period)

    def signals(self, candles: Candles) -> Signals:
        """Events: true on the candle of the change only."""
        line, direction = supertrend(candles, self.period, self.factor)
        is_up, is_down = crossings(direction, 0.0)
        close = candles.close

        def reason(i: int) -> str:
            words = f"close {close[i]:.6g}, line {line[i]:.6g}"
            trend = "up" if direction[i] > 0 else "down"
            if is_up[i] or is_down[i]:
                return f"the trend turned {trend}: {words}"
            return f"the trend is {trend}: {words}; no change on this candle"

        return Signals(
            enter_long=is_up,
            exit_long=is_down,
            enter_short=is_down,
            exit_short=is_up,
            plots={"Supertrend": Plot(line)},
            reason=reason,
        )
