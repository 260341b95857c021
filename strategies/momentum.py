"""Buys what has risen: in while the price is well above where it was, out when that is gone.

**What it does.** The rate of change compares the close with the close *period* candles ago. While
it is above *entry level* the strategy wants to be long, while it is below *exit level* it wants to
be out; between the two it keeps what it has. Shorts are mirrored.

**When it works.** When moves go on: over weeks to a year in most markets, on daily candles with
periods of 20 to 250.

**When it loses.** At turns. After a crash that reverses, it is on the wrong side of the fastest
part of the recovery. Over few candles the effect is smaller than the fees, or turned around.

**Bot settings it wants.** Reinvest; a wide stop loss or none; direction *both* where the market
can be sold short, as it was studied with both.

Source: T. J. Moskowitz, Y. H. Ooi and L. H. Pedersen, *Time Series Momentum*, Journal of Financial
Economics 104 (2012), where the sign of the past return decides; two levels instead of one keep it
from turning at every small change.
"""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from engine.domain.candles import Candles
from engine.domain.channels import roc
from engine.domain.indicators import above, below
from engine.domain.strategy import Plot, Signals, Strategy


class Momentum(Strategy):
    """In while the rate of change is above one level, out while it is below another."""

    title: ClassVar[str] = "Momentum"
    summary: ClassVar[str] = "Buys what has risen over a period, sells when the rise is gone."

    period: int = Field(
        default=20,
        ge=1,
        le=1000,
        title="Period",
        description="How far back the close is compared",
        json_schema_extra={"unit": "candles"},
    )
    entry_level: float = Field(
        default=1.0,
        ge=0,
        le=100,
        title="Entry level",
        description="Rate of change above which it enters",
        json_schema_extra={"unit": "%"},
    )
    exit_level: float = Field(
        default=0.0,
        ge=-50,
        le=100,
        title="Exit level",
        description="Rate of change below which it exits",
        json_schema_extra={"unit": "%"},
    )

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.exit_level > self.entry_level:
            raise ValueError("the exit level must be at most the entry level")
        return self

    @property
    def warmup(self) -> int:
        """The first rate of change needs a close ``period`` candles earlier."""
        return self.period + 1

    @property
    def history(self) -> int:
        """Two closes decide; nothing older."""
        return max(500, 2 * self.warmup)

    def signals(self, candles: Candles) -> Signals:
        """States: true on every candle on which the rate of change is past its level."""
        change = roc(candles.close, self.period)

        def reason(i: int) -> str:
            words = f"{change[i]:+.2f} % over {self.period} candles"
            if abs(change[i]) > self.entry_level:
                return f"{words}, more than {self.entry_level:g} %"
            return (
                f"{words}; it enters above {self.entry_level:g} %, exits below "
                f"{self.exit_level:g} %"
            )

        return Signals(
            enter_long=above(change, self.entry_level),
            exit_long=below(change, self.exit_level),
            enter_short=below(change, -self.entry_level),
            exit_short=above(change, -self.exit_level),
            plots={
                "ROC %": Plot(
                    change, is_overlay=False, levels=(-self.entry_level, 0.0, self.entry_level)
                )
            },
            reason=reason,
        )
