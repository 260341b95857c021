"""Many independent computations, on the processors of one machine or of many."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

S = TypeVar("S")
I = TypeVar("I")  # noqa: E741  an item
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What became of one item: its value, or in ``error`` one sentence why there is none."""

    value: R | None = None
    error: str | None = None


def never() -> bool:
    """Is it cancelled? No."""
    return False


class Crew(Protocol):
    """Workers that hold one shared input, ready for any number of runs."""

    def run(
        self,
        function: Callable[[Any, I], R],
        items: Sequence[I],
        *,
        on_result: Callable[[int, Outcome[R]], None],
        is_cancelled: Callable[[], bool] = never,
    ) -> bool:
        """Call ``function(shared, item)`` for every item, in whatever order workers are free.

        ``function`` is pure, at the top of a module, and gives the same wherever it runs.
        ``on_result(index, outcome)`` is called on the caller's thread, once for each item, as
        results come. What the function raises is that item's error. An item whose worker dies is
        given to another, a few times, then it is an error that says so. Blocks until all items are
        done (True), or, soon after ``is_cancelled`` says so, without the rest (False).
        Raises DataError when there are no workers to be had.
        """
        ...


class Compute(Protocol):
    """Where sweeps, walk-forwards and Monte Carlo run; the same call whatever is behind it."""

    def crew(self, shared: Any) -> AbstractContextManager[Crew]:
        """Workers that were given ``shared`` once each, not with every item. They are gone when
        the block ends, however it ends. Raises DataError when there are none to be had."""
        ...
