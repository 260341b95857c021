"""Indicators computed once for many strategies over the same candles: for parameter sweeps.

``with shared_indicators():`` makes every indicator that is asked for again, with the same array
object and the same parameters, answer with the array it gave before. Those arrays are read-only,
and what they were computed from must not be changed meanwhile. Results are the same with and
without; outside of the block nothing is kept.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
T = TypeVar("T")

MOST_SHARED = 256

Shelf = dict[tuple[object, ...], tuple[object, object]]
"""(function, what it was asked) -> (its arguments, which keep their identities, its answer)."""

_shelf: ContextVar[Shelf | None] = ContextVar("shared_indicators", default=None)
_most: ContextVar[int] = ContextVar("most_shared_indicators", default=MOST_SHARED)


@contextmanager
def shared_indicators(most: int = MOST_SHARED) -> Iterator[None]:
    """Share indicators in this block and this thread; the oldest goes when there are ``most``.

    An indicator of a million candles takes 8 MB. Blocks may be nested: the inner one shares anew.
    """
    shelf, limit = _shelf.set({}), _most.set(most)
    try:
        yield
    finally:
        _shelf.reset(shelf)
        _most.reset(limit)


def shared(indicator: Callable[P, T]) -> Callable[P, T]:
    """Decorate a pure function of arrays or candles, which are told apart by identity, and of
    numbers; it returns an array or a tuple of arrays."""

    @wraps(indicator)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        shelf = _shelf.get()
        if shelf is None:
            return indicator(*args, **kwargs)
        key = (
            indicator.__qualname__,
            *map(_identity, args),
            *((name, _identity(value)) for name, value in sorted(kwargs.items())),
        )
        known = shelf.get(key)
        if known is None:
            result = indicator(*args, **kwargs)
            _freeze(result)
            while len(shelf) >= _most.get():
                del shelf[next(iter(shelf))]
            known = shelf[key] = (args, kwargs), result
        found: Any = known[1]
        return found  # type: ignore[no-any-return]  # what the function itself returned

    return answer


def _identity(value: object) -> object:
    """Numbers by value and type, everything else by identity."""
    if isinstance(value, bool | int | float | str):
        return type(value), value
    return id(value)


def _freeze(result: object) -> None:
    for array in result if isinstance(result, tuple) else (result,):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
