"""Calls from the API's threads that run on an account's lane, and are waited for, but not for ever.

A call that began is never given up in the middle: when the venue takes longer than a person waits,
the answer says that it is under way.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from engine.errors import BrokerUnavailable, OrderStateUnknown
from engine.services.lanes import Lanes, account_lane

T = TypeVar("T")

PATIENCE_S = 8.0
"""How long a person waits for a venue; the panel's own patience is a little longer."""


class Turn:
    """One call's place in a lane: it is either begun or given up, never both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_begun = self._is_given_up = False

    def begin(self) -> bool:
        """Whether the call may begin: nobody has given it up."""
        with self._lock:
            self._is_begun = not self._is_given_up
            return self._is_begun

    def give_up(self) -> bool:
        """Whether it is given up in time: it will never begin."""
        with self._lock:
            self._is_given_up = not self._is_begun
            return self._is_given_up


class LaneCalls:
    """Blocking calls for the API's threads; must not be used on the event loop."""

    def __init__(
        self, lanes: Lanes, loop: asyncio.AbstractEventLoop, patience_s: float = PATIENCE_S
    ) -> None:
        self._lanes = lanes
        self._loop = loop
        self._patience_s = patience_s

    def run(self, account_id: str, call: Callable[..., T], *args: object, look_at: str) -> T:
        """Run ``call`` on the account's lane and wait for it. ``look_at`` says where what became
        of it is seen. Raises BrokerUnavailable when it never began, OrderStateUnknown when it is
        still under way, and whatever ``call`` raises."""
        turn = Turn()

        def in_turn() -> T:
            if not turn.begin():
                raise BrokerUnavailable("given up before it began")
            return call(*args)

        run = self._lanes.run(account_lane(account_id), in_turn)
        waiting = asyncio.run_coroutine_threadsafe(run, self._loop)
        try:
            return waiting.result(self._patience_s)
        except TimeoutError as error:
            if turn.give_up():
                raise BrokerUnavailable(
                    "The account is busy with its venue; nothing was sent. Try again."
                ) from error
            raise OrderStateUnknown(
                "The venue takes long to answer: what was asked is under way."
                f" {look_at} show what becomes of it."
            ) from error

    def finish(self, account_id: str, call: Callable[..., object], *args: object) -> None:
        """Run ``call`` on the account's lane for certain, and wait for it as long as a person
        does; what takes longer ends by itself. Raises whatever ``call`` raises until then."""
        run = self._lanes.run(account_lane(account_id), call, *args)
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(run, self._loop).result(self._patience_s)

    def retire(self, account_id: str) -> None:
        """Give back the thread of an account that is no more, once its calls are done."""
        self._loop.call_soon_threadsafe(self._lanes.retire, account_lane(account_id))
