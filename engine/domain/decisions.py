"""What was decided on a candle, by whom, and why."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime


class Action(StrEnum):
    """The outcome of one cycle."""

    HOLD = "hold"
    ENTER_LONG = "enter_long"
    ENTER_SHORT = "enter_short"
    EXIT = "exit"
    REVERSE = "reverse"


class Verdict(StrEnum):
    """What one step of the cycle said."""

    PASS = "pass"
    HOLD = "hold"
    VETO = "veto"
    ERROR = "error"


class TraceStep(BaseModel):
    """One step of the decision trace: candles, strategy, advisors, risk gate, order desk."""

    model_config = ConfigDict(frozen=True)

    step: str
    verdict: Verdict
    detail: str
    values: dict[str, Any] = Field(default_factory=dict)


class Decision(BaseModel):
    """One decided candle of one bot; there is never a second for the same candle."""

    model_config = ConfigDict(frozen=True)

    id: str
    bot_id: str
    candle_time: UtcDatetime = Field(description="the candle's open")
    decided_at: UtcDatetime
    action: Action
    reason: str
    price: float = Field(description="the candle's close")
    confidence: float = Field(ge=0, le=1)
    trace: tuple[TraceStep, ...] = ()


class Intent(BaseModel):
    """What a strategy wants on the newest candle. ``size`` is the fraction of the bot's stake."""

    model_config = ConfigDict(frozen=True)

    enter_long: bool = False
    exit_long: bool = False
    enter_short: bool = False
    exit_short: bool = False
    confidence: float = Field(default=1.0, ge=0, le=1)
    size: float = Field(default=1.0, gt=0, le=1)
    reason: str = ""
    values: dict[str, float | None] = Field(
        default_factory=dict, description="the plotted series' newest values; None while warming up"
    )

    @property
    def wants_something(self) -> bool:
        """Whether there is any signal; without one nothing can follow."""
        return self.enter_long or self.exit_long or self.enter_short or self.exit_short
