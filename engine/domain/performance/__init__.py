"""Performance of backtests and live accounts: ``measure`` for figures, ``analyse`` for all.

result or trades -> History -> Facts -> Metrics, tables, remarks -> Analysis
"""

from engine.domain.performance.analysis import Analysis, analyse
from engine.domain.performance.catalogue import BY_KEY, METRICS, Metric, measure, score
from engine.domain.performance.history import ClosedTrades, History, Labels, history_of
from engine.domain.performance.metrics import Metrics

__all__ = [
    "BY_KEY", "METRICS", "Analysis", "ClosedTrades", "History", "Labels", "Metric", "Metrics",
    "analyse", "history_of", "measure", "score",
]  # fmt: skip
