"""Deflated Sharpe ratio against the paper's example, and PBO on noise and on skill."""

import math
from itertools import combinations

import numpy as np
import pytest

from engine.domain.overfitting import (
    deflated_sharpe,
    expected_max_sharpe,
    minimum_backtest_years,
    overfitting_probability,
    probabilistic_sharpe,
)

# Bailey and Lopez de Prado (2014), "A numerical example": the best of 100 trials has an annual
# Sharpe ratio of 2.5 over 1,250 days, skew -3, kurtosis 10; the trials' variance is 0.5 a year.
DAYS = 250
BEST = 2.5 / math.sqrt(DAYS)
DEVIATION = math.sqrt(0.5 / DAYS)


def noise(rows: int, strategies: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, (rows, strategies))


def test_the_numbers_of_the_paper() -> None:
    assert expected_max_sharpe(100, DEVIATION) == pytest.approx(0.1132, abs=5e-5)
    for trials, expected in ((100, 0.9004), (46, 0.9505)):
        found = deflated_sharpe(
            BEST, 1250, trials=trials, deviation=DEVIATION, skew=-3, kurtosis=10
        )
        assert found == pytest.approx(expected, abs=5e-5), trials


def test_five_years_allow_for_45_trials() -> None:
    """Bailey et al. (2014), Notices of the AMS: of 45 trials over five years one is expected to
    have a Sharpe ratio of 1 although none is worth anything."""
    assert minimum_backtest_years(45) == pytest.approx(5.0, abs=0.01)
    assert minimum_backtest_years(45, 2.0) == pytest.approx(1.25, abs=0.01)
    with pytest.raises(ValueError, match="above 0"):
        minimum_backtest_years(45, 0.0)


def test_the_expected_maximum_is_that_of_a_simulation() -> None:
    found = np.random.default_rng(1).normal(0, 1, (20_000, 30)).max(axis=1).mean()
    assert expected_max_sharpe(30, 1.0) == pytest.approx(found, abs=0.05)
    assert expected_max_sharpe(1, 1.0) == 0
    with pytest.raises(ValueError, match="at least 1"):
        expected_max_sharpe(0, 1.0)


def test_the_probabilistic_ratio_knows_its_corners() -> None:
    assert probabilistic_sharpe(0.0, 100) == 0.5
    assert probabilistic_sharpe(0.1, 1) is None
    assert probabilistic_sharpe(1.0, 100, skew=3.0, kurtosis=1.0) is None  # no such distribution
    few, many = probabilistic_sharpe(0.1, 50), probabilistic_sharpe(0.1, 500)
    assert few and many and few < many


def test_noise_is_overfitted_half_of_the_time() -> None:
    found = [overfitting_probability(noise(400, 20, seed), blocks=8).probability
             for seed in range(40)]  # fmt: skip
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_a_better_strategy_is_found_and_stays_better() -> None:
    returns = noise(800, 20, 3)
    returns[:, 7] += 0.004
    found = overfitting_probability(returns)
    assert found.probability < 0.01
    assert set(found.chosen) == {7}
    assert found.loss_probability < 0.01
    assert len(found.logits) == math.comb(16, 8)


def test_the_best_of_noise_does_worse_the_better_it_looked() -> None:
    found = overfitting_probability(noise(800, 50, 5))
    assert found.slope < 0
    assert found.in_sample.mean() > found.out_of_sample.mean()


def test_it_is_what_a_plain_loop_finds() -> None:
    returns, blocks = noise(43, 5, 9), 6
    rows = len(returns) // blocks
    parts = returns[len(returns) - rows * blocks :].reshape(blocks, rows, 5)
    logits = []
    for inside in combinations(range(blocks), 3):
        outside = [at for at in range(blocks) if at not in inside]
        sharpe = [
            np.concatenate(parts[list(which)]).mean(axis=0)
            / np.concatenate(parts[list(which)]).std(axis=0, ddof=1)
            for which in (inside, outside)
        ]
        best = int(np.argmax(sharpe[0]))
        rank = int(np.sum(sharpe[1] <= sharpe[1][best])) / 6
        logits.append(math.log(rank / (1 - rank)))
    found = overfitting_probability(returns, blocks=blocks)
    assert found.logits == pytest.approx(logits)
    assert found.probability == np.mean(np.array(logits) <= 0)


def test_strategies_that_never_trade_are_not_chosen_over_one_that_earns() -> None:
    returns = np.zeros((160, 3))
    returns[:, 1] = noise(160, 1, 2)[:, 0] + 0.02
    found = overfitting_probability(returns)
    assert set(found.chosen) == {1}
    same = overfitting_probability(np.zeros((160, 3)))
    assert set(same.logits) == {0.0}  # all are in the middle


@pytest.mark.parametrize(
    ("shape", "blocks", "words"),
    [((100, 1), 16, "two strategies"), ((31, 2), 16, "32 returns"), ((100, 2), 7, "even")],
)
def test_what_cannot_be_measured_is_refused(
    shape: tuple[int, int], blocks: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        overfitting_probability(np.zeros(shape), blocks=blocks)
    with pytest.raises(ValueError, match="must be a number"):
        overfitting_probability(np.full((100, 2), np.nan))
