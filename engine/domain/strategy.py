"""What a strategy is: a frozen model whose fields are its parameters.

One function, ``signals``, answers over whole arrays; the live cycle's ``decide`` is derived from
it, so the chart, the backtest, the paper bot and the live bot all run the same code.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.domain.candles import BoolArray, Candles, FloatArray
from engine.domain.decisions import Intent

HISTORY_FACTOR = 40
"""Recursive indicators forget their start by exp(-HISTORY_FACTOR): below double precision."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A series for the chart: same length as the candles, NaN while warming up."""

    values: FloatArray
    is_overlay: bool = True  # on the price axis; False: in a pane of its own
    levels: tuple[float, ...] = ()  # horizontal lines, as an oscillator's thresholds


@dataclass(frozen=True, slots=True)
class Signals:
    """What a strategy says about every candle. All arrays have the candles' length.

    ``size`` is the fraction (0, 1] of the bot's stake, ``confidence`` lies in [0, 1]; None means 1
    throughout. ``reason`` puts the state at an index into words.
    """

    enter_long: BoolArray
    exit_long: BoolArray
    enter_short: BoolArray
    exit_short: BoolArray
    confidence: FloatArray | None = None
    size: FloatArray | None = None
    plots: Mapping[str, Plot] = field(default_factory=dict)
    reason: Callable[[int], str] = lambda _index: ""

    def check(self, count: int) -> None:
        """Raises ValueError unless every array is of its type and has ``count`` elements."""
        arrays: dict[str, tuple[object, type]] = {
            "enter_long": (self.enter_long, np.bool_),
            "exit_long": (self.exit_long, np.bool_),
            "enter_short": (self.enter_short, np.bool_),
            "exit_short": (self.exit_short, np.bool_),
            "confidence": (self.confidence, np.float64),
            "size": (self.size, np.float64),
            **{f"plot '{name}'": (plot.values, np.float64) for name, plot in self.plots.items()},
        }
        for name, (array, kind) in arrays.items():
            if array is None and name in ("confidence", "size"):
                continue
            if not isinstance(array, np.ndarray) or array.dtype != kind:
                raise ValueError(f"{name} must be a numpy array of {kind.__name__}")
            if array.shape != (count,):
                raise ValueError(f"{name} has the shape {array.shape}, expected ({count},)")


class Strategy(BaseModel, ABC):
    """Base of every strategy. Subclasses add fields (parameters), ``warmup`` and ``signals``."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    title: ClassVar[str]
    summary: ClassVar[str]

    @property
    @abstractmethod
    def warmup(self) -> int:
        """How many candles are needed before the first signal can be given."""

    @abstractmethod
    def signals(self, candles: Candles) -> Signals:
        """Judge every candle by itself and what came before it; never by what came after."""

    @property
    def history(self) -> int:
        """How many candles a live decision looks at; enough for recursive indicators to settle."""
        return max(500, HISTORY_FACTOR * self.warmup)

    def decide(self, candles: Candles) -> Intent:
        """What ``signals`` says about the newest candle; HOLD with a reason while warming up."""
        if len(candles) < self.warmup:
            reason = f"warming up: {len(candles)} of {self.warmup} candles"
            return Intent(reason=reason, confidence=0)
        signals = self.signals(candles)
        signals.check(len(candles))
        last = len(candles) - 1
        return Intent(
            enter_long=bool(signals.enter_long[last]),
            exit_long=bool(signals.exit_long[last]),
            enter_short=bool(signals.enter_short[last]),
            exit_short=bool(signals.exit_short[last]),
            confidence=1.0 if signals.confidence is None else float(signals.confidence[last]),
            size=1.0 if signals.size is None else float(signals.size[last]),
            reason=signals.reason(last),
            values={name: _finite(plot.values[last]) for name, plot in signals.plots.items()},
        )


def _finite(number: np.float64) -> float | None:
    return float(number) if np.isfinite(number) else None
