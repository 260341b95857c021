"""What is begun when: signals that close at once, those that open so many a second.

Acting on a signal takes several times the work of taking it. A storm of them must neither keep the
next ones from being taken nor exits from being made; nor may the crowd of one bot keep another
bot's signal waiting until it is too old.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from engine.domain.signals import Signal, SignalAction

AT_ONCE = 10
PAUSE_S = 0.1

STORM, IN_STORM = 50, 2
"""When more than ``STORM`` arrive within a pause, ``IN_STORM`` are begun in the next."""

OPENING = frozenset({SignalAction.OPEN, SignalAction.ADD})
"""What waits its turn; a reversal closes first. One that waits for too long expires by its bot's
own lag, and one that is begun after a later exit finds that exit in the inbox."""


class SignalPace:
    """Between the inbox and who acts; for the event loop. ``begin`` acts on a signal by its id.

    ``AT_ONCE`` entries are begun at once, then as many every ``PAUSE_S``; fewer in a storm. Bots
    take turns, each with the oldest of its own.
    """

    def __init__(self, begin: Callable[[str], None]) -> None:
        self._begin = begin
        self._waiting: dict[str, deque[str]] = {}
        self._left = AT_ONCE
        self._arrived = 0
        self._refill: asyncio.TimerHandle | None = None

    def begin(self, signal: Signal) -> None:
        """Begin it now, or when it is its turn."""
        if signal.order is None or signal.order.action not in OPENING:
            self._begin(signal.id)
            return
        self._arrived += 1
        self._waiting.setdefault(signal.bot_id or "", deque()).append(signal.id)
        self._begin_some()

    def _begin_some(self) -> None:
        while self._waiting and self._left:
            self._left -= 1
            self._begin(self._next())
        if self._left < AT_ONCE and self._refill is None:
            loop = asyncio.get_running_loop()
            self._refill = loop.call_later(PAUSE_S, self._go_on)

    def _next(self) -> str:
        """The oldest of the bot whose turn it is; the bot then goes to the end of the row."""
        bot_id = next(iter(self._waiting))
        ids = self._waiting.pop(bot_id)
        signal_id = ids.popleft()
        if ids:
            self._waiting[bot_id] = ids
        return signal_id

    def _go_on(self) -> None:
        self._left = IN_STORM if self._arrived > STORM else AT_ONCE
        self._refill, self._arrived = None, 0
        self._begin_some()
