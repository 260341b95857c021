"""A sink of time series in memory."""

import threading
from collections.abc import Callable, Sequence

from engine.domain.measurements import SeriesPoint
from engine.errors import SinkError


class MemorySink:
    """Implements ``SeriesSink``: what has the same measurement, tags and time is one point.

    ``writes`` are the batches that it was given; ``failures`` are raised by the next ones. While
    ``held`` is set, a write waits until it is cleared: ``waiting`` says that one does.
    """

    def __init__(self) -> None:
        self.points: dict[tuple[object, ...], SeriesPoint] = {}
        self.writes: list[list[SeriesPoint]] = []
        self.failures: list[SinkError] = []
        self.refuses = 0
        self.is_closed = False
        self.go_on = threading.Event()
        self.go_on.set()
        self.waiting = threading.Event()

    def write(self, points: Sequence[SeriesPoint]) -> int:
        """As ``SeriesSink`` says."""
        if not self.go_on.is_set():
            self.waiting.set()
            self.go_on.wait(90)
        if self.failures:
            raise self.failures.pop(0)
        self.writes.append(list(points))
        for one in points:
            key = (one.measurement, tuple(sorted(one.tags.items())), one.time_ns)
            self.points[key] = one
        return self.refuses

    def close(self) -> None:
        """Remembered."""
        self.is_closed = True

    def of(self, measurement: str) -> list[SeriesPoint]:
        """Its points, by time."""
        found = [one for one in self.points.values() if one.measurement == measurement]
        return sorted(found, key=lambda one: one.time_ns)


def at_once(call: Callable[[], None]) -> threading.Thread:
    """Runs a round where it is begun."""
    call()
    return threading.Thread()
