"""What a study wants more of. One row an objective; more is always better."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from engine.domain.scores import Scores
from engine.domain.study_kinds import ObjectiveKey

DRAWDOWN_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Objective:
    """``of`` gives NaN where the figure is not defined: such a trial cannot win."""

    key: ObjectiveKey
    title: str
    formula: str
    of: Callable[[Scores], float]
    source: str = ""

    def value(self, scores: Scores, min_trades: int) -> tuple[float | None, str]:
        """The objective's value, or None and the reason why these scores cannot win."""
        if scores.trades < min_trades:
            count = int(scores.trades)
            return None, f"{count} trade{'' if count == 1 else 's'}, fewer than {min_trades}"
        value = self.of(scores)
        if not math.isfinite(value):
            return None, f"its {self.title.lower()} is not defined"
        return value, ""


OBJECTIVES = {
    one.key: one
    for one in (
        Objective(ObjectiveKey.SHARPE, "Sharpe ratio",
                  "mean(r) / sd(r) x sqrt(periods a year)", lambda s: s.sharpe,
                  "Sharpe 1994, J. Portfolio Management 21(1)"),
        Objective(ObjectiveKey.SORTINO, "Sortino ratio",
                  "mean(r) / sqrt(mean(min(r, 0)^2)) x sqrt(periods a year)", lambda s: s.sortino,
                  "Sortino and Price 1994, J. Investing 3(3)"),
        Objective(ObjectiveKey.CALMAR, "Calmar ratio", "CAGR / max drawdown", lambda s: s.calmar,
                  "Young 1991, Futures 20(1)"),
        Objective(ObjectiveKey.PROFIT_FACTOR, "Profit factor",
                  "sum of winning trades / sum of losing trades", lambda s: s.profit_factor),
        Objective(ObjectiveKey.RETURN, "Total return", "final worth / cash - 1",
                  lambda s: s.total_return),
        Objective(ObjectiveKey.PENALISED, "Return less drawdown",
                  f"total return - {DRAWDOWN_WEIGHT:g} x max drawdown: what was gained must be"
                  " worth the worst fall twice over",
                  lambda s: s.total_return - DRAWDOWN_WEIGHT * s.max_drawdown),
    )
}  # fmt: skip
