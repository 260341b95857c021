"""The scheduler's table: what runs when. A job only begins work; it never does slow work itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from engine.domain.bots import Bot
from engine.errors import LeaseLost, StoreError
from engine.ports import Clock
from engine.services.pulse import next_multiple

log = logging.getLogger("quarterdeck.jobs")

LOOK_AT_CLOCK_S = 1.0
CORRECTION_S = 0.5
"""Further than this the machine's time was not slowed but set back."""


@dataclass(frozen=True)
class Job:
    """One row of the table."""

    id: str
    every_s: int
    service: Callable[[], Awaitable[None]]


class Scheduler:
    """APScheduler with the engine's own jobs and one job a bot."""

    def __init__(
        self,
        clock: Clock,
        begin_check: Callable[[str, int], None],
        give_up: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._begin_check = begin_check
        self._give_up = give_up
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            executors={"default": AsyncIOExecutor()},
            # A late job runs once, however late and however often it was missed.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        self._ahead_s = self._ahead_of_monotonic_s()
        self._next_look: asyncio.TimerHandle | None = None

    def start(self, jobs: Sequence[Job]) -> None:
        """Start with the engine's own jobs; call on the event loop."""
        for job in jobs:
            self._scheduler.add_job(
                self._run, self._trigger(job.every_s), args=[job], id=f"engine:{job.id}"
            )
        self._scheduler.start()
        self._look_at_clock()

    def stop(self) -> None:
        """Begin nothing any more."""
        if self._next_look is not None:
            self._next_look.cancel()
        self._scheduler.shutdown(wait=False)

    def add(self, bot: Bot) -> None:
        """Schedule a bot's checks, aligned to candle closes."""
        interval_s = bot.config.interval_s
        self._scheduler.add_job(
            self._check,
            self._trigger(interval_s),
            args=[bot.id, interval_s],
            id=f"bot:{bot.id}",
            replace_existing=True,
        )

    def remove(self, bot_id: str) -> None:
        """Take a bot's job out, if it has one."""
        try:
            self._scheduler.remove_job(f"bot:{bot_id}")
        except JobLookupError:
            log.debug("bot %s had no job", bot_id)

    def _trigger(self, every_s: int) -> IntervalTrigger:
        start = next_multiple(self._clock.now(), every_s)
        return IntervalTrigger(seconds=every_s, start_date=start, timezone="UTC")

    def _look_at_clock(self) -> None:
        """Plan every job anew when the machine's time was set back: each would wait, perhaps for
        hours, until that time comes round again."""
        ahead_s = self._ahead_of_monotonic_s()
        if ahead_s < self._ahead_s - CORRECTION_S:
            log.warning("the machine's time was set back by %.1f s", self._ahead_s - ahead_s)
            for job in self._scheduler.get_jobs():
                every_s = int(job.trigger.interval.total_seconds())
                self._scheduler.reschedule_job(job.id, trigger=self._trigger(every_s))
        self._ahead_s = ahead_s
        loop = asyncio.get_running_loop()
        self._next_look = loop.call_later(LOOK_AT_CLOCK_S, self._look_at_clock)

    def _ahead_of_monotonic_s(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    async def _check(self, bot_id: str, interval_s: int) -> None:
        self._begin_check(bot_id, interval_s)

    async def _run(self, job: Job) -> None:
        try:
            await job.service()
        except asyncio.CancelledError:
            log.debug("job %s was ended with the scheduler", job.id)  # which would log a traceback
        except LeaseLost as error:
            self._give_up(error.message)
        except StoreError as error:
            log.error("%s, tried again in %d s: %s", job.id, job.every_s, error)
        except Exception:
            log.exception("job %s failed; it runs again in %d s", job.id, job.every_s)
