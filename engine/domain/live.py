"""What the live stream tells: prices, and what was just committed to the books."""

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from engine.domain.bots import Bot, BotState, Desired
from engine.domain.money import UtcDatetime


class LiveKind(StrEnum):
    """What a message is about. ``price``: ``PriceTick``; ``bot``: ``BotChange``; the others are
    the record itself: ``Fill``, ``Order``, ``Position``, ``Decision`` (but no plain HOLD),
    ``Event`` (but none of level debug)."""

    PRICE = "price"
    FILL = "fill"
    ORDER = "order"
    POSITION = "position"
    BOT = "bot"
    DECISION = "decision"
    EVENT = "event"


class PriceTick(BaseModel):
    """The last price of a symbol."""

    model_config = ConfigDict(frozen=True)

    market: str
    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    time: UtcDatetime


class BotChange(BaseModel):
    """What a bot is doing now, and what it has made."""

    model_config = ConfigDict(frozen=True)

    bot_id: str
    name: str
    state: BotState
    desired: Desired
    reason: str
    realised_pnl: Decimal
    trade_count: int
    is_deleted: bool = False

    @classmethod
    def of(cls, bot: Bot) -> "BotChange":
        """As it stands."""
        return cls(
            bot_id=bot.id, name=bot.config.name, state=bot.state, desired=bot.desired,
            reason=bot.reason, realised_pnl=bot.realised_pnl, trade_count=bot.trade_count,
        )  # fmt: skip


@dataclass(frozen=True)
class LiveMessage:
    """One message. ``number`` counts up from 1 over all that last; a price has none: the next one
    makes it worthless."""

    kind: LiveKind
    data: BaseModel
    number: int = 0
    bot_id: str = ""
    market: str = ""
    symbol: str = ""


@dataclass(frozen=True)
class LiveFilter:
    """Which messages; what is empty does not narrow. ``places`` are the markets and symbols of
    the ``bots``: the prices that matter to them."""

    kinds: Collection[LiveKind] = ()
    bots: Collection[str] = ()
    symbols: Collection[str] = ()
    places: Collection[tuple[str, str]] = field(default=())

    def wants(self, message: LiveMessage) -> bool:
        """Whether it passes. What is about no bot passes no filter of bots, but prices do."""
        if self.kinds and message.kind not in self.kinds:
            return False
        if self.symbols and message.symbol not in self.symbols:
            return False
        if not self.bots or message.bot_id in self.bots:
            return True
        is_price = message.kind is LiveKind.PRICE and not message.bot_id
        return is_price and (message.market, message.symbol) in self.places
