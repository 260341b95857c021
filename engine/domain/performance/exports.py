"""Figures and curves as rows for ``csv_table``."""

from collections.abc import Iterable, Iterator, Sequence

from engine.domain.money import utc_text
from engine.domain.performance.analysis import Analysis
from engine.domain.performance.catalogue import METRICS

METRIC_COLUMNS = ("quote", "key", "metric", "value", "unit", "formula", "source", "empty_when")
CURVE_COLUMNS = ("quote", "time", "equity", "underwater", "market")


def metric_rows(analyses: Iterable[Analysis]) -> Iterator[Sequence[object]]:
    """One row a metric, for each analysis: ``METRIC_COLUMNS``. Fractions stay fractions."""
    for one in analyses:
        for metric in METRICS:
            value = getattr(one.metrics, metric.key)
            yield (one.quote, metric.key, metric.title, value, metric.unit.value, metric.formula,
                   metric.source, metric.empty)  # fmt: skip


def curve_rows(analyses: Iterable[Analysis]) -> Iterator[Sequence[object]]:
    """One row a point of each curve, as thinned as the chart's: ``CURVE_COLUMNS``."""
    for one in analyses:
        curve = one.curve
        market = curve.market or (None,) * len(curve.time)
        for time, equity, under, price in zip(
            curve.time, curve.equity, curve.underwater, market, strict=True
        ):
            yield (one.quote, utc_text(time), equity, under, price)
