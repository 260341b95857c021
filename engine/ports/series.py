"""Where time series go."""

from collections.abc import Sequence
from typing import Protocol

from engine.domain.measurements import SeriesPoint


class SeriesSink(Protocol):
    """A time-series database that takes points; it never is asked for any."""

    def write(self, points: Sequence[SeriesPoint]) -> int:
        """Have them stored. Blocking. How many of them it refuses for good.

        Raises SinkError when nothing can be said to be stored: the same points are sent again.
        """
        ...

    def close(self) -> None:
        """Close its connections."""
        ...
