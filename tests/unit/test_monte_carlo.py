"""Monte Carlo of trades: reproducible, the same on any workers, and right where that is known."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain import monte_carlo as module
from engine.domain.monte_carlo import (
    Chunk,
    Method,
    Partial,
    Plan,
    chunks,
    combine,
    monte_carlo,
    monte_carlo_chunk,
    trade_returns,
)
from tests.support.performance import history, trades_of

RETURNS = np.random.default_rng(1).normal(0.002, 0.02, 250)


@pytest.mark.parametrize("method", list(Method))
def test_equal_whatever_runs_the_chunks(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CELLS_A_CHUNK", 10_000)  # 40 paths a chunk
    plan = Plan(RETURNS, 130, method, seed=7, starting_cash=5_000.0)
    assert [chunk.paths for chunk in chunks(plan)] == [40, 40, 40, 10]
    with ThreadPoolExecutor(3) as pool:
        on_pool = monte_carlo(plan, pool.map)

    def backwards(work: Callable[[Chunk], Partial], parts: Sequence[Chunk]) -> Iterable[Partial]:
        return [work(part) for part in parts[::-1]][::-1]

    alone = monte_carlo(plan)
    assert alone == on_pool == monte_carlo(plan, backwards)
    assert alone != monte_carlo(Plan(RETURNS, 130, method, seed=8, starting_cash=5_000.0))
    assert alone.paths == 130


def test_another_order_changes_the_fall_but_not_the_end() -> None:
    found = monte_carlo(Plan(RETURNS, 300, Method.SHUFFLE, starting_cash=1_000.0))
    end = 1_000 * np.prod(1 + RETURNS)
    assert found.final_equity.p5 == pytest.approx(end)
    assert found.final_equity.p95 == pytest.approx(end)
    assert found.max_drawdown.p5 and found.max_drawdown.p95
    assert found.max_drawdown.p5 < found.max_drawdown.p95
    assert found.sharpe.p50 == pytest.approx(RETURNS.mean() / RETURNS.std(ddof=1))


@pytest.mark.parametrize("method", [Method.BOOTSTRAP, Method.BLOCKS])
def test_the_bootstrap_spreads_as_the_mean_does(method: Method) -> None:
    """Of amounts drawn independently, the sum's deviation is known."""
    plan = Plan(RETURNS, 4_000, method, is_compound=False, block=1)
    found = monte_carlo(plan)
    middle, spread = 1 + RETURNS.sum(), RETURNS.std() * np.sqrt(len(RETURNS))
    assert found.final_equity.p50 == pytest.approx(middle, abs=0.15 * spread)
    assert found.final_equity.p95 == pytest.approx(middle + 1.645 * spread, abs=0.15 * spread)


def test_blocks_keep_what_follows_what() -> None:
    """A win is always followed by its loss: runs of trades fall less deep than any order does."""
    returns = np.tile([0.1, -0.09], 200)
    apart = monte_carlo(Plan(returns, 200, Method.BOOTSTRAP)).max_drawdown.p50
    runs = monte_carlo(Plan(returns, 200, Method.BLOCKS, block=100)).max_drawdown.p50
    assert apart and runs and runs < apart / 2


def test_the_fan_begins_with_the_cash_and_ends_with_the_end() -> None:
    found = monte_carlo(Plan(RETURNS, 500, starting_cash=2_000.0))
    assert found.fan_trades[0] == 0 and found.fan_trades[-1] == len(RETURNS)
    assert len(found.fan_trades) == len(found.fan["p50"]) <= module.FAN_POINTS + 1
    assert {line[0] for line in found.fan.values()} == {2_000.0}
    assert found.fan["p25"][-1] == pytest.approx(found.final_equity.p25)


def test_ruin_is_a_worth_that_was_ever_at_the_level_or_under() -> None:
    sure = monte_carlo(Plan(np.array([-0.3, -0.3, 2.0]), 50, Method.SHUFFLE, ruin_at=0.7))
    assert (sure.ruin_chance, sure.loss_chance) == (pytest.approx(0.5, abs=0.35), 0.0)
    never = monte_carlo(Plan(np.array([0.01]), 10))
    assert (never.ruin_chance, never.max_drawdown.p95, never.profit_factor.p50) == (0.0, 0.0, None)
    lost = monte_carlo(Plan(np.array([-1.5, 3.0]), 10, Method.SHUFFLE))
    assert (lost.final_equity.p95, lost.max_drawdown.p50) == (0.0, 1.0)
    owed = monte_carlo(Plan(np.array([-1.5, 3.0]), 40, Method.SHUFFLE, is_compound=False))
    assert owed.final_equity.p5 == 0.0  # once at 0 it stays there


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-0.9, 3), min_size=1, max_size=40), st.sampled_from(Method),
       st.booleans())  # fmt: skip
def test_what_holds_of_any_outcome(returns: list[float], method: Method, is_compound: bool) -> None:
    plan = Plan(np.array(returns), 40, method, is_compound=is_compound)
    found = combine(plan, map(monte_carlo_chunk, chunks(plan)))
    assert 0 <= found.ruin_chance <= 1 and 0 <= found.loss_chance <= 1
    falls = found.max_drawdown
    assert falls.p5 is not None and falls.p95 is not None
    assert 0 <= falls.p5 <= falls.p95 <= 1
    assert "NaN" not in found.model_dump_json()


def test_returns_of_trades_are_on_the_whole_account() -> None:
    one = history((1000,), trades=trades_of((100.0, -110.0, 50.0)))
    assert list(trade_returns(one)) == pytest.approx([0.1, -0.1, 50 / 990])
    assert list(trade_returns(one, is_compound=False)) == pytest.approx([0.1, -0.11, 0.05])
    assert np.prod(1 + trade_returns(one)) == pytest.approx(1.04)
    gone = history((0,), trades=trades_of((-1000.0, 50.0)))
    assert list(trade_returns(gone)) == [-1.0]


def test_what_cannot_be_simulated_is_refused() -> None:
    for wrong, words in (
        ({"returns": np.empty(0)}, "no trade"),
        ({"returns": np.array([np.nan])}, "must be a number"),
        ({"returns": RETURNS, "paths": 0}, "at least 1"),
        ({"returns": RETURNS, "ruin_at": 1.0}, "level of ruin"),
    ):
        with pytest.raises(ValueError, match=words):
            Plan(**wrong)
