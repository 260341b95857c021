"""Very many parameter sets of one strategy over one window of candles, as fast as they go."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import BacktestTerms
from engine.domain.candles import Candles, FloatArray
from engine.domain.scores import Ruler, Scores
from engine.domain.sharing import shared_indicators
from engine.domain.strategy import Strategy


def sweep(
    strategy_class: type[Strategy],
    combinations: Sequence[Mapping[str, Any]],
    candles: Candles,
    terms: BacktestTerms,
) -> FloatArray:
    """The ``Scores`` of every combination, one row each in their order.

    A combination that the strategy refuses is a row of NaN. Shape: (combinations, scores). Raises
    ValueError without candles, and whatever the strategy's own code does.
    """
    rows = np.full((len(combinations), len(Scores._fields)), np.nan)
    ruler: Ruler | None = None
    with shared_indicators():
        for row, params in enumerate(combinations):
            try:
                strategy = strategy_class(**params)
            except ValidationError:
                continue
            leg = Leg("", candles, strategy.signals(candles), warmup=strategy.warmup)
            result = backtest([leg], terms)
            ruler = ruler or Ruler(result)
            rows[row] = ruler.scores(result)
    return rows
