"""No workers at all: everything in the caller's process, for tests and tiny runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.adapters.compute.work import carry_out
from engine.ports.compute import Crew, Outcome, never


class InlineCompute:
    """``ports.Compute`` for tests: strategy code must not run in the engine's own process."""

    @contextmanager
    def crew(self, shared: Any) -> Iterator[Crew]:
        """The caller itself."""
        yield _InlineCrew(shared)


class _InlineCrew:
    def __init__(self, shared: Any) -> None:
        self._shared = shared

    def run(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        *,
        on_result: Callable[[int, Outcome[Any]], None],
        is_cancelled: Callable[[], bool] = never,
    ) -> bool:
        """One after another."""
        for index, item in enumerate(items):
            if is_cancelled():
                return False
            on_result(index, carry_out(function, self._shared, item))
        return True
