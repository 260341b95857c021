"""The table of backtests. Their big arrays are files; see ``adapters/backtests``."""

from datetime import datetime
from typing import Any

from engine.adapters.store.columns import Row, json, moment, number, text


class BacktestRunRow(Row, table=True):
    """A backtest: what was asked, what it is doing, what it found."""

    __tablename__ = "backtest_runs"

    id: str = text(primary_key=True)
    name: str = text()
    strategy: str = text(index=True)
    timeframe: str = text()
    state: str = text(index=True)
    stage: str = text()
    progress: float = number()
    request: dict[str, Any] = json()
    quote: str = text()
    coverage: list[Any] = json()
    warnings: list[Any] = json()
    metrics: dict[str, Any] = json()
    trade_count: int
    error: str = text()
    error_field: str = text()
    engine_version: str = text()
    candles_sha256: str = text()
    strategy_sha256: str = text()
    rerun_of: str = text()
    created_at: datetime = moment(index=True)
    started_at: datetime | None = moment(default=None)
    finished_at: datetime | None = moment(default=None)
