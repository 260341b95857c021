"""Metrics in Prometheus's words, by its own client."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from engine.domain.gauges import BOUNDS_S, Metric, MetricKind, Sample, Spread, by_metric
from engine.errors import NotFound

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

OFF = "Metrics are switched off: set QUARTERDECK_METRICS_ENABLED=true and start the engine again."


class MetricsServices(Protocol):
    """What ``/metrics`` tells."""

    def page(self, accept: str) -> tuple[bytes, str]:
        """The page as the header ``Accept`` wants it, and its content type. Raises NotFound while
        metrics are switched off."""
        ...


class MetricsPage:
    """Implements ``MetricsServices``; ``read`` None: they are switched off."""

    def __init__(self, read: Callable[[], Iterable[Sample]] | None) -> None:
        self._read = read

    def page(self, accept: str) -> tuple[bytes, str]:
        """Read now; of this process, too, where its system tells."""
        if self._read is None:
            raise NotFound(OFF)
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Reading(self._read))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type


class _Reading:
    """A collector of one reading."""

    def __init__(self, read: Callable[[], Iterable[Sample]]) -> None:
        self._read = read

    def describe(self) -> Iterable["Family"]:
        """Nothing beforehand: the registry would ask for a reading otherwise."""
        return ()

    def collect(self) -> Iterator["Family"]:
        """As the client calls it."""
        for metric, samples in by_metric(self._read()).items():
            yield _family(metric, samples)


def _family(metric: Metric, samples: Sequence[Sample]) -> "Family":
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    if metric.kind is MetricKind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.words, labels=metric.labels)
        for one in samples:
            if isinstance(one.value, Spread):
                histogram.add_metric(one.labels, _buckets(one.value), one.value.sum_s)
        return histogram
    kind = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.words, labels=metric.labels)
    for one in samples:
        if not isinstance(one.value, Spread):
            family.add_metric(one.labels, float(one.value))
    return family


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    """Cumulative, as Prometheus wants them."""
    bounds = (*map(str, BOUNDS_S), "+Inf")
    return list(zip(bounds, accumulate(spread.counts), strict=True))
