"""Models and what they said: filters, rows, figures, a provider's state, dry runs."""

from decimal import Decimal
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from engine.contracts.base import Contract
from engine.domain.advice import (
    Advice,
    AdviceOutcome,
    AdvicePurpose,
    AdviceState,
    AiConfig,
    AiRole,
    Counsel,
    CounselVerdict,
    EntryProposal,
    ModelAction,
    ModelDecision,
    RiskLevel,
)
from engine.domain.advice_statistics import Accuracy, Calibration, ConfidenceBucket, Interval
from engine.domain.money import UtcDatetime
from engine.domain.positions import PositionSide

# With the words of the domain that the panel speaks too: it imports nothing else of the engine.
__all__ = [
    "Accuracy", "Advice", "AdviceFilter", "AdviceLine", "AdviceOutcome", "AdvicePage",
    "AdvicePurpose", "AdviceState", "AdviceView", "AiBudget", "AiConfig", "AiRole", "AiStatus",
    "AiSummary", "AiSummaryFilter", "Calibration", "ConfidenceBucket", "CostLine", "Costs",
    "Counsel", "CounselVerdict", "DryRunRequest", "DryRunView", "EntryProposal", "HeldBack",
    "Interval", "ModelAction", "ModelDecision", "RiskLevel",
]  # fmt: skip


class _Period(Contract):
    """``since`` is inclusive, ``until`` exclusive; both of when the model was asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bot: str | None = Field(default=None, max_length=64, description="a bot's id or name")
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None

    @model_validator(mode="after")
    def _since_before_until(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class AdviceFilter(_Period):
    """Which questions and answers; an empty field does not narrow. ``text`` is a case-insensitive
    part of answer, error, symbol or the bot's name."""

    state: AdviceState | None = None
    purpose: AdvicePurpose | None = None
    verdict: CounselVerdict | None = None
    action: ModelAction | None = None
    text: str = Field(default="", max_length=200)
    limit: int = Field(default=50, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=10_000_000)


class AdviceLine(Contract):
    """A question and what came of it, without prompt and answer. ``cost`` is in US dollars,
    ``verdict_reason`` why the entry was passed, reduced or held back."""

    id: str
    bot_id: str
    bot_name: str
    role: AiRole
    purpose: AdvicePurpose
    state: AdviceState
    model: str
    market: str
    symbol: str
    timeframe: str
    candle_time: UtcDatetime
    asked_at: UtcDatetime
    latency_s: float
    price: Decimal
    decision: ModelDecision | None
    verdict: CounselVerdict | None
    verdict_reason: str
    side: PositionSide | None = Field(description="of the entry that it judged")
    tokens: int
    cost: Decimal
    error: str
    outcome: AdviceOutcome | None
    outcome_due_at: UtcDatetime | None
    decision_id: str
    replay_of: str


class AdvicePage(Contract):
    """``GET /ai/advice``: newest first. ``count`` is how many match in all."""

    items: tuple[AdviceLine, ...]
    count: int


class AdviceView(Contract):
    """``GET /ai/advice/{id}``: one whole. ``quote`` is the asset of its amounts (empty: the
    market's instruments are not known now); ``replays`` are later answers to the same question."""

    advice: Advice
    quote: str = ""
    replays: tuple[AdviceLine, ...] = ()


class AiSummaryFilter(_Period):
    """Of which questions the figures are; replays and dry runs count for costs alone."""


class CostLine(Contract):
    """What was asked and paid, in US dollars, of one bot or one model."""

    name: str
    calls: int
    tokens_in: int
    tokens_out: int
    cost: Decimal


class Costs(Contract):
    """In US dollars, over all purposes; a day begins at midnight UTC, ``week`` and ``month`` are
    the last 7 and 30 times 24 hours. The three do not know ``since`` and ``until``; the lines do.
    """

    today: Decimal
    week: Decimal
    month: Decimal
    by_bot: tuple[CostLine, ...]
    by_model: tuple[CostLine, ...]


class HeldBack(Contract):
    """What holding entries back was worth, of one quote asset; ``bot_name`` empty: of all bots.

    ``value`` is what the entries that were vetoed (of reduced ones: the part that was not bought)
    would have made, in ``quote``, by the bots' own exits: a negative one is money that was saved.
    ``mean`` is that for one entry. ``waiting`` entries have not been judged yet, ``unknown`` ones
    cannot be (their candles are missing). ``passed_value`` is what the entries that were let
    through have made in ``passed`` closed trades.
    """

    quote: str
    bot_name: str = ""
    vetoed: int
    reduced: int
    waiting: int
    unknown: int
    value: Decimal
    mean: Decimal | None
    passed: int
    passed_value: Decimal


class AiBudget(Contract):
    """What may be asked and paid until midnight UTC."""

    budget_usd: Decimal
    used_usd: Decimal
    calls_per_day: int
    calls_today: int
    calls_per_minute: int


class AiStatus(Contract):
    """``GET /ai/status``. ``objection`` says why no model can be asked now and what to do; empty:
    one can. ``bots`` are the names of those that use a model."""

    provider: str
    model: str
    is_configured: bool
    objection: str = ""
    paused_until: UtcDatetime | None = None
    last_error: str = ""
    last_error_at: UtcDatetime | None = None
    last_answer_at: UtcDatetime | None = None
    budget: AiBudget
    bots: tuple[str, ...] = ()


class AiSummary(Contract):
    """``GET /ai/summary``. Latencies are of answers, in seconds."""

    now: UtcDatetime
    count: int
    states: dict[AdviceState, int]
    verdicts: dict[CounselVerdict, int]
    actions: dict[ModelAction, int]
    calibration: Calibration
    waiting: int = Field(description="answers whose horizon is not over")
    costs: Costs
    latency_p50_s: float | None
    latency_p99_s: float | None
    held_back: tuple[HeldBack, ...]
    held_back_by_bot: tuple[HeldBack, ...]
    status: AiStatus


class DryRunRequest(Contract):
    """Ask a model about a bot's real candles, and do nothing. ``ai`` stands in for what the bot
    has (it may have none). ``at`` looks at the last candle closed by then; None: the newest.
    ``side`` is the entry that an advisor is to judge where the strategy itself wants none there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bot: str = Field(min_length=1, max_length=64, description="a bot's id or name")
    ai: AiConfig | None = None
    at: UtcDatetime | None = None
    side: PositionSide = PositionSide.LONG


class DryRunView(Contract):
    """What was asked and answered, and what would have followed. ``advice`` has prompt, answer,
    decision, counsel, tokens and cost; ``wanted`` says what the bot's strategy wanted there, and
    whether the entry that was judged is only supposed."""

    advice: Advice
    wanted: str
    is_supposed: bool = False
    closed_at: UtcDatetime
    quote: str = ""
