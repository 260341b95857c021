"""HOLDs are most of all decisions: those of many bots are written in one transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.domain.bots import WORKING_STATES
from engine.domain.decisions import Decision
from engine.errors import Conflict
from engine.services.books import Books
from engine.services.lanes import Lanes

LANE = "holds"
GATHER_S = 0.02
MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Waiting:
    decision: Decision
    decided_until: datetime
    done: "asyncio.Future[None]"


class HoldWriter:
    """Group commit, off the account lanes, so that a thousand HOLDs delay no order."""

    def __init__(self, books: Books, lanes: Lanes) -> None:
        self._books = books
        self._lanes = lanes
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def write(self, decision: Decision, decided_until: datetime) -> None:
        """Returns once the decision is durable. Raises StoreError."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(decision, decided_until, done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        await asyncio.sleep(GATHER_S)
        while self._waiting:
            batch = self._waiting[:MOST_AT_ONCE]
            del self._waiting[:MOST_AT_ONCE]
            writing = self._lanes.run(LANE, self._write, batch)
            [outcome] = await asyncio.gather(writing, return_exceptions=True)
            _finish(batch, outcome)
        self._flushing = None

    def _write(self, batch: Sequence[_Waiting]) -> None:
        try:
            self._write_all(batch)
        except Conflict:
            # One of these candles was decided before, under other settings: find it, never twice.
            for one in batch:
                self._write_one(one)

    def _write_all(self, batch: Sequence[_Waiting]) -> None:
        with self._books.writing() as writing:
            wanted = [one for one in batch if self._is_wanted(one)]
            writing.tx.decisions.add(*(one.decision for one in wanted))
            for one in wanted:
                writing.mark_decided(one.decision.bot_id, one.decided_until)

    def _write_one(self, one: _Waiting) -> None:
        try:
            self._write_all([one])
        except Conflict:
            with self._books.writing() as writing:
                writing.mark_decided(one.decision.bot_id, one.decided_until)

    def _is_wanted(self, one: _Waiting) -> bool:
        """Not any more when the bot was stopped, deleted or decided meanwhile."""
        bot = self._books.bots.get(one.decision.bot_id)
        if bot is None or bot.state not in WORKING_STATES:
            return False
        return bot.decided_until is None or bot.decided_until < one.decided_until


def _finish(batch: Sequence[_Waiting], failure: BaseException | None) -> None:
    """Let those go on who wait for the batch, with its failure if it has one."""
    for one in batch:
        if one.done.done():
            continue
        if failure is None:
            one.done.set_result(None)
        else:
            one.done.set_exception(failure)
