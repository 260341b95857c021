"""Histories and results for tests of performance: made by hand, or from real closing prices."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from engine.domain.backtests import LONG, SHORT, BacktestResult, TradeTable
from engine.domain.candles import FloatArray, IntArray
from engine.domain.money import to_epoch_ms
from engine.domain.performance.history import ClosedTrades, History, Labels
from tooling.place import ROOT

REAL = ROOT.parent / "shared" / "market"
MONDAY = to_epoch_ms(datetime(2024, 1, 1, tzinfo=UTC))
DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
TIMEFRAMES = {DAY: "1d", HOUR: "1h", MINUTE: "1m"}


def trades_of(
    pnl: Sequence[float], *, is_long: Sequence[bool] | None = None, start: int = MONDAY,
    held: int = HOUR, apart: int = DAY, value: float = 1_000.0, fee: float = 0.0,
    reasons: Sequence[int] | None = None,
) -> ClosedTrades:  # fmt: skip
    """Trades of these profits, one every ``apart`` from ``start``, each ``held`` as long."""
    count = len(pnl)
    entry = start + apart * np.arange(count, dtype=np.int64)
    codes = np.zeros(count, np.int64) if reasons is None else np.array(reasons, np.int64)
    return ClosedTrades(
        is_long=np.array([True] * count if is_long is None else is_long, dtype=bool),
        entry_ms=entry,
        exit_ms=entry + held,
        entry_value=np.full(count, value),
        fees=np.full(count, fee),
        pnl=np.array(pnl, dtype=np.float64),
        labels={"exit_reason": Labels(codes, ("signal", "stop_loss"))},
    )


def history(
    equity: Sequence[float] | FloatArray, *, cash: float = 1_000.0, bar: int = DAY,
    start: int = MONDAY, trades: ClosedTrades | None = None, **more: Any,
) -> History:  # fmt: skip
    """A history of bars with these closing worths, without gaps."""
    at = start + bar * np.arange(1, len(equity) + 1, dtype=np.int64)
    worth = np.array(equity, dtype=np.float64)
    own = trades_of(()) if trades is None else trades
    return History(start, cash, at, worth, own, bar_ms=bar, **more)


def closes(name: str) -> tuple[IntArray, FloatArray]:
    """Opening times and closes of a file of real candles; where there is none, a random walk as
    long, from the same kind of market: stocks rest at weekends."""
    path = REAL / f"{name}.csv"
    if path.exists():
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [(row["timestamp"], float(row["close"])) for row in csv.DictReader(lines)]
        times = [to_epoch_ms(datetime.fromisoformat(text)) for text, _ in rows]
        return np.array(times, np.int64), np.array([close for _, close in rows])
    days = MONDAY + DAY * np.arange(2_000, dtype=np.int64)
    kept = days[(days // DAY + 3) % 7 < 5] if name.startswith("SPY") else days
    steps = np.random.default_rng(5).normal(0.0004, 0.02, len(kept))
    return kept, 100 * np.exp(np.cumsum(steps))


def bought_and_held(name: str, cash: float = 10_000.0) -> History:
    """The history of an account that held the market of a file of daily candles."""
    times, prices = closes(name)
    worth = cash * prices / prices[0]
    return History(int(times[0]), cash, times + DAY, worth, trades_of(()), bar_ms=DAY,
                   market=prices)  # fmt: skip


def backtest_result(
    bars: int = 400, trades: int = 60, *, bar: int = DAY, seed: int = 3, cash: float = 10_000.0
) -> BacktestResult:
    """A made-up result whose curve is of its own: for speed and for drawing."""
    random = np.random.default_rng(seed)
    time = MONDAY + bar * np.arange(bars, dtype=np.int64)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, bars)))
    equity = cash * np.exp(np.cumsum(random.normal(0.0005, 0.008, bars)))
    entry = np.sort(random.integers(0, max(1, bars - 2), trades))
    exit_ = np.minimum(entry + 1, bars - 1)
    ones, codes = np.ones(trades, np.int64), np.arange(trades, dtype=np.int64)
    table = TradeTable(
        symbol=0 * ones, side=np.where(codes % 3 == 0, SHORT, LONG), entry_index=entry,
        exit_index=exit_, entry_ms=time[entry], exit_ms=time[exit_], entry_price=close[entry],
        exit_price=close[exit_], quantity=np.ones(trades), entry_value=close[entry] * 10,
        fees=np.full(trades, 0.5), pnl=random.normal(2, 30, trades), entry_count=ones,
        reason=codes % 6,
    )  # fmt: skip
    return BacktestResult(("BTC/USDT",), TIMEFRAMES[bar], cash, time, close, equity, table)
