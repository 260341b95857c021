"""Checks: one cycle of a bot at a time, begun by its job or at once by a command."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from engine.errors import LeaseLost, StoreError
from engine.ports import Clock
from engine.services.pulse import Pulse, lateness_s

log = logging.getLogger("quarterdeck.checks")


class Checks:
    """Begins cycles and never waits for them; a bot whose cycle still runs is left to finish."""

    def __init__(
        self,
        run_cycle: Callable[[str], Awaitable[None]],
        pulse: Pulse,
        clock: Clock,
        give_up: Callable[[str], None],
    ) -> None:
        self._run_cycle = run_cycle
        self._pulse = pulse
        self._clock = clock
        self._give_up = give_up
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, bot_id: str, interval_s: int = 0) -> None:
        """Begin a cycle; ``interval_s`` of the job that asks, to record how late it is."""
        if interval_s:
            late_s = lateness_s(self._clock.now(), interval_s)
            self._pulse.note_job(late_s)
        if bot_id not in self._running:
            self._running[bot_id] = asyncio.create_task(self._check(bot_id, interval_s))

    async def _check(self, bot_id: str, interval_s: int) -> None:
        begun = self._clock.now()
        try:
            await self._run_cycle(bot_id)
        except LeaseLost as error:
            self._give_up(error.message)
        except StoreError as error:
            log.error("not decided, tried again at the next check: %s", error,
                      extra={"bot_id": bot_id})  # fmt: skip
        except Exception:
            log.exception("the check failed", extra={"bot_id": bot_id})
        finally:
            del self._running[bot_id]
            now = self._clock.now()
            self._pulse.note_cycle(bot_id, begun, now)
            if interval_s:
                self._pulse.cycle_lateness_s.append(lateness_s(now, interval_s))

    @property
    def running(self) -> int:
        """How many cycles are under way."""
        return len(self._running)

    async def finish(self, timeout_s: float) -> None:
        """Wait for the cycles that run; those that take too long are cancelled."""
        if self._running:
            _, late = await asyncio.wait(list(self._running.values()), timeout=timeout_s)
            for task in late:
                task.cancel()
