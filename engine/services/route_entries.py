"""Routing of entries: venues are asked side by side, weighed, and the flat bot goes to the best.

Exits are never routed and never wait for this: a position is closed where it is held.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from statistics import median

from engine.domain.bots import WORKING_STATES, Bot, BotState
from engine.domain.instruments import Depth, Instrument
from engine.domain.ledger import entry_side
from engine.domain.positions import PositionSide
from engine.domain.records import Level
from engine.domain.routes import Place, RoutePlan
from engine.domain.routing import Offer, match_instrument, plan_route
from engine.domain.sizing import stake
from engine.errors import DataError, NotFound, QuarterdeckError
from engine.ports import DepthMarket, MarketData, Venues
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.lanes import Lanes, account_lane
from engine.services.places import choices_of, is_mobile
from engine.services.venue_links import VenueLinks

log = logging.getLogger("quarterdeck.routing")

DEADLINE_S = 2.0
"""How long venues are waited for; a decision is not kept longer for the slowest of them."""

DEPTH_LEVELS = 20
LATENCIES = 21
"""Answers of a market over which its latency is the median."""


Question = tuple[str, str, str, str]
"""Market, account, base and quote: what an answer depends on."""


class EntryRouter:
    """Plans where an entry goes, and moves the bot there; used on the event loop."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        controls: Controls,
        links: VenueLinks,
        lanes: Lanes,
        is_checked: Callable[[str], bool],
        free_cash: Callable[[str, str], Decimal | None],
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._books = books
        self._venues = venues
        self._controls = controls
        self._links = links
        self._lanes = lanes
        self._is_checked = is_checked
        self._free_cash = free_cash
        self._deadline_s = deadline_s
        self._latencies: dict[str, deque[float]] = {}
        self._asking: dict[Question, asyncio.Task[Offer]] = {}
        self._began_s: dict[Question, float] = {}

    def is_wanted(self, bot: Bot) -> bool:
        """Whether an entry of the bot may choose its account now, or has to go home: it takes
        entries, moves, and is flat."""
        return is_mobile(bot) and bot.state is BotState.RUNNING and self._is_flat(bot.id)

    async def settle(self, bot: Bot, side: PositionSide, size: float) -> RoutePlan | None:
        """Have a flat bot that has a choice of accounts go to the best for an entry of ``size`` of
        its stake; why it went there. Raises like ``plan``."""
        if not self.is_wanted(bot):
            return None
        lane = account_lane(bot.account_id)
        if bot.config.routing is None:
            await self._lanes.run(lane, self.go_home, bot.id)
            return None
        plan = await self.plan(bot, side, stake(bot, size))
        return plan if await self._lanes.run(lane, self.move, bot.id, plan) else None

    def _is_flat(self, bot_id: str) -> bool:
        return bot_id not in self._books.positions and not self._books.working.get(bot_id)

    # --- weighing -------------------------------------------------------------------------------

    async def plan(self, bot: Bot, side: PositionSide, amount: Decimal) -> RoutePlan:
        """Ask every venue at once and weigh what came in time. Raises NotFound when the rules of
        the bot's own instrument were never kept."""
        routing = bot.config.routing
        if routing is None:
            raise ValueError(f"bot {bot.id} has no routing")
        home_id = self._venues.account_of(bot.config.market, bot.id)
        wanted = self._own_instrument(bot)
        offers: list[Offer] = []
        questions: list[tuple[Offer, asyncio.Task[Offer]]] = []
        choices = choices_of(bot, self._venues)
        for market_id in routing.markets:
            if market_id not in choices.values():
                offers.append(Offer(market_id, "", trouble="there is no such market any more"))
        for account_id, market_id in choices.items():
            blank = Offer(market_id, account_id, account_id == home_id)
            trouble = self._trouble(bot, account_id, home_id) or self._delay(market_id)
            if trouble:
                offers.append(replace(blank, trouble=trouble))
            else:
                questions.append((blank, self._question(blank, wanted)))
        if questions:
            await asyncio.wait([task for _, task in questions], timeout=self._deadline_s)
        offers += [self._answer(task, blank) for blank, task in questions]
        return plan_route(entry_side(side), amount, offers, routing, self._books.clock.now())

    def _delay(self, market_id: str) -> str:
        """Why no question is put to a market now: it owes the answer to one, for too long."""
        now = self._books.clock.monotonic()
        owed = [began_s for key, began_s in self._began_s.items() if key[0] == market_id]
        is_late = any(now - began_s >= self._deadline_s for began_s in owed)
        return "it has not answered an earlier question yet" if is_late else ""

    def _question(self, blank: Offer, wanted: Instrument) -> "asyncio.Task[Offer]":
        """A question under way, or one that begins now: bots that ask the same share the answer."""
        key = (blank.market, blank.account_id, wanted.base, wanted.quote)
        task = self._asking.get(key)
        if task is None:
            ask = self._lanes.run(f"route:{blank.market}", self._ask, blank, wanted)
            self._asking[key] = task = asyncio.create_task(ask)
            self._began_s[key] = self._books.clock.monotonic()
            task.add_done_callback(lambda done: self._answered(key, done))
        return task

    def _answered(self, key: Question, task: "asyncio.Task[Offer]") -> None:
        """A late answer is nobody's any more, and neither is its error."""
        self._asking.pop(key, None)
        self._began_s.pop(key, None)
        if not task.cancelled():
            task.exception()

    def _answer(self, task: "asyncio.Task[Offer]", blank: Offer) -> Offer:
        if not task.done():
            return replace(blank, trouble=f"it did not answer within {self._deadline_s:g} s")
        error = task.exception()
        if error is None:
            return replace(task.result(), is_home=blank.is_home)
        if isinstance(error, QuarterdeckError):
            return replace(blank, trouble=error.message)
        log.error("%s could not be asked", blank.market, exc_info=error)
        return replace(blank, trouble=f"it could not be asked: {type(error).__name__}")

    def _trouble(self, bot: Bot, account_id: str, home_id: str) -> str:
        """Why an account takes no entries now, whatever its prices are."""
        if account_id.partition(":")[0] != home_id.partition(":")[0]:
            return "it moves another kind of money than the bot's own account"
        if not self._is_checked(account_id):
            return "the account has not been reconciled yet"
        return (
            self._books.account_objection(account_id)
            or self._controls.objection(
                account_id=account_id, bot_id=bot.id, symbol=bot.config.symbol
            )
            or self._links.trouble(account_id)
        )

    def _own_instrument(self, bot: Bot) -> Instrument:
        with self._books.store.reading() as tx:
            found = tx.find_instrument(bot.config.market, bot.config.symbol)
        if found is None:
            raise NotFound(f"The rules of {bot.config.symbol} were never kept.")
        return found

    # --- asking: on a lane of the market's routing alone ------------------------------------------

    def _ask(self, blank: Offer, wanted: Instrument) -> Offer:
        """One venue's offer. Raises DataError, NotFound, BrokerError."""
        market = self._venues.market(blank.market)
        instrument = match_instrument(wanted, market.instruments())
        if instrument is None:
            trouble = f"it does not list {wanted.base} in {wanted.quote}"
            return replace(blank, trouble=trouble)
        broker = self._venues.broker(blank.account_id, market)
        clock, began_s = self._books.clock, self._books.clock.monotonic()
        depth = _depth(market, instrument.symbol)
        if depth is not None:
            bid, ask, told_at = _best(depth.bids), _best(depth.asks), depth.time
        else:
            quote = market.quote(instrument.symbol)
            bid, ask, told_at = quote.bid, quote.ask, quote.time
        latency_s = clock.monotonic() - began_s
        return Offer(
            market=blank.market, account_id=blank.account_id, is_home=blank.is_home,
            instrument=instrument, bid=bid, ask=ask, depth=depth,
            fee_bps=broker.capabilities.fee_bps, can_short=broker.capabilities.has_shorting,
            latency_ms=self._latency_ms(blank.market, latency_s), age_s=_age_s(market, told_at),
            free=self._free_cash(blank.account_id, instrument.quote),
        )  # fmt: skip

    def _latency_ms(self, market_id: str, latency_s: float) -> float:
        """The median over the market's last answers, this one among them."""
        known = self._latencies.setdefault(market_id, deque(maxlen=LATENCIES))
        known.append(latency_s * 1000)
        return round(median(known), 3)

    # --- moving: on the lane of the account that is left ------------------------------------------

    def move(self, bot_id: str, plan: RoutePlan) -> bool:
        """Have a flat bot trade at the chosen place from now on; False when it is not flat any
        more, or at work no more. In one transaction, kept over restarts."""
        best = plan.best
        if best.is_home:
            return self._go(bot_id, None, best.account_id, plan.reason)
        place = Place(market=best.market, symbol=best.symbol)
        return self._go(bot_id, place, best.account_id, plan.reason)

    def go_home(self, bot_id: str) -> bool:
        """The same for a bot whose routing was turned off while it held a position elsewhere."""
        bot = self._books.get_bot(bot_id)
        home_id = self._venues.account_of(bot.config.market, bot_id)
        return self._go(bot_id, None, home_id, "its routing is off")

    def _go(self, bot_id: str, place: Place | None, account_id: str, why: str) -> bool:
        bot = self._books.bots.get(bot_id)
        if bot is None or bot.state not in WORKING_STATES:
            return False
        if bot.account_id == account_id:
            return True
        if not self._is_checked(account_id):
            self._books.unchecked.add(account_id)  # nothing enters there before it is
        instrument = place and self._venues.market(place.market).instrument(place.symbol)
        with self._books.writing() as writing:
            if not self._is_flat(bot_id) or writing.bot(bot_id).config != bot.config:
                return False
            if place and instrument:
                writing.tx.put_instrument(place.market, instrument)
            writing.save_bot(bot_id, place=place, account_id=account_id)
            writing.event(Level.INFO, "bot.routed", f"Its next entry goes to {account_id}: {why}.",
                          bot_id)  # fmt: skip
        return True


def _depth(market: MarketData, symbol: str) -> Depth | None:
    """The order book; None where there is none, or it cannot be read: then the best prices do."""
    if not isinstance(market, DepthMarket):
        return None
    try:
        return market.depth(symbol, DEPTH_LEVELS)
    except DataError as error:
        log.info("no order book of %s on %s: %s", symbol, market.market_id, error)
        return None


def _best(levels: tuple[tuple[Decimal, Decimal], ...]) -> Decimal | None:
    return levels[0][0] if levels else None


def _age_s(market: MarketData, told_at: datetime) -> float:
    return max((market.now() - told_at).total_seconds(), 0.0)
