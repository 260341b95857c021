"""What a model is asked about a bot, what it may answer, and what may follow from that.

A model is an outsider: its answer is checked against ``ModelDecision``, and all that it can do to
an entry is hold it back, make it smaller or put levels to it. It is never asked before an exit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.decisions import Intent, TraceStep, Verdict
from engine.domain.instruments import Instrument
from engine.domain.money import ZERO, UtcDatetime
from engine.domain.news import NewsItem
from engine.domain.positions import Position, PositionSide

if TYPE_CHECKING:
    from engine.domain.candles import Candles  # its numpy is slow to load, and bots know advice

ADVICE_STEP = "advisor"

ADVISED = "advised"
"""The reason of an entry whose levels are a model's: its stop holds only where it is nearer than
the bot's own at the price that was paid."""


class AiRole(StrEnum):
    """What a model is to a bot.

    ``decider``: it alone opens positions, and may close them; the strategy's numbers are shown to
    it, and its exits hold all the same. ``advisor``: it judges the entries that the strategy or a
    signal wants.
    """

    DECIDER = "decider"
    ADVISOR = "advisor"


class AiConfig(BaseModel):
    """How a bot uses a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: AiRole = Field(default=AiRole.ADVISOR, title="Role")
    model: str = Field(
        default="", max_length=100, title="Model", description="empty: the one of the settings"
    )
    min_confidence: float = Field(
        default=0.7, ge=0, le=1, title="Confidence threshold",
        description="an answer that is less sure opens nothing",
    )  # fmt: skip
    deadline_s: float = Field(
        default=20.0, gt=0, le=120, title="Deadline (seconds)",
        description="an answer that comes later opens nothing",
    )  # fmt: skip
    ask_every_s: int = Field(
        default=0, ge=0, le=86_400, title="Ask at most every (seconds)",
        description="a decider's; 0: on every closed candle",
    )  # fmt: skip
    candle_count: int = Field(
        default=60, ge=5, le=500, title="Candles shown", description="the newest ones"
    )
    has_news: bool = Field(default=True, title="Show news")
    may_set_levels: bool = Field(
        default=True, title="May set levels",
        description="a stop nearer than the bot's own, and a target",
    )  # fmt: skip
    instructions: str = Field(
        default="", max_length=4_000, title="Instructions",
        description="yours to the model, in addition to what it is told anyway",
    )  # fmt: skip


class ModelAction(StrEnum):
    """What a model may want."""

    BUY = "buy"
    SELL = "sell"
    CLOSE = "close"
    HOLD = "hold"


class RiskLevel(StrEnum):
    """How risky a model finds it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ModelDecision(BaseModel):
    """The one form of an answer; anything else is invalid and counts as HOLD.

    ``size`` is a fraction of what would be used without it. ``stop`` and ``target`` are prices,
    ``horizon_minutes`` is how far ahead the model looks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    action: ModelAction
    confidence: float = Field(ge=0, le=1)
    reasoning: str = Field(min_length=1, max_length=2_000)
    risk_level: RiskLevel
    stop: Decimal | None = Field(default=None, gt=0, max_digits=24)
    target: Decimal | None = Field(default=None, gt=0, max_digits=24)
    size: float = Field(default=1.0, gt=0, le=1)
    horizon_minutes: int = Field(default=60, ge=1, le=525_600)


class EntryProposal(BaseModel):
    """An entry that a strategy or a signal wants and an advisor is to judge. ``amount`` is in
    quote, ``price`` the last one; the levels are those that the position would have without it."""

    model_config = ConfigDict(frozen=True)

    side: PositionSide
    amount: Decimal
    price: Decimal
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True)
class Situation:
    """Everything that a model is told. ``values`` are the strategy's newest plotted series;
    ``decision_id`` is that of the decision which the answer becomes a part of; ``stop_loss`` and
    ``take_profit`` are the bot's own, as fractions of the entry price."""

    bot_id: str
    bot_name: str
    ai: AiConfig
    market: str
    instrument: Instrument
    candles: "Candles"
    values: Mapping[str, float | None]
    position: Position | None
    last_price: Decimal
    now: UtcDatetime
    decision_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    can_short: bool = False
    news: tuple[NewsItem, ...] = ()


