"""Bets on the way back: in while the price is stretched far from its average, out at the average.

**What it does.** The score is the close's distance from its simple average in standard deviations.
While it is under minus *entry score*, the strategy wants to be long. It wants to be out once the
score has come back to *exit score*, and also when it falls under minus *give up*: then the price
is not stretched any more, it is on its way somewhere else. Shorts are mirrored.

Unlike *Bollinger bands*, which waits for the return, it buys while the price is out: earlier and
cheaper when it is right, and in a fall when it is wrong.

**When it works.** In markets that swing around an average, and with prices that are tied to
another (pairs, ratios such as ETH/BTC).

**When it loses.** When a trend begins, the average follows the price and the loss is taken far from
the entry. *Give up* bounds that only in standard deviations, which grow in a fall: set a stop loss.

**Bot settings it wants.** A stop loss, a time limit of about the period; no trailing stop.

Source: J. M. Poterba and L. H. Summers, *Mean Reversion in Stock Prices*, Journal of Financial
Economics 22 (1988); entering and leaving by the score is described by E. P. Chan, *Algorithmic
Trading* (2013), chapter 3.
"""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from engine.domain.candles import BoolArray, Candles
from engine.domain.channels import deviation_score
from engine.domain.indicators import above, below, bollinger
from engine.domain.strategy import Plot, Signals, Strategy


class MeanReversion(Strategy):
    """In beyond the entry score, out at the exit score or beyond the one at which it gives up."""

    title: ClassVar[str] = "Mean reversion"
    summary: ClassVar[str] = "Buys what is stretched far below its average, sells at the average."

    period: int = Field(
        default=20,
        ge=2,
        le=1000,
        title="Period",
        description="Candles of the average and the standard deviation",
        json_schema_extra={"unit": "candles"},
    )
    entry_score: float = Field(
        default=2.0,
        ge=0.1,
        le=10,
        title="Entry score",
        description="Distance from the average beyond which it enters",
        json_schema_extra={"unit": "standard deviations"},
    )
    exit_score: float = Field(
        default=0.0,
        ge=-5,
        le=5,
        title="Exit score",
        description="Distance beyond the average at which it exits; negative: before the average",
        json_schema_extra={"unit": "standard deviations"},
    )
    give_up: float = Field(
        default=4.0,
        ge=0.2,
        le=30,
        title="Give up",
        description="Distance from the average beyond which it exits with the loss",
        json_schema_extra={"unit": "standard deviations"},
    )

    @model_validator(mode="after")
    def _scores_in_order(self) -> Self:
        if self.exit_score <= -self.entry_score:
            raise ValueError("the exit score must be above minus the entry score")
        if self.give_up <= self.entry_score:
            raise ValueError("the score to give up must be more than the entry score")
        return self

    @property
    def warmup(self) -> int:
        """Until the average has a value."""
        return self.period

    @property
    def history(self) -> int:
        """The average and the deviation remember nothing older than the period."""
        return max(500, 2 * self.warmup)

    def signals(self, candles: Candles) -> Signals:
        """States: true on every candle on which the score is beyond its level."""
        close = candles.close
        upper, middle, _ = bollinger(close, self.period, 1.0)
        deviation = upper - middle
        score = deviation_score(close, middle, deviation)
        is_warm = np.arange(len(close)) >= self.warmup - 1
        is_lost = below(close, middle - self.give_up * deviation)
        is_lost_short = above(close, middle + self.give_up * deviation)
        enter_long = below(close, middle - self.entry_score * deviation) & ~is_lost
        enter_short = above(close, middle + self.entry_score * deviation) & ~is_lost_short
        exit_long: BoolArray = ~below(close, middle + self.exit_score * deviation)
        exit_short: BoolArray = ~above(close, middle - self.exit_score * deviation)

        def reason(i: int) -> str:
            words = f"close {close[i]:.6g} is {abs(score[i]):.2f} standard deviations"
            side = "above" if score[i] > 0 else "below"
            words = f"{words} {side} its average {middle[i]:.6g}"
            if is_lost[i] or is_lost_short[i]:
                return f"{words}, more than {self.give_up:g}: it gives up"
            if enter_long[i] or enter_short[i]:
                return f"{words}, more than {self.entry_score:g}: stretched"
            return f"{words}; it enters beyond {self.entry_score:g}, exits at {self.exit_score:g}"

        return Signals(
            enter_long=enter_long,
            exit_long=(exit_long | is_lost) & is_warm,
            enter_short=enter_short,
            exit_short=(exit_short | is_lost_short) & is_warm,
            plots={
                "Average": Plot(middle),
                "Entry below": Plot(middle - self.entry_score * deviation),
                "Entry above": Plot(middle + self.entry_score * deviation),
                "Score": Plot(
                    score, is_overlay=False, levels=(-self.entry_score, 0.0, self.entry_score)
                ),
            },
            reason=reason,
        )
