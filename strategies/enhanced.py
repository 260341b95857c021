"""Reads the market's regime first: follows trends, trades swings otherwise, and sizes by risk.

**What it does.** Two questions on every candle. *Is there a trend?* Wilder's ADX at or above the
trend level says yes. *Is it stormy?* An average true range of more than *storm factor* times its
own longer average says yes, and then nothing is entered.

- **In a trend** it enters long while the fast exponential average is above the slow one and the
  upward directional indicator leads, and exits while the fast average is below.
- **Without a trend** it enters long while the close is below the lower Bollinger band and the RSI
  is oversold, and exits while the close is at the middle band or above.

Shorts are mirrored. The size of an entry is the target volatility divided by the present one, so
that a calm and a wild market carry about the same risk; it is never more than the whole stake and
never less than *smallest size*. The confidence grows with the strength of the trend or of the
extreme.

**When it works.** In markets that change between trends and ranges slowly enough to be noticed.

**When it loses.** At the turns between regimes: ADX is late by its smoothing, so a fresh trend is
taken for a swing, and a dying one is followed too long. Set a stop loss.

Source: ADX as a choice between trend and swing systems: J. W. Wilder, *New Concepts in Technical
Trading Systems* (1978), section IV. Volatility targeting: A. Moreira and T. Muir,
*Volatility-Managed Portfolios*, Journal of Finance 72 (2017).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from engine.domain.candles import BoolArray, Candles, FloatArray
from engine.domain.indicators import (
    Bands,
    Directional,
    above,
    atr_percent,
    below,
    bollinger,
    directional,
    ema,
    rsi,
    sma,
)
from engine.domain.strategy import Plot, Signals, Strategy

BAND_PERIOD, BAND_WIDTH = 20, 2.0
RSI_PERIOD = 14
STRONGEST_ADX = 50.0  # from here on confidence is full


@dataclass(frozen=True, slots=True)
class Reading:
    """The indicators of every candle, computed once."""

    close: FloatArray
    fast: FloatArray
    slow: FloatArray
    trend: Directional
    bands: Bands
    index: FloatArray
    volatility: FloatArray
    usual_volatility: FloatArray


class Enhanced(Strategy):
    """Trend following or mean reversion by ADX regime; size by volatility targeting."""

    title: ClassVar[str] = "Enhanced"
    summary: ClassVar[str] = "Regime-aware: follows trends or trades swings, sized by volatility."

    fast: int = Field(
        default=20,
        ge=2,
        le=200,
        title="Fast average",
        description="Length of the fast exponential average, used in a trend",
        json_schema_extra={"unit": "candles"},
    )
    slow: int = Field(
        default=50,
        ge=3,
        le=500,
        title="Slow average",
        description="Length of the slow exponential average, used in a trend",
        json_schema_extra={"unit": "candles"},
    )
    adx_period: int = Field(
        default=14,
        ge=2,
        le=100,
        title="ADX period",
        description="Candles over which the trend's strength and the volatility are averaged",
        json_schema_extra={"unit": "candles"},
    )
    trend_level: float = Field(
        default=25.0,
        ge=5,
        le=60,
        title="Trend level",
        description="ADX from which a market counts as trending",
    )
    oversold: float = Field(
        default=35.0,
        ge=1,
        le=49,
        title="Oversold",
        description="RSI below which a swing is bought; 100 minus it is overbought",
    )
    storm_factor: float = Field(
        default=2.5,
        ge=1,
        le=20,
        title="Storm factor",
        description="Nothing is entered when volatility exceeds this many times its average",
        json_schema_extra={"unit": "times"},
    )
    volatility_period: int = Field(
        default=60,
        ge=5,
        le=500,
        title="Volatility period",
        description="Candles over which the usual volatility is averaged",
        json_schema_extra={"unit": "candles"},
    )
    target_volatility: float = Field(
        default=1.0,
        ge=0.01,
        le=50,
        title="Target volatility",
        description="Average true range, relative to the price, at which the whole stake is used",
        json_schema_extra={"unit": "%"},
    )
    smallest_size: float = Field(
        default=0.25,
        ge=0.01,
        le=1,
        title="Smallest size",
        description="Least part of the stake, however volatile the market",
        json_schema_extra={"unit": "of the stake"},
    )

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("the fast average must be shorter than the slow average")
        return self

    @property
    def warmup(self) -> int:
        """Until every indicator has a value."""
        usual = self.adx_period + self.volatility_period
        return max(self.slow, 2 * self.adx_period, usual, BAND_PERIOD, RSI_PERIOD + 1)

    def signals(self, candles: Candles) -> Signals:
        """States: true on every candle on which the rules of its regime hold."""
        now = self._read(candles)
        is_warm = np.arange(len(candles)) >= self.warmup - 1
        is_trend = (now.trend.adx >= self.trend_level) & is_warm
        is_range = ~is_trend & is_warm
        may_enter = now.volatility <= self.storm_factor * now.usual_volatility
        is_up = above(now.fast, now.slow) & above(now.trend.plus, now.trend.minus)
        is_down = below(now.fast, now.slow) & below(now.trend.plus, now.trend.minus)
        is_cheap = below(now.close, now.bands.lower) & (now.index < self.oversold)
        is_dear = above(now.close, now.bands.upper) & (now.index > 100 - self.oversold)
        return Signals(
            enter_long=((is_trend & is_up) | (is_range & is_cheap)) & may_enter,
            exit_long=(is_trend & below(now.fast, now.slow))
            | (is_range & ~below(now.close, now.bands.middle)),
            enter_short=((is_trend & is_down) | (is_range & is_dear)) & may_enter,
            exit_short=(is_trend & above(now.fast, now.slow))
            | (is_range & ~above(now.close, now.bands.middle)),
            confidence=self._confidence(now, is_trend, is_range),
            size=self._size(now.volatility),
            plots={
                f"EMA {self.fast}": Plot(now.fast),
                f"EMA {self.slow}": Plot(now.slow),
                "Upper band": Plot(now.bands.upper),
                "Lower band": Plot(now.bands.lower),
                "ADX": Plot(now.trend.adx, is_overlay=False, levels=(self.trend_level,)),
                "Volatility %": Plot(
                    now.volatility, is_overlay=False, levels=(self.target_volatility,)
                ),
            },
            reason=lambda i: self._reason(now, i, bool(is_trend[i]), bool(may_enter[i])),
        )

    def _read(self, candles: Candles) -> Reading:
        volatility = atr_percent(candles, self.adx_period)
        return Reading(
            close=candles.close,
            fast=ema(candles.close, self.fast),
            slow=ema(candles.close, self.slow),
            trend=directional(candles, self.adx_period),
            bands=bollinger(candles.close, BAND_PERIOD, BAND_WIDTH),
            index=rsi(candles.close, RSI_PERIOD),
            volatility=volatility,
            usual_volatility=sma(volatility, self.volatility_period),
        )

    def _confidence(self, now: Reading, is_trend: BoolArray, is_range: BoolArray) -> FloatArray:
        """From 0.5 at the threshold to 1 at the strongest trend or extreme; 0 while warming up."""
        strength = (now.trend.adx - self.trend_level) / max(STRONGEST_ADX - self.trend_level, 1.0)
        extreme = (np.abs(now.index - 50.0) - (50.0 - self.oversold)) / self.oversold
        share = np.where(is_trend, strength, np.where(is_range, extreme, -1.0))
        return np.clip(np.nan_to_num(0.5 + share / 2, nan=0.0), 0.0, 1.0)

    def _size(self, volatility: FloatArray) -> FloatArray:
        """Target over present volatility, within bounds; 1 where there is none."""
        size = np.ones(len(volatility))
        np.divide(self.target_volatility, volatility, out=size, where=volatility > 0)
        return np.clip(size, self.smallest_size, 1.0)

    def _reason(self, now: Reading, i: int, is_trend: bool, may_enter: bool) -> str:
        adx = f"ADX {now.trend.adx[i]:.1f}"
        if is_trend:
            side = "above" if now.fast[i] > now.slow[i] else "below"
            words = (
                f"trend ({adx}, at least {self.trend_level:g}): "
                f"EMA {self.fast} {now.fast[i]:.6g} is {side} EMA {self.slow} {now.slow[i]:.6g}"
            )
        else:
            words = (
                f"no trend ({adx}, under {self.trend_level:g}): close {now.close[i]:.6g} between "
                f"bands {now.bands.lower[i]:.6g} and {now.bands.upper[i]:.6g}, "
                f"RSI {now.index[i]:.1f}"
            )
        if not may_enter:
            storm = f"volatility {now.volatility[i]:.2f} % is over {self.storm_factor:g} times "
            return f"{words}; {storm}the usual {now.usual_volatility[i]:.2f} %: no entry"
        return words
