"""The few figures of a backtest that lists and comparisons show, as JSON values."""

from typing import Any

import numpy as np

from engine.domain.backtests import BacktestResult


def run_metrics(result: BacktestResult) -> dict[str, Any]:
    """By name; None where there is nothing to tell, as the win rate of no trades."""
    equity, trades = result.equity, result.trades
    peaks = np.maximum.accumulate(equity)
    wins, losses = trades.pnl[trades.pnl > 0].sum(), -trades.pnl[trades.pnl < 0].sum()
    count = len(trades)
    return {
        "total_return": float(equity[-1] / result.starting_cash - 1),
        "market_change": float(result.close[-1] / result.close[0] - 1),
        "max_drawdown": float((1 - equity / peaks).max()),
        "trades": count,
        "win_rate": float((trades.pnl > 0).mean()) if count else None,
        "profit_factor": float(wins / losses) if losses else None,
        "fees": float(trades.fees.sum()),
    }
