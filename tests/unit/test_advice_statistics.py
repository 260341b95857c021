"""Accuracy and calibration, against values by hand and scipy's."""

from math import nan

import pytest
from scipy.stats import binomtest

from engine.domain.advice_statistics import (
    BUCKETS,
    accuracy,
    bucket_of,
    calibration,
    wilson_interval,
)


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (7, 10), (50, 100), (999, 1000)])
def test_the_interval_is_wilsons(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
    found = wilson_interval(right, count)
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)


def test_the_interval_by_hand() -> None:
    """Seven of ten: (0.7 + 3.8415/20 -+ 1.96 * sqrt(0.21/10 + 3.8415/400)) / 1.38415."""
    found = accuracy(7, 10)
    assert found.share == 0.7
    assert found.interval is not None
    assert (round(found.interval.low, 4), round(found.interval.high, 4)) == (0.3968, 0.8922)


def test_no_answers_are_no_share() -> None:
    assert accuracy(0, 0).share is None
    assert calibration([]).brier is None
    assert len(calibration([]).buckets) == BUCKETS
    for right, count in ((-1, 2), (3, 2)):
        with pytest.raises(ValueError, match="no share"):
            accuracy(right, count)


def test_calibration_by_hand() -> None:
    """Four answers of 0.9 of which three were right, and one of 0.25 that was wrong."""
    found = calibration([(0.9, True), (0.9, True), (0.9, True), (0.9, False), (0.25, False)])
    assert (found.accuracy.right, found.accuracy.count) == (3, 5)
    assert found.brier == pytest.approx((3 * 0.01 + 0.81 + 0.0625) / 5)
    assert found.error == pytest.approx((4 * abs(0.75 - 0.9) + 0.25) / 5)
    last = found.buckets[9]
    assert (last.low, last.high, last.count, last.share) == (0.9, 1.0, 4, 0.75)
    assert last.mean_confidence == pytest.approx(0.9)
    assert [one.count for one in found.buckets] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 4]


def test_a_perfect_model_scores_zero_and_a_coin_a_quarter() -> None:
    assert calibration([(1.0, True), (0.0, False)]).brier == 0
    coin = calibration([(0.5, True), (0.5, False)])
    assert (coin.brier, coin.error) == (0.25, 0)


@pytest.mark.parametrize(
    ("confidence", "number"),
    [(0, 0), (0.1, 1), (0.3, 3), (0.6, 6), (0.7, 7), (0.29, 2), (0.699, 6), (0.999, 9), (1, 9)],
)
def test_what_is_written_decides_the_bucket(confidence: float, number: int) -> None:
    assert bucket_of(confidence) == number


@pytest.mark.parametrize("confidence", [nan, -0.1, 1.1])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration([(confidence, True)])
