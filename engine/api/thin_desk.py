"""What the short addresses need and no other part of the API has: candles of any market, what
models said last, alerts by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.contracts import Event
from engine.contracts.thin import AlertRequest, CandleData, CandleQuery, Prediction
from engine.domain.advice import Advice, AdvicePurpose
from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.money import from_epoch_ms
from engine.errors import ConfigError
from engine.ports import MarketData, Venues
from engine.services.books import Books
from engine.services.send_alert import SendAlert

LIVED_BY = (AdvicePurpose.DECIDE, AdvicePurpose.REVIEW)
AskFeed = Callable[[MarketData, str, str, int], Candles]


class ThinServices(Protocol):
    """What the API asks of it."""

    def candles(self, asked: CandleQuery) -> CandleData:
        """The newest closed candles. Raises NotFound, ConfigError, DataError."""
        ...

    def predictions(self, bot: str, limit: int) -> Sequence[Prediction]:
        """The newest ``limit`` of each bot that has a model, or of one alone. Raises NotFound."""
        ...

    def send_alert(self, request: AlertRequest, actor: str) -> Event:
        """Write one down. Raises NotFound."""
        ...


@dataclass(frozen=True)
class ThinDesk:
    """Implements ``ThinServices``. ``is_fed`` says whether bots live on these candles already:
    then nobody is asked twice for them."""

    books: Books
    venues: Venues
    alerts: SendAlert
    ask_feed: AskFeed
    is_fed: Callable[[str, str, str], bool]

    def candles(self, asked: CandleQuery) -> CandleData:
        """Of the feed that bots live on where there is one; else its market is asked."""
        if self.venues.is_stepped(asked.market):
            raise ConfigError(
                "A replay's candles belong to its bot: ask for /api/v1/bots/{id}/chart.",
                field="market",
            )
        market = self.venues.market(asked.market)
        offered = tuple(market.timeframes())
        if asked.timeframe not in offered:
            raise ConfigError(f"must be one of {', '.join(offered)}", field="timeframe")
        key = (asked.symbol, asked.timeframe)
        if self.is_fed(market.market_id, *key):
            candles = self.ask_feed(market, *key, asked.limit)
        else:
            candles = market.candles(*key, limit=asked.limit)
        return CandleData(
            market=asked.market,
            symbol=asked.symbol,
            timeframe=asked.timeframe,
            time=tuple(from_epoch_ms(int(opened)) for opened in candles.time),
            open=tuple(candles.open.tolist()),
            high=tuple(candles.high.tolist()),
            low=tuple(candles.low.tolist()),
            close=tuple(candles.close.tolist()),
            volume=tuple(candles.volume.tolist()),
        )

    def predictions(self, bot: str, limit: int) -> Sequence[Prediction]:
        """The newest first; trials of the prompt editor are none."""
        bots = [self.books.get_bot(bot)] if bot else self._advised()
        with self.books.store.reading() as tx:
            found = [
                one
                for each in bots
                for one in tx.advice.select(
                    bot_id=each.id, purpose=LIVED_BY, is_descending=True, limit=limit
                )
            ]
        found.sort(key=lambda one: one.asked_at, reverse=True)
        return [_prediction(one) for one in found]

    def send_alert(self, request: AlertRequest, actor: str) -> Event:
        """Recorded with who sent it."""
        return self.alerts.send(request.level, request.text, actor, request.bot)

    def _advised(self) -> Sequence[Bot]:
        return [bot for bot in list(self.books.bots.values()) if bot.config.ai is not None]


def _prediction(advice: Advice) -> Prediction:
    said = advice.decision
    return Prediction(
        **advice.model_dump(include={
            "bot_id", "bot_name", "role", "state", "provider", "model", "market", "symbol",
            "timeframe", "price",
        }),
        time=advice.asked_at,
        action=said.action if said else None,
        confidence=said.confidence if said else None,
        risk_level=said.risk_level if said else None,
        horizon_minutes=said.horizon_minutes if said else None,
        reasoning=said.reasoning if said else "",
    )  # fmt: skip
