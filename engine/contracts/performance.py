"""Performance: what is asked, and what is answered for each quote asset."""

from datetime import datetime
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime
from engine.domain.performance.analysis import Analysis
from engine.domain.performance.catalogue import BY_KEY, METRICS, Better, Metric, Unit
from engine.domain.performance.drawdowns import Drawdown
from engine.domain.performance.metrics import Metrics
from engine.domain.performance.remarks import Remark, Tone
from engine.domain.performance.tables import Bin, Curve, GroupRow, Rolling, YearRow

# With the words of the domain that the panel speaks too: it imports nothing else of the engine.
__all__ = [
    "BY_KEY", "GROUPINGS", "METRICS", "Analysis", "Better", "Bin", "Curve", "Drawdown", "GroupRow",
    "Grouping", "Metric", "Metrics", "PerformanceFilter", "PerformanceView", "QuotePerformance",
    "Remark", "ReportTable", "Rolling", "Tone", "Unit", "YearRow",
]  # fmt: skip

Grouping = Literal[
    "bot", "strategy", "symbol", "market", "account", "side", "exit_reason", "month", "weekday",
    "entry_hour",
]  # fmt: skip
GROUPINGS: tuple[Grouping, ...] = Grouping.__args__  # type: ignore[attr-defined]
"""What trades can be compared by."""

ReportTable = Literal["metrics", "equity", "trades"]
"""What the CSV report can be of."""


class PerformanceFilter(Contract):
    """Which trades; an empty field does not narrow. Times are those of the exit.

    ``since`` is inclusive, ``until`` exclusive. ``bot`` is an id or a name. ``window`` is the days
    of the rolling figures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bot: str | None = Field(default=None, max_length=64)
    strategy: str | None = Field(default=None, max_length=64)
    symbol: str | None = Field(default=None, max_length=40)
    market: str | None = Field(default=None, max_length=500)
    account: str | None = Field(default=None, max_length=600)
    quote: str | None = Field(default=None, max_length=40)
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    by: Grouping = "bot"
    window: int = Field(default=30, ge=2, le=365)

    @model_validator(mode="after")
    def _since_before_until(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class QuotePerformance(Contract):
    """The performance of everything that trades in one quote asset.

    ``capital`` is what the bots in question are given together; returns are on it. Where
    ``is_marked``, the curve shows open positions at the prices of then, otherwise closed trades
    alone. ``mixes_replays``: trades of a replay, whose times are those of its candles, stand beside
    those of another market. ``compared`` are the groups asked for.
    """

    quote: str
    capital: float
    is_marked: bool
    mixes_replays: bool
    analysis: Analysis
    compared: tuple[GroupRow, ...]


class PerformanceView(Contract):
    """``GET /performance``: amounts of different quote assets are never added up."""

    now: datetime
    by: Grouping
    quotes: tuple[QuotePerformance, ...]