class CounselVerdict(StrEnum):
    """What became of an entry."""

    PASS = "pass"  # noqa: S105
    REDUCE = "reduce"
    VETO = "veto"


class Counsel(BaseModel):
    """What was made of an answer about an entry. ``size`` multiplies the entry's own; it never
    exceeds 1. The levels are already checked: on their side of the price, the stop no further
    away than the bot's own."""

    model_config = ConfigDict(frozen=True)

    verdict: CounselVerdict
    reason: str
    advice_id: str = ""
    confidence: float | None = None
    size: float = Field(default=1.0, gt=0, le=1)
    stop_price: Decimal | None = None
    target_price: Decimal | None = None

    @property
    def has_levels(self) -> bool:
        """Whether the position's levels are the model's."""
        return self.stop_price is not None or self.target_price is not None

    @property
    def step(self) -> TraceStep:
        """The same as a step of the decision trace."""
        is_veto = self.verdict is CounselVerdict.VETO
        values = self.model_dump(mode="json", exclude={"reason", "verdict"}, exclude_none=True)
        return TraceStep(
            step=ADVICE_STEP,
            verdict=Verdict.VETO if is_veto else Verdict.PASS,
            detail=self.reason,
            values=values | {"verdict": self.verdict.value},
        )


@dataclass(frozen=True)
class Choice:
    """What a decider wants, as a strategy's intent, with the counsel that limits it."""

    intent: Intent
    counsel: Counsel


class AdvicePurpose(StrEnum):
    """Why a model was asked."""

    DECIDE = "decide"
    REVIEW = "review"
    DRY_RUN = "dry_run"
    REPLAY = "replay"


class AdviceState(StrEnum):
    """What came of asking; all but ``answered`` open nothing."""

    ANSWERED = "answered"
    INVALID = "invalid"
    LATE = "late"
    OVER_BUDGET = "over_budget"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


class AdviceOutcome(BaseModel):
    """What happened afterwards. ``move`` is the price's fraction over the horizon, in the
    direction of the answer (or of the entry it judged); ``value`` what the entry made, or would
    have made had it not been held back, in quote, by the bot's own exits."""

    model_config = ConfigDict(frozen=True)

    move: float | None = None
    is_right: bool | None = None
    value: Decimal | None = None
    is_hypothetical: bool = False
    detail: str = ""


class Advice(BaseModel):
    """One question to a model with all that came of it: kept, and replayable."""

    model_config = ConfigDict(frozen=True)

    id: str
    bot_id: str
    bot_name: str
    role: AiRole
    purpose: AdvicePurpose
    state: AdviceState
    provider: str
    model: str
    market: str
    symbol: str
    timeframe: str
    candle_time: UtcDatetime = Field(description="the newest candle's open")
    asked_at: UtcDatetime
    latency_s: float = 0.0
    price: Decimal
    system: str = ""
    prompt: str
    answer: str = ""
    error: str = ""
    decision: ModelDecision | None = None
    counsel: Counsel | None = None
    proposal: EntryProposal | None = None
    decision_id: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = Field(default=ZERO, description="in US dollars, by the prices of the settings")
    replay_of: str = ""
    outcome: AdviceOutcome | None = None
    outcome_due_at: UtcDatetime | None = Field(
        default=None, description="when its horizon is over; None: it is known, or there is none"
    )
    facts: dict[str, Any] = Field(default_factory=dict)

    @property
    def action(self) -> str:
        """What the model wants; empty without an answer."""
        return self.decision.action.value if self.decision else ""

    @property
    def verdict(self) -> str:
        """What became of the entry; empty where none was judged."""
        return self.counsel.verdict.value if self.counsel else ""
