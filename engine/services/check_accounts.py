"""When accounts are checked: after a reconnect, regularly, soon again where it failed."""

import asyncio
import logging

from engine.domain.accounts import HOUSE
from engine.domain.bots import Bot
from engine.domain.orders import OrderState
from engine.errors import QuarterdeckError
from engine.ports import Venues
from engine.services.books import Books
from engine.services.lanes import Lanes, account_lane
from engine.services.places import routed_accounts
from engine.services.reconcile import RETRY_S, Reconciler
from engine.services.supervise import is_active
from engine.services.venue_links import VenueLinks

log = logging.getLogger("quarterdeck.reconcile")


class AccountChecks:
    """Begins a check of each account that is due; used on the event loop. Replays are checked at
    their start only: their time stands still in between."""

    def __init__(
        self,
        books: Books,
        reconciler: Reconciler,
        venues: Venues,
        lanes: Lanes,
        links: VenueLinks,
        every_s: float,
    ) -> None:
        self._books = books
        self._reconciler = reconciler
        self._venues = venues
        self._lanes = lanes
        self._links = links
        self._every_s = every_s
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wanted: set[str] = set()

    async def begin_due(self) -> None:
        """Begin what is due; an account that is still being checked is passed over."""
        self._wanted |= self._links.take_reconnected()
        for account_id, (market_id, bot) in self._accounts().items():
            trigger = self._trigger(account_id)
            if trigger is not None and account_id not in self._running:
                self._wanted.discard(account_id)
                task = asyncio.create_task(self._check(account_id, market_id, bot, trigger))
                self._running[account_id] = task

    async def finish(self, timeout_s: float) -> None:
        """Wait for the checks that are under way; those that take too long are cancelled."""
        if self._running:
            _, late = await asyncio.wait(list(self._running.values()), timeout=timeout_s)
            for task in late:
                task.cancel()

    def _accounts(self) -> dict[str, tuple[str, Bot]]:
        """Accounts on which something may happen, each with its market and a bot of it."""
        busy = set(self._books.positions) | {
            bot_id for bot_id, orders in list(self._books.working.items()) if orders
        }
        unsettled = {
            order.account_id
            for order in list(self._books.working.get(HOUSE, {}).values())
            if order.state is not OrderState.EXTERNAL
        }
        routed = {
            account_id: (market_id, bot)
            for account_id, (market_id, bot) in routed_accounts(self._books, self._venues).items()
            if account_id in unsettled or is_active(bot)
        }
        return routed | {
            bot.account_id: (bot.market, bot)
            for bot in list(self._books.bots.values())
            if (bot.id in busy or bot.account_id in unsettled or is_active(bot))
            and not self._venues.is_stepped(bot.market)
        }

    def _trigger(self, account_id: str) -> str | None:
        """Why an account is due, or None."""
        age_s = self._reconciler.age_s(account_id)
        if account_id in self._wanted:
            return "reconnect"
        if age_s is None:
            return "start"
        is_failed = not self._reconciler.is_checked(account_id) or self._reconciler.has_failed(
            account_id
        )
        if age_s >= (min(RETRY_S, self._every_s) if is_failed else self._every_s):
            return "again" if is_failed else "regular"
        return None

    async def _check(self, account_id: str, market_id: str, bot: Bot, trigger: str) -> None:
        try:
            await self._lanes.run(
                account_lane(account_id), self._on_lane, account_id, market_id, bot, trigger
            )
        except QuarterdeckError as error:
            log.error("%s was not checked: %s", account_id, error)
        except Exception:
            log.exception("%s was not checked", account_id)
        finally:
            self._running.pop(account_id, None)

    def _on_lane(self, account_id: str, market_id: str, bot: Bot, trigger: str) -> None:
        market = self._venues.market(market_id, bot.id)
        self._reconciler.check(account_id, market, trigger)
