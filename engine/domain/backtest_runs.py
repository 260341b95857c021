"""A backtest as it is asked for, and what became of it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.domain.backtests import BacktestTerms
from engine.domain.money import UtcDatetime
from engine.domain.timeframes import timeframe_s

MOST_SYMBOLS = 10


class RunState(StrEnum):
    """What a run is doing, or how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ACTIVE_RUNS = frozenset({RunState.QUEUED, RunState.RUNNING})


class RunStage(StrEnum):
    """What is being done, in this order."""

    WAITING = "waiting"
    READING = "reading"
    SIGNALS = "signals"
    SIMULATING = "simulating"
    MEASURING = "measuring"
    SAVING = "saving"


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("must name each one once")
    return names


class FileSource(BaseModel):
    """Candle files of the data folder, by their names; each is one symbol."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["files"] = "files"
    files: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(
        min_length=1, max_length=MOST_SYMBOLS, title="Candle files"
    )

    @field_validator("files")
    @classmethod
    def _once(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        return _each_once(files)


class MarketSource(BaseModel):
    """A market's own history. ``fine_timeframe`` candles are joined to the longer ones that the
    strategy sees, and used for what happens inside of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["market"] = "market"
    market: str = Field(min_length=1, max_length=500)
    symbols: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] = Field(
        min_length=1, max_length=MOST_SYMBOLS, title="Symbols"
    )
    fine_timeframe: str | None = Field(default=None, title="Candles inside a candle")

    @field_validator("symbols")
    @classmethod
    def _once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        return _each_once(symbols)


Source = Annotated[FileSource | MarketSource, Field(discriminator="kind")]


class BacktestRequest(BaseModel):
    """Everything a person sets on a backtest. Times bound the candles by their open.

    ``since`` is inclusive, ``until`` exclusive; files need neither. With ``has_market_rules``
    prices and quantities are rounded as the symbol's market does, where the terms do not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", max_length=80)
    notes: str = Field(default="", max_length=2000)
    strategy: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    params: dict[str, Any] = Field(default_factory=dict)
    source: Source
    timeframe: str = "1h"
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    has_market_rules: bool = Field(default=True, title="Round as the market does")
    terms: BacktestTerms = BacktestTerms()

    @field_validator("name")
    @classmethod
    def _trimmed(cls, name: str) -> str:
        return " ".join(name.split())

    @field_validator("timeframe")
    @classmethod
    def _known_timeframe(cls, timeframe: str) -> str:
        timeframe_s(timeframe)
        return timeframe

    @field_validator("terms")
    @classmethod
    def _roi_steps_rise(cls, terms: BacktestTerms) -> BacktestTerms:
        ages = [step.after_s for step in terms.exits.roi_steps]
        if ages != sorted(set(ages)):
            raise ValueError("ROI steps must be in order of age, each age once")
        return terms

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class Coverage(BaseModel):
    """The candles that a run uses of one symbol. Times are opens, in UTC.

    ``bars`` are those that are traded on, ``warmup_bars`` come before them. ``gaps`` and
    ``missing`` count candles that should be there; a market's usual nights, weekends and single
    days off are none. ``is_planned``: not read yet, but what was asked for.
    """

    model_config = ConfigDict(frozen=True)

    symbol: str
    source: str = Field(description="a file's name or a market's id")
    read_timeframe: str
    timeframe: str
    bars: int
    warmup_bars: int = 0
    fine_bars: int = 0
    first: UtcDatetime | None = None
    last: UtcDatetime | None = None
    gaps: int = 0
    missing: int = 0
    longest_gap_s: int = 0
    is_planned: bool = False


class BacktestRun(BaseModel):
    """A backtest as stored. ``metrics`` are JSON values by name, empty until it is done.

    ``candles_sha256`` and ``strategy_sha256`` tell whether what a rerun would use is still what
    this one used. ``progress`` is that of the stage, 0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    state: RunState = RunState.QUEUED
    stage: RunStage = RunStage.WAITING
    progress: float = 0.0
    request: BacktestRequest
    quote: str = ""
    coverage: tuple[Coverage, ...] = ()
    warnings: tuple[str, ...] = ()
    metrics: dict[str, Any] = Field(default_factory=dict)
    trade_count: int = 0
    error: str = ""
    error_field: str = ""
    engine_version: str = ""
    candles_sha256: str = ""
    strategy_sha256: str = ""
    rerun_of: str = Field(default="", description="the run that this one repeats")
    created_at: UtcDatetime
    started_at: UtcDatetime | None = None
    finished_at: UtcDatetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE_RUNS


def labels_of(source: FileSource | MarketSource) -> Sequence[str]:
    """What a person calls the parts of a source: files or symbols."""
    return source.files if isinstance(source, FileSource) else source.symbols
