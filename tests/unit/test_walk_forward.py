"""Windows that move, and what is made of their results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.domain.search_space import Dimension, Value
from engine.domain.unfit import Unfit
from engine.domain.walk_forward import (
    FEWEST_BARS,
    WalkForward,
    Window,
    efficiency,
    hold_out,
    plan_folds,
    stability,
)


@given(
    count=st.integers(0, 5_000), gap=st.integers(0, 200), folds=st.integers(1, 12),
    tests=st.integers(1, 6), is_anchored=st.booleans(),
)  # fmt: skip
def test_every_bar_of_the_tests_is_judged_once_and_never_trained_on(
    count: int, gap: int, folds: int, tests: int, is_anchored: bool
) -> None:
    mode = "anchored" if is_anchored else "rolling"
    plan = WalkForward(mode=mode, folds=folds, train_tests=tests)  # type: ignore[arg-type]
    try:
        found = plan_folds(count, plan, gap)
    except Unfit as error:
        assert f"{count:,} candles" in error.message
        assert count < gap + (FEWEST_BARS + 1) * (folds + tests)
        return
    assert len(found) == folds
    judged = [bar for fold in found for bar in range(fold.test.start, fold.test.stop)]
    assert judged == list(range(found[0].test.start, count))
    for fold in found:
        assert fold.test.start - fold.train.stop == gap
        assert fold.train.start == (0 if is_anchored else fold.test.start - gap - fold.train.length)
        assert fold.train.start >= 0
        assert fold.train.length >= FEWEST_BARS <= fold.test.length
    lengths = {fold.train.length for fold in found}
    assert len(lengths) == (len(found) if is_anchored else 1)


def test_windows_by_their_lengths_end_with_the_last_bar() -> None:
    plan = WalkForward(folds=None, train_bars=300, test_bars=100)
    found = plan_folds(1_050, plan, 20)
    assert [fold.test for fold in found][-1] == Window(950, 1_050)
    assert [fold.test.length for fold in found] == [100] * 7
    assert found[0].train == Window(30, 330)


def test_too_few_candles_are_told_with_the_numbers() -> None:
    with pytest.raises(Unfit, match=r"200 candles are too few.*needs 290.*50 between") as one:
        plan_folds(200, WalkForward(folds=5), 50)
    assert one.value.field == "walk_forward"
    with pytest.raises(Unfit, match=r"100 candles are too few: 10 would be left"):
        hold_out(100, 0.3, 60)


def test_a_hold_out_is_the_newest_part_after_the_gap() -> None:
    assert hold_out(1_000, 0.3, 40) == (Window(0, 660), Window(700, 1_000))


def test_lengths_are_given_together() -> None:
    with pytest.raises(ValidationError, match="give both"):
        WalkForward(train_bars=100)
    with pytest.raises(ValidationError, match="number of folds"):
        WalkForward(folds=None)


def test_efficiency_is_the_return_a_bar_kept_out_of_sample() -> None:
    found = plan_folds(500, WalkForward(folds=2, train_tests=2), 0)  # 250 trained, 125 tested
    assert efficiency([0.2, 0.2], [0.05, 0.05], found) == pytest.approx(0.5)
    assert efficiency([-0.1, 0.1], [0.1, 0.1], found) is None


def test_stability_is_how_far_parameters_moved() -> None:
    space = (
        Dimension("period", "", "integer", 0, 100), Dimension("mode", "", "choice", choices=("a",)),
        Dimension("same", "", "number", 1.0, 1.0),
    )  # fmt: skip
    chosen: list[dict[str, Value]] = [
        {"period": 10, "mode": "a", "same": 1.0},
        {"period": 60, "mode": "a", "same": 1.0},
        {"period": 20, "mode": "b", "same": 1.0},
    ]
    found = stability(space, chosen)
    assert found == {"period": 0.5, "mode": pytest.approx(2 / 3), "same": 1.0}
