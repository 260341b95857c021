"""The scheduler's table: what runs when. A job only begins work; it never does slow work itself."""

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

    def start(self, jobs: Sequence[Job]) -> None:
        """Start with the engine's own jobs; call on the event loop."""
        for job in jobs:
            self._scheduler.add_job(
                self._run, self._trigger(job.every_s), args=[job], id=f"engine:{job.id}"
            )
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing any more."""
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

    async def _check(self, bot_id: str, interval_s: int) -> None:
        self._begin_check(bot_id, interval_s)

    async def _run(self, job: Job) -> None:
        try:
            await job.service()
        except LeaseLost as error:
            self._give_up(error.message)
        except StoreError as error:
            log.error("%s, tried again in %d s: %s", job.id, job.every_s, error)
        except Exception:
            log.exception("job %s failed; it runs again in %d s", job.id, job.every_s)
