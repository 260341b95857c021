"""Sleep: the one place that says of each bot whether it sleeps, until when, and why.

Asked every second for every bot, so everything here is read from memory; ``learn`` has looked it
up before, when the bot was started.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from engine.domain.bots import Bot, BotState, Desired, Overnight
from engine.domain.sessions import Timetable
from engine.domain.sleep import Rest, find_rest
from engine.ports import MarketData
from engine.services.books import Books
from engine.services.market_hours import MarketHours


class SleepKeeper:
    """Sleep goes by the market's own time once that is known, and by the machine's before."""

    def __init__(
        self,
        books: Books,
        hours: MarketHours,
        is_stepped: Callable[[str], bool] = lambda _market_id: False,
    ) -> None:
        self._books = books
        self._hours = hours
        self._is_stepped = is_stepped
        self._markets: dict[str, MarketData] = {}

    def learn(self, bot: Bot, market: MarketData) -> None:
        """Look up a bot's market hours, on its lane. Raises NotFound, DataError."""
        if not self._is_stepped(market.market_id):
            self._hours.learn(market, bot.symbol)
            self._markets[bot.market] = market

    def now(self, bot: Bot) -> datetime:
        """The time that a bot's sleep goes by."""
        market = self._markets.get(bot.market)
        return market.now() if market is not None else self._books.clock.now()

    def timetable(self, bot: Bot) -> Timetable:
        """The hours of a bot's market."""
        return self._hours.find(bot.market, bot.symbol)

    def rest(self, bot: Bot) -> Rest | None:
        """The sleep a bot should be in now, or None. Replays are played through at any hour."""
        if self._is_stepped(bot.market):
            return None
        return find_rest(bot.config, self.timetable(bot), self.now(bot))

    def is_market_open(self, bot: Bot) -> bool:
        """Whether anything trades now; a bot that does not follow its market takes it for open."""
        return not bot.config.follow_market or self.timetable(bot).is_open(self.now(bot))

    def may_decide(self, bot: Bot) -> bool:
        """Whether a bot's candles are looked at. Asleep, only the exit of a position that can be
        traded; of a paused bot nothing either while its market is closed."""
        if not self.is_market_open(bot):
            return False
        return bot.state is not BotState.SLEEPING or bot.id in self._books.positions

    def has_to_close(self, bot: Bot) -> bool:
        """Whether a sleeping bot holds what it is not to hold overnight, and can sell it."""
        return (
            bot.config.overnight is Overnight.CLOSE
            and bot.state is BotState.SLEEPING
            and bot.id in self._books.positions
            and self.is_market_open(bot)
        )

    def is_waking(self, bot: Bot) -> Rest | None:
        """A sleeping bot's rest, once it ends within the lead."""
        if bot.state is not BotState.SLEEPING or bot.desired is not Desired.RUNNING:
            return None
        rest = self.rest(bot)
        if rest is None or rest.until is None:
            return None
        lead = timedelta(minutes=bot.config.wake_lead_min)
        return rest if rest.until - self.now(bot) <= lead else None
