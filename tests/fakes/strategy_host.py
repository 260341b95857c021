"""A strategy host without processes: the same answers, in this process, from given classes."""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.adapters.strategies.loader import build, describe, load
from engine.domain.candles import Candles
from engine.domain.decisions import Intent
from engine.domain.strategy import Signals, Strategy
from engine.errors import NotFound, QuarterdeckError
from engine.ports import PlotSeries, StrategyInfo

STRATEGIES = Path(__file__).resolve().parents[2] / "strategies"


class FakeStrategyHost:
    """Runs ``classes`` by id; without any, the strategies of the project by file name.

    ``script`` is taken from first: each ``decide`` answers its next intent or raises its next
    error. ``decided`` lists what was asked: (strategy id, parameters, number of candles).
    """

    def __init__(self, classes: Mapping[str, type[Strategy]] | None = None) -> None:
        self._classes = dict(classes) if classes is not None else _shipped()
        self.script: deque[Intent | QuarterdeckError] = deque()
        self.decided: list[tuple[str, dict[str, Any], int]] = []
        self.is_closed = False

    def list(self) -> Sequence[StrategyInfo]:
        """Every class, sorted by id."""
        return [self.get(strategy_id) for strategy_id in sorted(self._classes)]

    def get(self, strategy_id: str) -> StrategyInfo:
        """Raises NotFound."""
        chosen = self._find(strategy_id)
        return StrategyInfo.model_validate(describe(strategy_id, Path(strategy_id), chosen))

    def validate(self, strategy_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Raises NotFound, ConfigError."""
        return build(self._find(strategy_id), params).model_dump(mode="json")

    def history(self, strategy_id: str, params: Mapping[str, Any]) -> int:
        """How many candles ``decide`` wants to see."""
        strategy = build(self._find(strategy_id), params)
        return max(strategy.history, strategy.warmup)

    def warmup(self, strategy_id: str, params: Mapping[str, Any]) -> int:
        """How many candles are needed before the first signal."""
        return build(self._find(strategy_id), params).warmup

    def decide(self, strategy_id: str, params: Mapping[str, Any], candles: Candles) -> Intent:
        """The script's next answer, or the strategy's."""
        self.decided.append((strategy_id, dict(params), len(candles)))
        if self.script:
            answer = self.script.popleft()
            if isinstance(answer, QuarterdeckError):
                raise answer
            return answer
        return build(self._find(strategy_id), params).decide(candles)

    def signals(self, strategy_id: str, params: Mapping[str, Any], candles: Candles) -> Signals:
        """What the strategy says about every candle; no part of the port."""
        return build(self._find(strategy_id), params).signals(candles)

    def plots(
        self, strategy_id: str, params: Mapping[str, Any], candles: Candles
    ) -> Sequence[PlotSeries]:
        """The strategy's series."""
        signals = build(self._find(strategy_id), params).signals(candles)
        return [
            PlotSeries(
                name=name,
                values=tuple(float(v) if np.isfinite(v) else None for v in plot.values),
                is_overlay=plot.is_overlay,
                levels=plot.levels,
            )
            for name, plot in signals.plots.items()
        ]

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True

    def _find(self, strategy_id: str) -> type[Strategy]:
        try:
            return self._classes[strategy_id]
        except KeyError:
            raise NotFound(f"there is no strategy '{strategy_id}'", field="strategy") from None


def _shipped() -> dict[str, type[Strategy]]:
    files = [path for path in STRATEGIES.glob("*.py") if not path.name.startswith("_")]
    return {path.stem: load(path) for path in files}
