"""Monte Carlo of trades: what else could have come of the same ones.

Paths are made in chunks that are pure functions of their arguments, so that any ``map`` can run
them: the built-in one, a process pool's, a cluster's. How the paths are cut into chunks depends on
the plan alone, and every chunk has a random stream of its own: the numbers are the same however
many workers there are.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from engine.domain.candles import FloatArray, IntArray
from engine.domain.performance.history import History

PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
FAN_POINTS = 100
_CELLS_A_CHUNK = 1_000_000
"""Paths x trades that are worked on at a time: 8 MB an array, of which there are about six."""
_SMALLEST = 1e-12


class Method(StrEnum):
    """How a path is made: the same trades in another order, any of them with replacement, or runs
    of them with replacement, which keep what follows what."""

    SHUFFLE = "shuffle"
    BOOTSTRAP = "bootstrap"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate: ``paths`` histories from ``returns``, one a trade, of the whole account.

    ``is_compound``: each trade moves the account by its return; otherwise by the same amount
    whatever the account is, the return on the starting cash. ``ruin_at`` is the fraction of the
    starting cash under which a path counts as ruined, ``block`` the mean run of ``Method.BLOCKS``.
    Raises ValueError for no return, no path, returns that are no numbers or a level not below 1.
    """

    returns: FloatArray
    paths: int = 10_000
    method: Method = Method.BOOTSTRAP
    seed: int = 0
    block: int = 10
    ruin_at: float = 0.5
    is_compound: bool = True
    starting_cash: float = 1.0

    def __post_init__(self) -> None:
        if not len(self.returns):
            raise ValueError("there is no trade to simulate with")
        if not np.isfinite(self.returns).all():
            raise ValueError("every return must be a number")
        if self.paths < 1 or self.block < 1:
            raise ValueError("paths and block must be at least 1")
        if not 0 <= self.ruin_at < 1:
            raise ValueError("the level of ruin must be a fraction from 0 to below 1")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a plan: so many of its paths, from a random stream of their own."""

    plan: Plan
    paths: int
    seeds: np.random.SeedSequence


@dataclass(frozen=True, slots=True)
class Partial:
    """What a chunk found, one value a path: the last worth and the least one (1 is the starting
    cash), the deepest drawdown in [0, 1], mean over deviation of the returns, gross profit over
    gross loss (NaN where there is none), and ``fan``, the worth after every few trades."""

    final: FloatArray
    least: FloatArray
    drawdown: FloatArray
    sharpe: FloatArray
    profit_factor: FloatArray
    fan: FloatArray


class Spread(BaseModel):
    """Percentiles of a figure over the paths. None where no path has it."""

    model_config = ConfigDict(frozen=True)

    p5: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p95: float | None


class MonteCarlo(BaseModel):
    """The outcome over all paths. Money is in the account's quote asset.

    ``fan`` has the worth by percentile after the trades counted in ``fan_trades`` (0 first).
    ``sharpe`` is a trade's; its 5th and 95th percentile are a 90 % confidence interval, as are
    those of ``profit_factor``, where the trades were drawn with replacement. ``ruin_chance`` is the
    share of paths that were ever at ``ruin_at`` of the starting cash or under.
    """

    model_config = ConfigDict(frozen=True)

    method: Method
    paths: int
    trades: int
    seed: int
    ruin_at: float
    ruin_chance: float
    loss_chance: float
    final_equity: Spread
    max_drawdown: Spread
    sharpe: Spread
    profit_factor: Spread
    fan_trades: tuple[int, ...]
    fan: dict[str, tuple[float, ...]]


def trade_returns(history: History, *, is_compound: bool = True) -> FloatArray:
    """The return of each trade on the whole account, in the order of closing.

    Compound: on the starting cash with the profits before it; from the trade on that finds the
    account empty there is none. Otherwise on the starting cash.
    """
    pnl = history.trades.pnl
    if not is_compound:
        return np.asarray(pnl / history.starting_cash)
    before = history.starting_cash + np.concatenate(([0.0], np.cumsum(pnl)))[:-1]
    empty = np.flatnonzero(before <= 0)
    count = int(empty[0]) if len(empty) else len(pnl)
    return np.asarray(pnl[:count] / before[:count])


def chunks(plan: Plan) -> list[Chunk]:
    """The plan in parts, always cut in the same way."""
    size = max(1, _CELLS_A_CHUNK // len(plan.returns))
    sizes = [min(size, plan.paths - first) for first in range(0, plan.paths, size)]
    streams = np.random.SeedSequence(plan.seed).spawn(len(sizes))
    return [Chunk(plan, paths, seeds) for paths, seeds in zip(sizes, streams, strict=True)]


def monte_carlo_chunk(chunk: Chunk) -> Partial:
    """Simulate a part. Pure: the same chunk gives the same numbers in any process."""
    plan = chunk.plan
    generator = np.random.Generator(np.random.PCG64(chunk.seeds))
    returns = plan.returns[_rows(plan, chunk.paths, generator)]
    spread = returns.std(axis=1, ddof=1) if returns.shape[1] > 1 else np.zeros(len(returns))
    sharpe = np.divide(returns.mean(axis=1), spread, out=np.full(len(returns), np.nan),
                       where=spread > _SMALLEST)  # fmt: skip
    worth = _worth(plan, returns)
    # A sum of amounts, which a compound account's returns are not: they are taken as shares of it.
    amounts = np.diff(worth, axis=1, prepend=1.0)
    won = np.sum(amounts, axis=1, where=amounts > 0)
    lost = -np.sum(amounts, axis=1, where=amounts < 0)
    del amounts
    final, least = worth[:, -1].copy(), np.minimum(1.0, worth.min(axis=1))
    fan = np.concatenate((np.ones((len(worth), 1)), worth[:, _fan_columns(plan)]), axis=1)
    peaks = np.maximum(np.maximum.accumulate(worth, axis=1), 1.0)
    np.divide(worth, peaks, out=peaks)
    return Partial(
        final=final,
        least=least,
        drawdown=np.clip(1.0 - peaks.min(axis=1), 0.0, 1.0),
        sharpe=sharpe,
        profit_factor=np.divide(won, lost, out=np.full(len(won), np.nan), where=lost > _SMALLEST),
        fan=fan,
    )


def combine(plan: Plan, partials: Iterable[Partial]) -> MonteCarlo:
    """The outcome of all parts, in the order of ``chunks``."""
    parts = list(partials)

    def joined(name: str) -> FloatArray:
        return np.concatenate([getattr(part, name) for part in parts])

    final, least, cash = joined("final"), joined("least"), plan.starting_cash
    lines = np.percentile(joined("fan"), PERCENTILES, axis=0) * cash
    return MonteCarlo(
        method=plan.method,
        paths=len(final),
        trades=len(plan.returns),
        seed=plan.seed,
        ruin_at=plan.ruin_at,
        ruin_chance=float(np.mean(least <= plan.ruin_at)),
        loss_chance=float(np.mean(final < 1.0)),
        final_equity=_spread(final * cash),
        max_drawdown=_spread(joined("drawdown")),
        sharpe=_spread(joined("sharpe")),
        profit_factor=_spread(joined("profit_factor")),
        fan_trades=(0, *(int(column) + 1 for column in _fan_columns(plan))),
        fan={_name(at): tuple(line.tolist()) for at, line in zip(PERCENTILES, lines, strict=True)},
    )


def monte_carlo(
    plan: Plan,
    run: Callable[[Callable[[Chunk], Partial], Sequence[Chunk]], Iterable[Partial]] = map,
) -> MonteCarlo:
    """Simulate a plan. ``run`` is any ``map`` that keeps the order: its workers only make it
    faster."""
    return combine(plan, run(monte_carlo_chunk, chunks(plan)))


def _rows(plan: Plan, paths: int, generator: np.random.Generator) -> NDArray[np.integer[Any]]:
    """Which trade comes at which place of each path."""
    count = len(plan.returns)
    if plan.method is Method.SHUFFLE:
        order = np.tile(np.arange(count, dtype=np.int32), (paths, 1))
        return np.asarray(generator.permuted(order, axis=1, out=order))
    if plan.method is Method.BOOTSTRAP:
        drawn: NDArray[np.int32] = generator.integers(0, count, (paths, count), dtype=np.int32)
        return drawn
    # The stationary bootstrap: runs of random length, round the end. Politis and Romano (1994),
    # J. of the American Statistical Association 89.
    is_new = generator.random((paths, count)) < 1 / plan.block
    is_new[:, 0] = True
    begins = generator.integers(0, count, (paths, count), dtype=np.int32)
    place = np.arange(count, dtype=np.int32)
    latest = np.maximum.accumulate(np.where(is_new, place, 0), axis=1)
    offset = place - latest
    return np.asarray((np.take_along_axis(begins, latest, axis=1) + offset) % count)


def _worth(plan: Plan, returns: FloatArray) -> FloatArray:
    """The account after each trade, 1 being the starting cash; once at 0 it stays there."""
    if plan.is_compound:
        return np.asarray(np.cumprod(np.maximum(1.0 + returns, 0.0), axis=1), np.float64)
    worth = 1.0 + np.cumsum(returns, axis=1)
    worth[np.minimum.accumulate(worth, axis=1) <= 0] = 0.0
    return worth


def _fan_columns(plan: Plan) -> IntArray:
    """After which trades the fan is taken."""
    count = len(plan.returns)
    return np.unique(np.linspace(0, count - 1, min(count, FAN_POINTS)).round().astype(np.int64))


def _spread(values: FloatArray) -> Spread:
    known = values[np.isfinite(values)]
    if not len(known):
        return Spread(p5=None, p25=None, p50=None, p75=None, p95=None)
    found = np.percentile(known, PERCENTILES)
    return Spread.model_validate({_name(at): float(one) for at, one in
                                  zip(PERCENTILES, found, strict=True)})  # fmt: skip


def _name(percentile: float) -> str:
    return f"p{math.floor(percentile)}"
