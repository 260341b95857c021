"""Walk-forward: choose on the past, judge on what came after it, move on, and again.

R. Pardo, *The Evaluation and Optimization of Trading Strategies* (2008), chapter 11.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.domain.search_space import Dimension, Value
from engine.domain.unfit import Unfit

FEWEST_BARS = 30
"""A shorter window says nothing."""


class Window(NamedTuple):
    """Bars from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bars."""
        return self.stop - self.start


class Fold(NamedTuple):
    """Where parameters are chosen, and where the choice is judged."""

    train: Window
    test: Window


class WalkForward(BaseModel):
    """How the windows move: so many folds, or windows of so many bars.

    ``anchored`` windows all begin with the first bar, ``rolling`` ones keep their length. With
    ``folds`` alone a rolling training window is ``train_tests`` times as long as a test.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["anchored", "rolling"] = "rolling"
    folds: int | None = Field(default=5, ge=1, le=100)
    train_tests: int = Field(default=3, ge=1, le=50, title="Training, in tests")
    train_bars: int | None = Field(default=None, ge=FEWEST_BARS)
    test_bars: int | None = Field(default=None, ge=FEWEST_BARS)

    @model_validator(mode="after")
    def _both_lengths(self) -> Self:
        if (self.train_bars is None) != (self.test_bars is None):
            raise ValueError("give both train_bars and test_bars, or neither")
        if self.train_bars is None and self.folds is None:
            raise ValueError("give the number of folds, or train_bars and test_bars")
        return self


def plan_folds(count: int, plan: WalkForward, gap: int) -> tuple[Fold, ...]:
    """Windows over ``count`` bars, oldest first.

    Tests follow one another without a gap up to the last bar, so that each of their bars is judged
    once. Between training and test ``gap`` bars are left out: what warms up the test's indicators
    was not trained on. Raises Unfit, with the numbers, for too few bars.
    """
    if plan.train_bars is not None and plan.test_bars is not None:
        train, test = plan.train_bars, plan.test_bars
        folds = max(0, (count - train - gap) // test)
    else:
        folds = plan.folds or 1
        test = max(0, count - gap) // (folds + plan.train_tests)
        train = test * plan.train_tests
    if folds < 1 or test < FEWEST_BARS or train < FEWEST_BARS:
        needed = _needed(plan, gap)
        raise Unfit(
            f"{count:,} candles are too few for this walk-forward: it needs {needed:,}"
            f" (windows of at least {FEWEST_BARS} candles, and {gap} between them for the warm-up)."
            " Use more candles, or fewer folds.",
            field="walk_forward",
        )
    first = count - folds * test
    tests = [Window(first + index * test, first + (index + 1) * test) for index in range(folds)]
    is_anchored = plan.mode == "anchored"
    return tuple(
        Fold(Window(0 if is_anchored else one.start - gap - train, one.start - gap), one)
        for one in tests
    )


def _needed(plan: WalkForward, gap: int) -> int:
    if plan.train_bars is not None and plan.test_bars is not None:
        return plan.train_bars + gap + plan.test_bars
    return gap + FEWEST_BARS * ((plan.folds or 1) + plan.train_tests)


def hold_out(count: int, fraction: float, gap: int) -> Fold:
    """The newest ``fraction`` of the bars as the test, what comes before it as the training, less
    ``gap`` bars. Raises Unfit, with the numbers, for too few bars."""
    first = count - round(count * fraction)
    train, test = first - gap, count - first
    if train < FEWEST_BARS or test < FEWEST_BARS:
        raise Unfit(
            f"{count:,} candles are too few: {max(0, train):,} would be left to choose on and"
            f" {test:,} to judge by, after {gap:,} for the warm-up; each needs {FEWEST_BARS}.",
            field="holdout",
        )
    return Fold(Window(0, train), Window(first, count))


def efficiency(
    trained: Sequence[float], tested: Sequence[float], folds: Sequence[Fold]
) -> float | None:
    """Return a bar out of sample over return a bar in sample, over all folds (Pardo's walk-forward
    efficiency): 1 keeps what the training promised, below 0.5 is weak. None where the training
    promised nothing."""
    inside = sum(trained) / sum(fold.train.length for fold in folds)
    outside = sum(tested) / sum(fold.test.length for fold in folds)
    return outside / inside if inside > 0 else None


def stability(
    dimensions: Sequence[Dimension], chosen: Sequence[Mapping[str, Value]]
) -> dict[str, float]:
    """How far each parameter stayed in its place from fold to fold: 1 never moved, 0 went through
    its whole range. A choice counts the share of its most frequent value."""
    found = {}
    for one in dimensions:
        values = [combination[one.name] for combination in chosen]
        if one.kind == "choice":
            found[one.name] = max(values.count(value) for value in values) / len(values)
            continue
        numbers = [float(value) for value in values]
        span = one.high - one.low
        found[one.name] = 1.0 - (max(numbers) - min(numbers)) / span if span else 1.0
    return found
