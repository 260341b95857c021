"""Signals from outside: says nothing by itself; what comes from outside decides.

**What it does.** Nothing. It never enters and never exits. A bot with this strategy trades on the
signals that it listens to: alerts of TradingView, webhooks of a script, the test sender. Its stop
loss, take profit, trailing stop, time limit and ROI steps work as they do for every bot, and so do
its limits: a signal never spends more than the bot's trade amount.

The chart shows an average of the closes, so that there is something to compare signals with.

**When it works.** When what sends the signals does. Nothing here judges them, unless the bot has a
model as its advisor.

**When it loses.** When the sender is wrong, late, or silent. Keep a stop loss: when the sender's
computer, its network or its alert ends, no exit comes any more. Have the bot *expect a signal
every* so many seconds, and you are told.

**Bot settings it wants.** *Signals* turned on, a stop loss, no take profit if the sender closes by
itself. A backtest of it makes no trades: there are no signals in candles.

Source: none; it has no rules. What signals may say is described in docs/tradingview.md.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field

from engine.domain.candles import Candles
from engine.domain.indicators import sma
from engine.domain.strategy import Plot, Signals, Strategy


class SignalsOnly(Strategy):
    """Never says anything."""

    title: ClassVar[str] = "Signals from outside"
    summary: ClassVar[str] = "Trades on signals that are sent to the bot, and on nothing else."

    period: int = Field(
        default=20,
        ge=2,
        le=500,
        title="Average",
        description="Length of the average that the chart shows",
        json_schema_extra={"unit": "candles"},
    )

    @property
    def warmup(self) -> int:
        """Until the average has a value."""
        return self.period

    def signals(self, candles: Candles) -> Signals:
        """No entry and no exit on any candle."""
        never, close = np.zeros(len(candles), dtype=np.bool_), candles.close

        def reason(i: int) -> str:
            return f"it waits for a signal from outside; close {close[i]:.6g}"

        return Signals(
            enter_long=never,
            exit_long=never,
            enter_short=never,
            exit_short=never,
            plots={f"SMA {self.period}": Plot(sma(candles.close, self.period))},
            reason=reason,
        )
