"""Backtests: what is asked, what is previewed, what a run found."""

from decimal import Decimal
from typing import Any, Literal

from pydantic import ConfigDict, Field

from engine.contracts.base import Contract
from engine.domain.backtest_runs import (
    ACTIVE_RUNS,
    BacktestRequest,
    BacktestRun,
    Coverage,
    FileSource,
    MarketSource,
    RunStage,
    RunState,
)
from engine.domain.backtests import EXIT_REASONS, BacktestTerms
from engine.domain.bots import BotName, ExitRules
from engine.domain.money import ZERO, UtcDatetime
from engine.domain.performance.analysis import Analysis
from engine.domain.positions import PositionSide

# With the words of the domain that the panel speaks too: it imports nothing else of the engine.
__all__ = [
    "ACTIVE_RUNS", "EXIT_REASONS", "BacktestBotRequest", "BacktestChartQuery", "BacktestFilter",
    "BacktestPage", "BacktestPreview", "BacktestReport", "BacktestRequest", "BacktestRun",
    "BacktestTerms", "BacktestTrade", "BacktestTradeFilter", "BacktestTradePage", "ComparedRun",
    "Comparison", "Coverage", "Difference", "ExitRules", "FileSource", "HeldPosition",
    "MarketSource", "RunStage", "RunState",
]  # fmt: skip

MOST_COMPARED = 5


class BacktestPreview(Contract):
    """What a request would use. ``request`` has the parameters filled in, ``terms`` the market's
    steps; ``problem`` is why it cannot run on these candles, or empty."""

    request: BacktestRequest
    terms: BacktestTerms
    coverage: tuple[Coverage, ...]
    warmup: int
    quote: str
    warnings: tuple[str, ...] = ()
    problem: str = ""


class BacktestFilter(Contract):
    """Which runs; an empty field does not narrow. ``search`` is a part of the name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: str | None = Field(default=None, max_length=64)
    state: RunState | None = None
    search: str = Field(default="", max_length=200)
    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=10_000_000)


class BacktestPage(Contract):
    """Runs, newest first; ``count`` is how many match."""

    items: tuple[BacktestRun, ...]
    count: int


class HeldPosition(Contract):
    """What was still held when the candles ended. Amounts in the run's quote asset."""

    symbol: str
    side: PositionSide
    opened: UtcDatetime
    entry_price: float
    quantity: float
    entry_value: float
    unrealised_pnl: float


class BacktestReport(Contract):
    """Everything about one run. ``analysis`` is None until it is done; ``refused`` counts entries
    that were not made, by the reason."""

    run: BacktestRun
    analysis: Analysis | None = None
    open_positions: tuple[HeldPosition, ...] = ()
    refused: dict[str, int] = Field(default_factory=dict)


class BacktestTradeFilter(Contract):
    """Which trades of a run, in which order; an empty field does not narrow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str | None = Field(default=None, max_length=40)
    side: PositionSide | None = None
    exit_reason: str | None = Field(default=None, max_length=40)
    outcome: Literal["won", "lost"] | None = None
    order: Literal["oldest", "newest", "best", "worst"] = "oldest"
    limit: int = Field(default=100, ge=1, le=5000)
    offset: int = Field(default=0, ge=0, le=10_000_000)


class BacktestTrade(Contract):
    """A simulated trade. ``number`` counts from 1 in the order of closing."""

    number: int
    symbol: str
    side: PositionSide
    entry_time: UtcDatetime
    entry_price: float
    exit_time: UtcDatetime
    exit_price: float
    quantity: float
    entry_value: float
    fees: float
    pnl: float
    return_fraction: float
    entry_count: int
    exit_reason: str


class BacktestTradePage(Contract):
    """A page of trades; ``count`` and ``pnl`` are of all that match."""

    items: tuple[BacktestTrade, ...]
    count: int
    pnl: float


class BacktestChartQuery(Contract):
    """Which candles to draw: ``limit`` of a symbol around ``at`` (empty: the newest)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(default="", max_length=40)
    at: UtcDatetime | None = None
    limit: int = Field(default=300, ge=10, le=2000)


class BacktestBotRequest(Contract):
    """A paper bot that does what the run did. An empty ``market`` is where the candles came from;
    a file is replayed at ``speed`` times real time (0: as fast as it goes)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: BotName
    market: str = Field(default="", max_length=500)
    symbol: str = Field(default="", max_length=40)
    speed: Decimal = Field(default=ZERO, ge=0, le=1_000_000)


class Difference(Contract):
    """A setting that is not the same in all runs compared, with each one's value."""

    name: str
    values: tuple[Any, ...]


class ComparedRun(Contract):
    """One of the runs compared."""

    run: BacktestRun
    analysis: Analysis


class Comparison(Contract):
    """Runs side by side, in the order asked for."""

    runs: tuple[ComparedRun, ...]
    differences: tuple[Difference, ...]
