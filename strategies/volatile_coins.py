"""For coins that move a lot: buys when at least two of three indicators call a turn upwards.

**What it does.** Three indicators vote on every candle:

| indicator | votes to buy | votes to sell |
|---|---|---|
| RSI | below *oversold* | above *overbought* |
| MACD | line above its signal line | line below it |
| Bollinger bands | close below the lower band | close above the upper band |

With *votes needed* of them on one side, and more than on the other, the strategy enters or exits.
Entries also need the average true range to be at least *least volatility* of the price: in a quiet
market a gain would not pay for the fees. Exits need no volatility. Shorts are mirrored.

**When it works.** In markets with wide swings, where a fall that is overdone turns with momentum.

**When it loses.** In a long one-way move, where two indicators stay on the wrong side: set a stop
loss. With one vote needed it trades very often; with three hardly ever.

Source: the indicators are Wilder's (1978), Appel's (1979) and Bollinger's (2001); counting votes is
the plainest way to combine signals, see R. T. Clemen, *Combining forecasts*, International Journal
of Forecasting 5 (1989).
"""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from engine.domain.candles import Candles
from engine.domain.indicators import above, atr_percent, below, bollinger, macd, rsi
from engine.domain.strategy import Plot, Signals, Strategy

MACD_FAST, MACD_SLOW, MACD_SIGNAL = 12, 26, 9
ATR_PERIOD = 14
VOTERS = 3


class VolatileCoins(Strategy):
    """Two of three votes of RSI, MACD and Bollinger bands, in a market that moves enough."""

    title: ClassVar[str] = "Volatile coins"
    summary: ClassVar[str] = "RSI, MACD and Bollinger bands vote; trades only when volatile enough."

    votes_needed: int = Field(
        default=2,
        ge=1,
        le=VOTERS,
        title="Votes needed",
        description="How many of the three indicators must agree",
        json_schema_extra={"unit": "votes"},
    )
    least_volatility: float = Field(
        default=0.3,
        ge=0,
        le=50,
        title="Least volatility",
        description="Average true range, relative to the price, below which nothing is entered",
        json_schema_extra={"unit": "%"},
    )
    rsi_period: int = Field(
        default=14,
        ge=2,
        le=200,
        title="RSI period",
        description="Candles over which rises and falls are averaged",
        json_schema_extra={"unit": "candles"},
    )
    oversold: float = Field(
        default=35.0, ge=1, le=99, title="Oversold", description="RSI votes to buy below"
    )
    overbought: float = Field(
        default=65.0, ge=1, le=99, title="Overbought", description="RSI votes to sell above"
    )
    band_period: int = Field(
        default=20,
        ge=2,
        le=500,
        title="Band period",
        description="Candles of the Bollinger bands",
        json_schema_extra={"unit": "candles"},
    )
    band_width: float = Field(
        default=2.0,
        ge=0.1,
        le=10,
        title="Band width",
        description="Distance of the Bollinger bands from the average",
        json_schema_extra={"unit": "standard deviations"},
    )

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.oversold >= self.overbought:
            raise ValueError("oversold must be less than overbought")
        return self

    @property
    def warmup(self) -> int:
        """Until every voter has a value."""
        periods = self.rsi_period + 1, self.band_period, ATR_PERIOD + 1
        return max(MACD_SLOW + MACD_SIGNAL - 1, *periods)

    def signals(self, candles: Candles) -> Signals:
        """States: true on every candle on which enough indicators agree."""
        close = candles.close
        index = rsi(close, self.rsi_period)
        line, signal, _ = macd(close, MACD_FAST, MACD_SLOW, MACD_SIGNAL)
        upper, middle, lower = bollinger(close, self.band_period, self.band_width)
        volatility = atr_percent(candles, ATR_PERIOD)
        buys = np.sum([index < self.oversold, above(line, signal), below(close, lower)], axis=0)
        sells = np.sum([index > self.overbought, below(line, signal), above(close, upper)], axis=0)
        # Votes do not count before every voter has a value.
        is_warm = np.arange(len(candles)) >= self.warmup - 1
        is_up = (buys >= self.votes_needed) & (buys > sells) & is_warm
        is_down = (sells >= self.votes_needed) & (sells > buys) & is_warm
        is_lively = volatility >= self.least_volatility

        def reason(i: int) -> str:
            votes = f"{buys[i]} of {VOTERS} votes to buy, {sells[i]} to sell"
            detail = f"RSI {index[i]:.1f}, MACD {line[i]:.4g} against {signal[i]:.4g}"
            if (is_up[i] or is_down[i]) and not is_lively[i]:
                return (
                    f"{votes} ({detail}), but volatility {volatility[i]:.2f} % is under "
                    f"{self.least_volatility:g} %: no entry"
                )
            return f"{votes}, {self.votes_needed} needed ({detail})"

        return Signals(
            enter_long=is_up & is_lively,
            exit_long=is_down,
            enter_short=is_down & is_lively,
            exit_short=is_up,
            confidence=np.maximum(buys, sells) / VOTERS,
            plots={
                "Upper band": Plot(upper),
                "Middle band": Plot(middle),
                "Lower band": Plot(lower),
                "RSI": Plot(index, is_overlay=False, levels=(self.oversold, self.overbought)),
                "Volatility %": Plot(volatility, is_overlay=False, levels=(self.least_volatility,)),
            },
            reason=reason,
        )
