"""Listening: what venues tell by themselves reaches the desk at once. Asking stays the truth."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from engine.domain.orders import OrderReport
from engine.errors import QuarterdeckError
from engine.ports import StreamingBroker, Venues
from engine.services.books import Books
from engine.services.lanes import Lanes, account_lane
from engine.services.order_desk import OrderDesk
from engine.services.places import routed_accounts

log = logging.getLogger("quarterdeck.listen")


class _Ear:
    """``ports.OrderListener`` of one account; hands everything over to the event loop."""

    def __init__(self, account_id: str, listening: "Listening") -> None:
        self._account_id = account_id
        self._listening = listening

    def on_report(self, report: OrderReport) -> None:
        """Book it on the account's lane."""
        self._listening.begin(self._listening.hear(self._account_id, report))

    def on_connected(self) -> None:
        """What was missed meanwhile is looked up."""
        log.info("%s: the stream is there", self._account_id)
        self._listening.missed_something(self._account_id)

    def on_disconnected(self, reason: str) -> None:
        """Until it is back, asking has to do."""
        log.warning("%s: the stream is gone: %s", self._account_id, reason)


class Listening:
    """Listens to every account in use whose broker tells of changes by itself."""

    def __init__(
        self,
        books: Books,
        desk: OrderDesk,
        venues: Venues,
        lanes: Lanes,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._books = books
        self._desk = desk
        self._venues = venues
        self._lanes = lanes
        self._loop = loop
        self._ends: dict[str, Callable[[], None] | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ensure(self) -> None:
        """Begin with accounts that have come into use; a slow venue delays nobody else."""
        routed = routed_accounts(self._books, self._venues)
        markets = {account_id: market_id for account_id, (market_id, _) in routed.items()}
        markets |= {bot.account_id: bot.market for bot in list(self._books.bots.values())}
        for account_id, market_id in markets.items():
            if account_id not in self._ends and not self._venues.is_stepped(market_id):
                self._ends[account_id] = None
                self._keep(self._listen(account_id, market_id))

    async def _listen(self, account_id: str, market_id: str) -> None:
        try:
            await self._lanes.run(account_lane(account_id), self._open, account_id, market_id)
        except QuarterdeckError as error:
            log.warning("%s cannot be listened to yet: %s", account_id, error)
            del self._ends[account_id]  # tried again at the next round
        except Exception:
            log.exception("%s could not be listened to", account_id)
            del self._ends[account_id]

    def _open(self, account_id: str, market_id: str) -> None:
        broker = self._venues.broker(account_id, self._venues.market(market_id))
        if isinstance(broker, StreamingBroker):
            self._ends[account_id] = broker.listen(_Ear(account_id, self))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` on the event loop; from any thread."""
        self._loop.call_soon_threadsafe(self._keep, work)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def hear(self, account_id: str, report: OrderReport) -> None:
        """Book a report on its account's lane. One that cannot be booked loses nothing: the order
        is asked about again."""
        try:
            await self._lanes.run(account_lane(account_id), self._hear, account_id, report)
        except QuarterdeckError as error:
            log.warning("%s: a report of %s waits: %s", account_id, report.client_id, error)
        except Exception:
            log.exception("%s: a report of %s was not booked", account_id, report.client_id)

    def _hear(self, account_id: str, report: OrderReport) -> None:
        bot = next((one for one in list(self._books.bots.values())
                    if one.account_id == account_id), None)  # fmt: skip
        if bot is None:
            self.missed_something(account_id)  # its bot has gone to another account
            return
        market = self._venues.market(bot.market, bot.id)
        if self._desk.hear(account_id, report, market):
            return
        with self._books.store.reading() as tx:
            known = tx.orders.find(report.client_id)
        if known is None or known.filled < report.filled:
            self.missed_something(account_id)  # a stranger's, or filled after it was given up

    def missed_something(self, account_id: str) -> None:
        """Have the account reconciled soon."""
        self._desk.links.reconnected(account_id)

    def renew(self, account_id: str) -> None:
        """Listen anew, at the next round, to an account whose connection was replaced, and have it
        reconciled soon: a key that was refused may be a good one now. From any thread."""
        self.missed_something(account_id)
        self._loop.call_soon_threadsafe(self._forget, account_id)

    def _forget(self, account_id: str) -> None:
        end = self._ends.pop(account_id, None)
        if end is not None:
            self._keep(self._end(account_id, end))

    async def _end(self, account_id: str, end: Callable[[], None]) -> None:
        try:
            await self._lanes.run(account_lane(account_id), end)
        except Exception:
            log.exception("%s: the stream was not ended", account_id)

    def close(self) -> None:
        """Hear nothing any more."""
        for end in self._ends.values():
            if end is not None:
                end()
        for task in list(self._tasks):
            task.cancel()
