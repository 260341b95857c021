"""The rounds of alerts: route, escalate, and set each channel with work to it, in its own thread.

These threads are no lane: one that hangs in a provider keeps nothing, not even the engine's end.
"""

import asyncio
import contextlib
import logging
from functools import partial

from engine.errors import LeaseLost, QuarterdeckError
from engine.services.books import Writing
from engine.services.deliver_alerts import AlertSender
from engine.services.detached import run_detached
from engine.services.escalate_alerts import Escalator
from engine.services.lanes import Lanes
from engine.services.outbox import Outbox
from engine.services.route_alerts import AlertRouter

log = logging.getLogger("quarterdeck.alerts")

LANE = "alerts"
"""Of the database's part alone."""


class AlertRounds:
    """Used on the event loop, but for ``nudge``."""

    def __init__(
        self,
        router: AlertRouter,
        escalator: Escalator,
        outbox: Outbox,
        sender: AlertSender,
        lanes: Lanes,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._router = router
        self._escalator = escalator
        self._outbox = outbox
        self._sender = sender
        self._lanes = lanes
        self._loop = loop
        self._working: dict[str, asyncio.Task[None]] = {}
        self._nudged: asyncio.Task[None] | None = None
        self._is_asked = False

    def nudge(self, writing: Writing) -> None:
        """A listener of the books: alerts are told at once, not at the next round."""
        if writing.alerts:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the next start does it
                self._loop.call_soon_threadsafe(self._begin_now)

    async def begin_due(self) -> None:
        """One round; channels work on when it is over. Raises StoreError, LeaseLost."""
        if not self._lanes.backlog(LANE):
            await self._round()

    def halt(self) -> None:
        """Begin no message any more."""
        self._sender.halt()

    async def finish(self, timeout_s: float) -> None:
        """Let what is on its way end; what does not is looked up at the next start."""
        tasks = [*self._working.values(), *([self._nudged] if self._nudged else [])]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    async def _round(self) -> None:
        for channel_id in await self._lanes.run(LANE, self._plan):
            if channel_id not in self._working:
                task = asyncio.create_task(self._work(channel_id))
                self._working[channel_id] = task
                task.add_done_callback(partial(self._ended, channel_id))

    def _ended(self, channel_id: str, _task: asyncio.Task[None]) -> None:
        self._working.pop(channel_id, None)

    def _plan(self) -> list[str]:
        while self._router.route():
            pass
        self._escalator.escalate()
        return sorted(self._outbox.busy_channels() | self._sender.unwritten_channels())

    def _begin_now(self) -> None:
        self._is_asked = True
        if self._nudged is None or self._nudged.done():
            self._nudged = self._loop.create_task(self._nudged_rounds())

    async def _nudged_rounds(self) -> None:
        """One, and another one for what came while it ran."""
        try:
            while self._is_asked:
                self._is_asked = False
                await self._round()
        except QuarterdeckError as error:
            log.warning("alerts wait for the next round: %s", error)
        except Exception:
            log.exception("a round of alerts failed; the next one goes on")

    async def _work(self, channel_id: str) -> None:
        try:
            await run_detached(f"channel:{channel_id}", partial(self._sender.work, channel_id))
        except LeaseLost:
            log.warning("channel %s is left to the engine that took over", channel_id)
        except QuarterdeckError as error:
            log.error("channel %s is tried again: %s", channel_id, error)
        except Exception:
            log.exception("channel %s could not be worked at; it is tried again", channel_id)
