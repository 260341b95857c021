"""What the short addresses take and give, where the long ones have no type for it."""

from decimal import Decimal

from pydantic import ConfigDict, Field

from engine.contracts import BotView, Decision, Order, Trade
from engine.contracts.base import Contract
from engine.domain.advice import AdviceState, AiRole, ModelAction, RiskLevel
from engine.domain.money import UtcDatetime
from engine.domain.records import Level

__all__ = [
    "AdviceState", "AiRole", "AlertRequest", "BotDetails", "CandleData", "CandleQuery",
    "ModelAction", "PlatformView", "Prediction", "RiskLevel", "SwitchRequest",
]  # fmt: skip


class CandleQuery(Contract):
    """Which candles: the newest ``limit`` closed ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    market: str = Field(default="simulated", min_length=1, max_length=500)
    symbol: str = Field(min_length=1, max_length=40)
    timeframe: str = Field(default="15m", min_length=1, max_length=10)
    limit: int = Field(default=300, ge=1, le=5_000)


class CandleData(Contract):
    """Candles as columns, oldest first; ``time`` is each one's open."""

    market: str
    symbol: str
    timeframe: str
    time: tuple[UtcDatetime, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    volume: tuple[float, ...]


class PlatformView(Contract):
    """A market that bots trade on, with what it is now.

    ``status``: ``ready``, ``halted`` (its account takes no entries), ``disabled`` (an added
    account that is not enabled) or ``error``; ``detail`` says why. ``bots`` are the names of those
    that are on it.
    """

    id: str
    title: str
    description: str
    mode: str
    status: str
    detail: str = ""
    account: str = ""
    venue: str = ""
    timeframes: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()


class SwitchRequest(Contract):
    """Move a stopped, flat bot to another market, and with it to that market's account.

    ``symbol`` where the other market calls it differently; ``confirm_name``: the bot's name, typed,
    where it would trade real money.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bot: str = Field(min_length=1, max_length=64, description="its id or name")
    market: str = Field(min_length=1, max_length=500)
    symbol: str = Field(default="", max_length=40)
    confirm_name: str = Field(default="", max_length=60)


class Prediction(Contract):
    """What a model said about a bot's symbol. ``action`` and what follows are None where it did
    not answer as asked; ``state`` says how."""

    bot_id: str
    bot_name: str
    role: AiRole
    state: AdviceState
    provider: str
    model: str
    market: str
    symbol: str
    timeframe: str
    time: UtcDatetime
    price: Decimal
    action: ModelAction | None = None
    confidence: float | None = None
    risk_level: RiskLevel | None = None
    horizon_minutes: int | None = None
    reasoning: str = ""


class BotDetails(Contract):
    """A bot with the newest of what it did."""

    bot: BotView
    orders: tuple[Order, ...]
    trades: tuple[Trade, ...]
    decisions: tuple[Decision, ...]


class AlertRequest(Contract):
    """An alert that is written down and told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1, max_length=1_000, pattern=r"\S")
    level: Level = Level.INFO
    bot: str = Field(default="", max_length=64, description="a bot's id or name")
