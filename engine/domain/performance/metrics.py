"""The figures of a result: one frozen model, filled from the table in ``catalogue``."""

from pydantic import BaseModel, ConfigDict

from engine.domain.money import UtcDatetime


class Metrics(BaseModel):
    """Every figure of one history. What a field means, its unit and its formula: ``catalogue``.

    Fractions are fractions (0.01 is 1 %), money is in the quote asset, spans are seconds. None is a
    figure that is not defined here (no trade, no loss, too short); the catalogue says when.
    """

    model_config = ConfigDict(frozen=True)

    # --- result
    start: UtcDatetime | None
    end: UtcDatetime | None
    days: float
    starting_cash: float
    final_equity: float
    net_profit: float
    open_pnl: float
    total_return: float | None
    cagr: float | None
    market_change: float | None
    excess_return: float | None
    # --- ratios
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    omega: float | None
    martin: float | None
    probabilistic_sharpe: float | None
    # --- risk
    volatility: float | None
    max_drawdown: float
    max_drawdown_amount: float
    max_drawdown_duration_s: float
    max_drawdown_start: UtcDatetime | None
    max_drawdown_trough: UtcDatetime | None
    max_drawdown_recovery: UtcDatetime | None
    longest_drawdown_s: float
    ulcer_index: float
    value_at_risk: float | None
    expected_shortfall: float | None
    tail_ratio: float | None
    skew: float | None
    kurtosis: float | None
    best_day: float | None
    worst_day: float | None
    # --- trades
    trades: int
    wins: int
    draws: int
    losses: int
    win_rate: float | None
    profit_factor: float | None
    payoff_ratio: float | None
    expectancy: float | None
    expectancy_fraction: float | None
    sqn: float | None
    kelly: float | None
    gross_profit: float
    gross_loss: float
    average_win: float | None
    average_loss: float | None
    best_trade: float | None
    worst_trade: float | None
    best_trade_fraction: float | None
    worst_trade_fraction: float | None
    longest_win_streak: int
    longest_loss_streak: int
    average_duration_s: float | None
    median_duration_s: float | None
    longest_duration_s: float | None
    average_win_duration_s: float | None
    average_loss_duration_s: float | None
    trades_per_day: float | None
    time_in_market: float | None
    exposure: float | None
    fees: float
    fees_share: float | None
    top_share: float | None
    # --- long and short
    long_trades: int
    short_trades: int
    long_pnl: float
    short_pnl: float
    long_win_rate: float | None
    short_win_rate: float | None
