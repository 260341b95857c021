"""Dry runs: a model is asked about a bot's real candles, and nothing follows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.contracts.ai import DryRunRequest
from engine.domain.advice import AiConfig, AiRole, EntryProposal, Situation
from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.cycle import choose_action, entry_of
from engine.domain.decisions import Intent
from engine.domain.money import exact
from engine.domain.positions import PositionSide
from engine.domain.sizing import stake
from engine.errors import ConfigError
from engine.ports import MarketData, StrategyHost, Venues
from engine.services.books import Books
from engine.services.situations import Situations, propose

Ask = Callable[[MarketData, str, str, int], Candles]
"""The newest closed candles of a market's symbol and timeframe, from the feed that bots share."""


OLDEST = timedelta(days=3650)
"""Markets are not asked about times before all of them."""


@dataclass(frozen=True)
class Rehearsal:
    """What a model would be asked. ``proposal`` is the entry that an advisor is to judge;
    ``is_supposed``: the strategy wants none there."""

    situation: Situation
    proposal: EntryProposal | None
    wanted: str
    is_supposed: bool
    closed_at: datetime


@dataclass(frozen=True)
class DryRuns:
    """Rehearses questions; blocking, for the API's threads."""

    books: Books
    venues: Venues
    host: StrategyHost
    situations: Situations
    ask_feed: Ask

    def rehearse(self, request: DryRunRequest) -> Rehearsal:
        """Raises NotFound, ConfigError naming the field, DataError, StrategyError."""
        bot, ai = self._bot(request)
        config = bot.config
        market = self.venues.market(config.market, bot.id)
        history = self.host.history(config.strategy, config.params)
        candles = self._candles(request, bot, market, max(history, ai.candle_count))
        seen = candles[slice(-history, None)]
        intent = self.host.decide(config.strategy, config.params, seen)
        situation = self.situations.of(bot, candles, intent.values, "")
        if request.at is not None:
            situation = _as_of_then(situation)
        side = entry_of(choose_action(intent, config.direction, None), None)
        proposal = None
        if ai.role is AiRole.ADVISOR:
            amount = stake(bot, intent.size)
            proposal = propose(bot, situation, side or request.side, amount, intent.reason)
        return Rehearsal(
            situation=situation,
            proposal=proposal,
            wanted=_words(intent, side),
            is_supposed=proposal is not None and side is None,
            closed_at=candles.last_close_time,
        )

    def _bot(self, request: DryRunRequest) -> tuple[Bot, AiConfig]:
        """The bot with the model's settings that are tried."""
        bot = self.books.get_bot(request.bot)
        ai = request.ai or bot.config.ai
        if ai is None:
            raise ConfigError("The bot has no model: say with which settings to ask.", field="ai")
        if self.venues.is_stepped(bot.config.market):
            raise ConfigError(
                "Replays ask no model: choose a bot on a market whose time goes by itself.",
                field="bot",
            )
        return bot.model_copy(update={"config": bot.config.model_copy(update={"ai": ai})}), ai

    def _candles(self, request: DryRunRequest, bot: Bot, market: MarketData, limit: int) -> Candles:
        config = bot.config
        if request.at is None:
            return self.ask_feed(market, config.symbol, config.timeframe, limit)
        if request.at > market.now():
            raise ConfigError("This time has not come yet.", field="at")
        if market.now() - request.at > OLDEST:
            raise ConfigError("This time is too long ago: choose one of the last years.",
                              field="at")  # fmt: skip
        candles = market.candles(config.symbol, config.timeframe, limit=limit, before=request.at)
        if not len(candles):
            raise ConfigError("The market has no candles from before this time.", field="at")
        return candles


def _as_of_then(situation: Situation) -> Situation:
    """The situation as it was when its newest candle closed: flat, at that close, without what was
    published later."""
    closed_at = situation.candles.last_close_time
    return replace(
        situation,
        now=closed_at,
        last_price=exact(float(situation.candles.close[-1])),
        position=None,
        news=tuple(one for one in situation.news if one.published_at <= closed_at),
    )


def _words(intent: Intent, side: PositionSide | None) -> str:
    """What the bot's strategy wanted there."""
    why = f" ({intent.reason})" if intent.reason else ""
    if side is not None:
        return f"to go {side.value}{why}"
    return f"an exit{why}" if intent.exit_long or intent.exit_short else f"nothing{why}"
