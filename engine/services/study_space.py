"""What a study searches and on which windows, refused in the words of the domain."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from engine.domain.search_space import Range, SearchSpace, search_space
from engine.domain.studies import StudyRequest
from engine.domain.study_kinds import Method
from engine.domain.unfit import Unfit
from engine.domain.walk_forward import Fold, hold_out, plan_folds
from engine.errors import ConfigError


def space_of(
    schema: Mapping[str, Any],
    ranges: Mapping[str, Range],
    fixed: Mapping[str, Any],
    method: Method,
) -> SearchSpace:
    """The search space of a strategy's parameters. Raises ConfigError naming the range that is
    wrong, or ``method`` for a grid that is too large."""
    with _told():
        space = search_space(schema, ranges, fixed)
        if method is Method.GRID:
            space.check_grid()
        return space


def plan_windows(request: StudyRequest, bars: int, warmup: int) -> tuple[Fold, ...]:
    """The folds of a period. Raises ConfigError for too few candles."""
    with _told():
        if request.walk_forward is None:
            return (hold_out(bars, request.holdout, warmup),)
        return plan_folds(bars, request.walk_forward, warmup)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Unfit as unfit:
        raise ConfigError(unfit.message, field=unfit.field) from unfit
